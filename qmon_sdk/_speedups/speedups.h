/* What the files of the accelerator know of each other. `module.c` joins them. */

#ifndef QMON_SPEEDUPS_H
#define QMON_SPEEDUPS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* Raised by one whenever Python code of another generation would not fit: `accelerator.py` looks. */
#define GENERATION 16

/* Names that are looked up or compared again and again, interned once. */
typedef struct {
    PyObject *name, *value, *unit, *attributes, *crowded, *missed, *key_of;
    PyObject *counter, *distribution, *who;
    PyObject *number, *begin_trace, *buf, *at;
    PyObject *no_pairs; /* an empty map, packed */
    PyObject *events, *links, *nothing; /* what is kept apart from attributes, and no text */
    PyObject *one, *word_bits; /* 1 and 64 */
    PyObject *met, *is_true, *is_false, *sequence;
} Names;

extern Names names;

/* --- pending.c: the values of a series that are not folded yet -------------------------------- */

typedef union {
    double real;
    long long whole;
    PyObject *any;
} Slot;

/* What all values of a buffer are: it is as small as that allows, and takes any object at last. */
typedef enum { REALS, WHOLES, ANY } Sort;

typedef struct {
    Slot *slots;
    Py_ssize_t count, room;
    Sort sort;
} Buffer;

typedef struct {
    PyObject_HEAD
    Buffer buffer;
    Py_ssize_t limit;
} Pending;

extern PyTypeObject PendingType;

int pending_add(Pending *self, PyObject *value);
PyObject *buffer_list(const Buffer *buffer);
void buffer_free(Buffer *buffer);

/* --- folding.c -------------------------------------------------------------------------------- */

int folding_setup(void);
PyObject *fold_buffer(const Buffer *buffer, PyObject *kind);

#include "columns.h"

/* --- shelf.c: the series of one kind, by what the application says ----------------------------- */

extern PyTypeObject ShelfType;

enum { NOT_SAID = -2 };

int shelf_say(PyObject *shelf, PyObject *const *args, Py_ssize_t count, PyObject *kwnames);

/* --- exceptions.c ------------------------------------------------------------------------------- */

PyObject *raised_exception(void);
void raise_exception(PyObject *error);
PyObject *path_key(PyObject *module, PyObject *error);

/* --- supplies.c: span ids, and places in the ring ------------------------------------------------ */

extern PyTypeObject SupplyType, StackType;

int next_number(PyObject *iterator, uint64_t *number);
uint64_t stack_pop(PyObject *any);
int stack_push(PyObject *any, uint64_t place);

/* --- lanes.c: one thread's memory ---------------------------------------------------------------- */

/* How it lies, of which `protocol/flight.py` is the authority; `check_layout` compares. */
enum {
    NO_SLOT = 495616,
    OPEN_BYTES = 128,
    OPEN_INSIDE_AT = 24,
    OPEN_SPAN = 56,
    OPEN_TEXT = 64,
    OPEN_TEXT_BYTES = 64,
    CHUNK_BYTES = 4096,
    CHUNK_HEAD = 64,
    CHUNK_TAKEN = 8,
    ROW_BYTES = 72,
    ROW_SPAN = 64,
};
/* The same of the notes. */
enum {
    NOTED = 72,
    NOTES_AT = 626688,
    NOTES_BYTES = 262144,
    NOTE_BYTES = 16,
    NOTE_EXTRA = 2,
    NOTE_EVENT = 4,
};
#define INHERITS (1ULL << 40)

/* Somebody's writable memory, held as long as it may be written to. */
typedef struct {
    PyObject *owner;
    Py_buffer view;
} Memory;

typedef struct {
    PyObject_HEAD
    Memory buf, rows;
    PyObject *opens, *wasting, *extras;
    unsigned long long wasted, thread;
} Lane;

extern PyTypeObject LaneType;

int memory_set(Memory *memory, PyObject *owner);
void memory_free(Memory *memory);
char *memory_at(const Memory *memory, uint64_t at, size_t bytes);

/* --- cells.c: a context's place in its trace ------------------------------------------------------ */

typedef struct {
    PyObject_HEAD
    unsigned long long thread, span, trace_hi, trace_lo, slot;
    PyObject *said; /* what took the span's place, to say more about it */
    PyObject *lane, *ids, *slots;
    char always;
} Cell;

extern PyTypeObject CellType;

PyObject *span_object(uint64_t span, PyObject *said);
Cell *cell_child(Cell *self);

/* --- joining.c: the Python around ----------------------------------------------------------------- */

typedef struct {
    PyObject *cell, *scope; /* context variables */
    PyTypeObject *cell_type;
    Py_ssize_t who_place; /* of a scope */
    PyObject *adopt, *draw, *told, *failed, *trouble, *forked;
} Joined;

extern Joined joined;

PyObject *join(PyObject *module, PyObject *args, PyObject *kwargs);
int check_layout(void);
int out_packed(Out *out, PyObject *value);

/* --- opening.c: a span from its beginning to its end ---------------------------------------------- */

/* Where spans come from: what all spans of one function have in common. */
typedef struct {
    PyObject *site;
    PyObject *skip; /* asked whether a single span is left out; may be NULL */
    uint64_t what;
    int waits; /* other code runs in between, as it does in coroutines */
} Place;

typedef struct {
    Cell *cell, *outer; /* the place inside, and the one to go back to if that is another */
    Lane *lane;
    PyObject *site;        /* borrowed */
    PyObject *parent_said; /* the parent, if there is more to say about it */
    uint64_t parent, span, what, slot;
    int64_t start;
} Opening;

/* What is said of a span: a map, or names and values in two rows. */
typedef struct {
    PyObject *map; /* NULL where there are names */
    PyObject *names;
    PyObject *const *values;
} Given;

int place_read(Place *place, PyObject *site, PyObject *skip);
int opening_begin(Opening *it, const Place *place);
int opening_end(Opening *it, const Given *kept);
int opening_fail(Opening *it, const Given *kept, PyObject *error);
int opening_leave(Opening *it);
int trouble(const char *where);
void watch_forks(void);
unsigned long forks_now(void);
PyObject *count_forks(PyObject *module, PyObject *none);

/* --- writing.c: what is written to the ring ------------------------------------------------------- */

void write_open(const Opening *it);
void write_inside(const Opening *it);
void write_closed(const Opening *it);
int write_row(Opening *it, int64_t took, const Given *extra);
uint64_t little(uint64_t value);
void put_u32(char *at, uint32_t value);
void put(char *at, const uint64_t *words, int count);
void publish(char *at, uint64_t value);
uint64_t who_now(void);
void order_stores(void);

/* --- open_spans.c: the same for what is written in Python --------------------------------------------- */

PyObject *cell_open(Cell *self, PyObject *args);
PyObject *cell_close(Cell *self, PyObject *none);
PyObject *write_ordinary_row(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* --- rows.c: rows as columns ---------------------------------------------------------------------- */

PyObject *rows_gather(PyObject *module, PyObject *args);
PyObject *rows_let_go(PyObject *module, PyObject *args);
PyObject *words_alike(PyObject *module, PyObject *column);
PyObject *rows_places(PyObject *module, PyObject *column);

/* --- guise.c: what is taken for a function --------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function, *dict, *weakrefs;
} Guise;

extern PyGetSetDef guise_getset[];
extern PyMethodDef guise_methods[];

PyObject *guise_bound(PyObject *self, PyObject *object, PyObject *type);
PyObject *guise_repr(PyObject *self);
int guise_traverse(Guise *self, visitproc visit, void *arg);
int guise_clear(Guise *self);
void guise_end(Guise *self);

/* The slots of all types of them. */
#define GUISE_TYPE                                                                                  \
    PyVarObject_HEAD_INIT(NULL, 0)                                                                  \
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |               \
                Py_TPFLAGS_METHOD_DESCRIPTOR,                                                       \
    .tp_call = PyVectorcall_Call, .tp_vectorcall_offset = offsetof(Guise, vectorcall),              \
    .tp_descr_get = guise_bound, .tp_repr = guise_repr, .tp_getset = guise_getset,                  \
    .tp_methods = guise_methods, .tp_dictoffset = offsetof(Guise, dict),                            \
    .tp_weaklistoffset = offsetof(Guise, weakrefs),

/* --- wrapper.c, stay.c ----------------------------------------------------------------------------- */

extern PyTypeObject WrapperType, StayType, EntranceType;

PyObject *stay_begin(const Place *place);

/* --- verbs.c: count, gauge, distribution ------------------------------------------------------------ */

extern PyTypeObject VerbType;

PyObject *verbs_aim(PyObject *module, PyObject *const *args, Py_ssize_t count);

/* --- packing.c: msgpack ------------------------------------------------------------------------------ */

int pack_fields(Out *out, PyObject *signal);
int pack_positive(Out *out, uint64_t value);
int pack_whole(Out *out, PyObject *number);
int pack_pairs(Out *out, PyObject *const *texts, Py_ssize_t pairs);
int pack_text(Out *out, PyObject *text);
int pack_ascii(Out *out, const char *text, size_t size);
int pack_array(Out *out, size_t values);
int pack_bytes(Out *out, const Out *bytes);
size_t packed_pairs(const char **at);
size_t packed_text(const char **at, size_t *head);

/* --- notes.c -------------------------------------------------------------------------------------- */

extern PyTypeObject NotesType;

uint64_t notes_write(PyObject *any, unsigned kind, const char *payload, size_t length);
int notes_wait(PyObject *any, unsigned kind, const Out *bytes, PyObject *entry, PyObject *waiting);

/* --- labels.c: attributes as text to text ------------------------------------------------------------ */

enum { MOST_LABELS = 256, MOST_PAIRS = MOST_LABELS + 2 };

typedef struct {
    Py_ssize_t count;
    PyObject *texts[2 * MOST_PAIRS]; /* keys and texts in turns, all held */
} Pairs;

enum { SHORT = 256 }; /* characters of a text worth remembering */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *scrubber, *keys, *texts, *pure;
} Labels;

extern PyTypeObject LabelsType;

int pairs_scrubbed(Pairs *pairs, PyObject *scrub, PyObject *said);
int pairs_read(Pairs *pairs, PyObject *map);
int is_plain_number(PyObject *number);
int labels_packed(PyObject *scrub, const Given *said, Out *out);
PyObject *said_dict(const Given *said);
void pairs_free(Pairs *pairs);
PyObject *pairs_dict(PyObject *const *texts, Py_ssize_t pairs);

/* --- entries.c: objects by number -------------------------------------------------------------------- */

typedef struct {
    uint64_t number;
    PyObject *value; /* NULL: nobody sits here */
} Entry;

typedef struct {
    Entry *seats;
    size_t mask, count;
} Entries;

int entries_put(Entries *entries, uint64_t number, PyObject *value);
PyObject *entries_take(Entries *entries, uint64_t number);
void entries_free(Entries *entries);

/* --- extras.c, extra_columns.c: attributes until their row is sent ----------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *scrub; /* writes attributes as labels; NULL if nothing is kept */
    PyObject *notes; /* NULL if nobody may read them before they are sent */
    Entries kept;    /* packed pairs, or `[packed pairs, events, links]` */
    uint64_t unnoted;
} Extras;

extern PyTypeObject ExtrasType;

int extras_keep(PyObject *any, const Given *said, PyObject *apart, uint64_t *number);
PyObject *packed_tuple(PyObject *packed);
PyObject *packed_column(PyObject *sites, const Py_buffer *places, PyObject *rows);
PyObject *extras_columns(Extras *self, PyObject *args);
PyObject *extras_take(Extras *self, PyObject *number);

/* --- looking.c: what may be a secret ------------------------------------------------------------------ */

extern PyTypeObject NeedlesType;
int may_hold_card(PyObject *text);
PyObject *look_for_cards(PyObject *module, PyObject *text);
PyObject *look_for_mixtures(PyObject *module, PyObject *args);

/* --- plain.c, variables.c: values as `rendering` writes them --------------------------------------------------------- */

typedef struct {
    PyObject *keys;   /* what the scrubber knows of keys: name → (key, rule) */
    PyObject *hidden; /* the rule of a secret */
    Py_ssize_t room;  /* characters left, nearly */
} Plain;

int plain_may_be_shown(const Plain *plain, PyObject *key);
PyObject *plain_text(Plain plain, PyObject *value);
PyObject *write_plain(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *write_variables(PyObject *module, PyObject *args);

#endif
