/* Open spans and finished rows for what is written in Python: requests, and `with span()` blocks.
 *
 * `PureCell` and `cells.write_row` say the same in Python.
 */

#include "speedups.h"

#define HAS_TEXT (1ULL << 41)

static Lane *
lane_of(const Cell *cell)
{
    if (cell->lane != NULL && PyObject_TypeCheck(cell->lane, &LaneType)) {
        return (Lane *)cell->lane;
    }
    PyErr_SetString(PyExc_AttributeError, "lane");
    return NULL;
}

/* What a row, or an open span, says of where it comes from; all ones with an exception. */
static uint64_t
number_of(PyObject *site)
{
    PyObject *number = PyObject_GetAttr(site, names.number);
    uint64_t what = number == NULL ? UINT64_MAX : PyLong_AsUnsignedLongLong(number);
    Py_XDECREF(number);
    return what;
}

/* Write what a span is about, filled up with zeros; nothing if there is nothing to write. */
static uint64_t
write_text(char *at, const Py_buffer *text)
{
    if (text->len == 0) {
        return 0;
    }
    size_t size = text->len < OPEN_TEXT_BYTES ? (size_t)text->len : OPEN_TEXT_BYTES;
    memset(at + OPEN_TEXT, 0, OPEN_TEXT_BYTES);
    memcpy(at + OPEN_TEXT, text->buf, size);
    return HAS_TEXT;
}

typedef struct {
    PyObject *site, *parent;
    long long started;
    Py_buffer text;
} Beginning;

static int
cell_write_open(Cell *self, Lane *lane, Beginning *it)
{
    uint64_t what = number_of(it->site), parent = PyLong_AsUnsignedLongLongMask(it->parent);
    if (PyErr_Occurred()) {
        return -1;
    }
    uint64_t slot = stack_pop(lane->opens);
    char *at = slot == 0 ? NULL : memory_at(&lane->buf, slot, OPEN_BYTES);
    if (at == NULL) {
        return 0;
    }
    what |= write_text(at, &it->text);
    uint64_t words[] = {self->trace_hi, self->trace_lo, who_now(), what, parent, lane->thread,
                        (uint64_t)it->started};
    put(at, words, 7);
    publish(at + OPEN_SPAN, self->span);
    self->slot = slot;
    return 0;
}

PyObject *
cell_open(Cell *self, PyObject *args)
{
    Beginning it = {.text = {.len = 0}};
    Lane *lane = lane_of(self);
    if (lane == NULL || !PyArg_ParseTuple(args, "OO!L|y*:open", &it.site, &PyLong_Type, &it.parent,
                                          &it.started, &it.text)) {
        return NULL;
    }
    int failed = cell_write_open(self, lane, &it);
    if (it.text.obj != NULL) {
        PyBuffer_Release(&it.text);
    }
    return failed ? NULL : Py_NewRef(Py_None);
}

PyObject *
cell_close(Cell *self, PyObject *Py_UNUSED(none))
{
    uint64_t slot = self->slot;
    if (slot == NO_SLOT) {
        Py_RETURN_NONE;
    }
    Lane *lane = lane_of(self);
    char *at = lane == NULL ? NULL : memory_at(&lane->buf, slot, OPEN_BYTES);
    if (lane == NULL) {
        return NULL;
    }
    if (at != NULL) {
        publish(at + OPEN_SPAN, 0);
    }
    self->slot = NO_SLOT;
    return lane->opens != NULL && stack_push(lane->opens, slot) < 0 ? NULL : Py_NewRef(Py_None);
}

/* --- rows ----------------------------------------------------------------------------------------- */

/* Where the fields of a row stand in the tuple that Python gives. */
enum { SITE, SCOPE, STATUS, HIGH, LOW, SPAN, PARENT, START, TOOK, EXTRA, FIELDS };

#define FIELD(row, place) PyTuple_GET_ITEM(row, place)

/* Say whether a row is one that needs nothing but to be written, by the thread it belongs to. */
static int
is_ordinary(const Cell *cell, PyObject *row)
{
    if (cell->lane == NULL || !PyObject_TypeCheck(cell->lane, &LaneType) || cell->slots == NULL) {
        return 0;
    }
    return FIELD(row, EXTRA) == Py_None && cell->slots != ((Lane *)cell->lane)->wasting &&
           cell->thread == PyThread_get_thread_ident();
}

static uint64_t
word_of(PyObject *number)
{
    return PyLong_AsUnsignedLongLongMask(number);
}

/* What a row says of its span's end, and of who it was for. */
static int
facts_of(PyObject *row, PyObject *statuses, uint64_t *what, uint64_t *who)
{
    PyObject *status = PyDict_GetItemWithError(statuses, FIELD(row, STATUS));
    PyObject *number = PyObject_GetAttr(FIELD(row, SCOPE), names.who);
    *what = number_of(FIELD(row, SITE));
    *what |= status == NULL ? 0 : word_of(status);
    *who = number == NULL ? 0 : word_of(number);
    Py_XDECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

static int
write_words(Cell *cell, PyObject *row, uint64_t what, uint64_t who)
{
    uint64_t words[8] = {0};
    const int places[] = {START, TOOK, HIGH, LOW, PARENT};
    for (int i = 0; i < 5; i++) {
        words[i] = word_of(FIELD(row, places[i]));
    }
    words[5] = what;
    words[6] = who;
    uint64_t span = word_of(FIELD(row, SPAN)), at;
    if (PyErr_Occurred()) {
        return -1;
    }
    int got = next_number(cell->slots, &at);
    char *place = got > 0 ? memory_at(&((Lane *)cell->lane)->rows, at, ROW_BYTES) : NULL;
    if (place != NULL) {
        put(place, words, 8);
        publish(place + ROW_SPAN, span);
    }
    return got < 0 ? -1 : 0;
}

/* Write one finished span, or answer `False`: it is out of the ordinary. */
PyObject *
write_ordinary_row(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 3 || !PyObject_TypeCheck(args[0], &CellType) || !PyTuple_CheckExact(args[1]) ||
        PyTuple_GET_SIZE(args[1]) != FIELDS || !PyDict_CheckExact(args[2])) {
        PyErr_SetString(PyExc_TypeError, "write_row(cell, row, statuses)");
        return NULL;
    }
    Cell *cell = (Cell *)args[0];
    uint64_t what, who;
    if (!is_ordinary(cell, args[1])) {
        Py_RETURN_FALSE;
    }
    if (facts_of(args[1], args[2], &what, &who) < 0 || write_words(cell, args[1], what, who) < 0) {
        return NULL;
    }
    Py_RETURN_TRUE;
}
