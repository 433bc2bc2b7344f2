/* Product events of the plainest sort: packed, noted and put among those waiting in one step.
 *
 * Whatever is not of that sort (a text nobody met, flags, a queue that is full) is answered with `None`:
 * the verb does it as it does where there is no accelerator.
 */

#include "events.h"

#include <time.h>

enum { USER, ANONYMOUS, SESSION_ID, SESSION, FLAGS, OF_SCOPE };
enum { ID_BYTES = 16, ID_TEXT = 32, LONGEST_NAME = 255, LONGEST_USER = 1024 };

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *notes, *waiting, *labels, *sequence;
    Py_ssize_t places[OF_SCOPE]; /* of a scope's fields */
    Py_ssize_t most;             /* that may wait, and their bytes */
    unsigned long long most_bytes, unsent;
    uint64_t chance[4];
    unsigned long forks;
} Events;

/* --- ids and times -------------------------------------------------------------------------------- */

static uint64_t
turned(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

/* Draw 64 bits, for ids and not for secrets (xoshiro256**). */
static uint64_t
draw(uint64_t *chance)
{
    uint64_t drawn = turned(chance[1] * 5, 7) * 9, shifted = chance[1] << 17;
    chance[2] ^= chance[0];
    chance[3] ^= chance[1];
    chance[1] ^= chance[2];
    chance[0] ^= chance[3];
    chance[2] ^= shifted;
    chance[3] = turned(chance[3], 45);
    return drawn;
}

static PyObject *
draw_id(Events *self)
{
    PyObject *text = PyUnicode_New(ID_TEXT, 127);
    if (text != NULL) {
        char *at = (char *)PyUnicode_1BYTE_DATA(text);
        for (int half = 0; half < ID_BYTES / 8; half++) {
            uint64_t bits = draw(self->chance);
            for (int i = 0; i < ID_BYTES; i++) {
                *at++ = "0123456789abcdef"[bits >> 60];
                bits <<= 4;
            }
        }
    }
    return text;
}

/* --- fields: 1 if it is packed, else it is not of the plainest sort -------------------------------- */

static int
pack_now(Out *out)
{
    struct timespec now;
    if (timespec_get(&now, TIME_UTC) != TIME_UTC) {
        return 0;
    }
    return pack_positive(out, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) == 0;
}

static int
is_short(PyObject *text, Py_ssize_t most)
{
    return PyUnicode_CheckExact(text) && PyUnicode_IS_ASCII(text) && PyUnicode_GET_LENGTH(text) <= most;
}

static int
pack_known(Events *self, Out *out, PyObject *text)
{
    PyObject *known = !is_short(text, LONGEST_NAME) ? NULL
                      : PyDict_GetItemWithError(((Labels *)self->labels)->texts, text);
    return known == NULL || !PyUnicode_CheckExact(known) ? 0 : pack_text(out, known);
}

static int
pack_of_scope(Out *out, PyObject *text)
{
    return PyUnicode_CheckExact(text) ? pack_text(out, text) : 0;
}

static int
pack_next(Events *self, Out *out, PyObject *session)
{
    PyObject *counter = session == Py_None ? Py_NewRef(self->sequence)
                                           : PyObject_GetAttr(session, names.sequence);
    PyObject *next = counter == NULL ? NULL : PyIter_Next(counter);
    int packed = next == NULL || !PyLong_CheckExact(next) ? 0 : pack_whole(out, next);
    Py_XDECREF(next);
    Py_XDECREF(counter);
    return packed;
}

static int
pack_properties(Events *self, Out *out, PyObject *properties)
{
    if (properties == Py_None) {
        return out_byte(out, 0x80) == 0;
    }
    const Given said = {.map = properties};
    return labels_packed(self->labels, &said, out) >= 0;
}

/* --- the step -------------------------------------------------------------------------------------- */

static int
is_room(Events *self)
{
    Py_ssize_t waiting = PyList_GET_SIZE(self->waiting);
    self->unsent = waiting ? self->unsent : 0;
    return waiting + 1 < self->most && self->unsent < self->most_bytes;
}

static int
is_ordinary(Events *self, PyObject *scope)
{
    for (int i = 0; i < OF_SCOPE; i++) {
        if (!PyTuple_Check(scope) || self->places[i] >= PyTuple_GET_SIZE(scope)) {
            return 0;
        }
    }
    PyObject *flags = PyTuple_GET_ITEM(scope, self->places[FLAGS]);
    return self->forks == forks_now() && PyDict_CheckExact(flags) && PyDict_GET_SIZE(flags) == 0 &&
           is_room(self);
}

/* What may be the number of a card is not for us to judge. */
static int
is_user(PyObject *user)
{
    return is_short(user, LONGEST_USER) && !may_hold_card(user);
}

/* Pack all fields but the last, in the order of the record; what can be refused comes first. */
static int
pack_event(Events *self, Out *out, PyObject *const *args, PyObject *scope, PyObject *id)
{
    PyObject *user = args[2];
    int of_scope = user == Py_None;
    user = of_scope ? PyTuple_GET_ITEM(scope, self->places[USER]) : user;
    return pack_array(out, 8) == 1 && pack_now(out) == 1 && pack_text(out, id) == 1 &&
           pack_known(self, out, args[0]) == 1 && (of_scope || is_user(user)) &&
           pack_of_scope(out, user) == 1 &&
           pack_of_scope(out, PyTuple_GET_ITEM(scope, self->places[ANONYMOUS])) == 1 &&
           pack_of_scope(out, PyTuple_GET_ITEM(scope, self->places[SESSION_ID])) == 1 &&
           pack_next(self, out, PyTuple_GET_ITEM(scope, self->places[SESSION])) == 1;
}

static int
wait_packed(Events *self, const Out *out)
{
    PyObject *bytes = out_object(out), *size = PyLong_FromSize_t(out->size), *entry = PyTuple_New(3);
    int failed = bytes == NULL || size == NULL || entry == NULL;
    if (!failed) {
        PyTuple_SET_ITEM(entry, 1, Py_NewRef(size));
        PyTuple_SET_ITEM(entry, 2, Py_NewRef(bytes));
        failed = notes_wait(self->notes, NOTE_EVENT, out, entry, self->waiting) < 0;
        self->unsent += out->size;
    }
    Py_XDECREF(bytes);
    Py_XDECREF(size);
    Py_XDECREF(entry);
    return failed ? -1 : 1;
}

static Out scratch[2]; /* lent to one at a time */

static PyObject *
keep(Events *self, PyObject *const *args, PyObject *scope)
{
    Out out = scratch[0], map = scratch[1];
    scratch[0] = scratch[1] = (Out){0};
    out.size = map.size = 0;
    PyObject *id = draw_id(self);
    int kept = id != NULL && pack_properties(self, &map, args[1]) && pack_event(self, &out, args, scope, id)
                   ? out_bytes(&out, map.bytes, map.size) : -1;
    kept = kept == 0 && out.size < NOTES_BYTES / 8 ? wait_packed(self, &out) : 0;
    out_free(&scratch[0]);
    out_free(&scratch[1]);
    scratch[0] = out;
    scratch[1] = map;
    if (kept == 1) {
        return id;
    }
    Py_XDECREF(id);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *
events_call(Events *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PyObject *scope;
    if (PyVectorcall_NARGS(nargsf) != 3 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError, "a name, properties or `None`, a user or `None`");
        return NULL;
    }
    if (PyContextVar_Get(joined.scope, NULL, &scope) < 0 || scope == NULL) {
        return NULL;
    }
    PyObject *id = is_ordinary(self, scope) ? keep(self, args, scope) : Py_NewRef(Py_None);
    Py_DECREF(scope);
    return id;
}

/* --- the type ------------------------------------------------------------------------------------- */

static PyObject *
events_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *notes, *waiting, *labels, *sequence;
    Py_ssize_t at[OF_SCOPE], most;
    unsigned long long bytes;
    const char *seed;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "O!O!O!O(nnnnn)nKy#:Events", &NotesType, &notes, &PyList_Type, &waiting,
                          &LabelsType, &labels, &sequence, &at[0], &at[1], &at[2], &at[3], &at[4], &most,
                          &bytes, &seed, &size)) {
        return NULL;
    }
    Events *self = size == 32 && joined.scope != NULL ? (Events *)type->tp_alloc(type, 0) : NULL;
    if (self == NULL) {
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "a seed has 32 bytes");
    }
    self->vectorcall = (vectorcallfunc)events_call;
    self->notes = Py_NewRef(notes);
    self->waiting = Py_NewRef(waiting);
    self->labels = Py_NewRef(labels);
    self->sequence = Py_NewRef(sequence);
    memcpy(self->places, at, sizeof(at));
    self->most = most;
    self->most_bytes = bytes;
    self->forks = forks_now();
    memcpy(self->chance, seed, sizeof(self->chance));
    self->chance[0] |= 1; /* all zero would stay so */
    return (PyObject *)self;
}

static int
events_traverse(Events *self, visitproc visit, void *arg)
{
    Py_VISIT(self->notes);
    Py_VISIT(self->waiting);
    Py_VISIT(self->labels);
    Py_VISIT(self->sequence);
    return 0;
}

static void
events_dealloc(Events *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->notes);
    Py_CLEAR(self->waiting);
    Py_CLEAR(self->labels);
    Py_CLEAR(self->sequence);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject EventsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Events",
    .tp_doc = PyDoc_STR("Called with an event's name, properties and user, keeps it and gives its id."),
    .tp_basicsize = sizeof(Events),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = events_new,
    .tp_dealloc = (destructor)events_dealloc,
    .tp_traverse = (traverseproc)events_traverse,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Events, vectorcall),
};
