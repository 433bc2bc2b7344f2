/* Attributes of spans whose rows are in no frame yet: written to the notes, and kept for the flush.
 *
 * Kept are not dictionaries but the pairs of each row, one after the other, in a tuple: a column is
 * made of them without anything else being made for a row.
 */

#include "speedups.h"

#define UNNOTED (1ULL << 62) /* numbers for attributes that are in no note */

/* --- keeping ---------------------------------------------------------------------------------------- */

/* Let the library write what is no Unicode. */
static int
pack_oddly(Out *out, const Pairs *pairs)
{
    PyObject *map = pairs_dict(pairs->texts, pairs->count);
    out->size = 0;
    int failed = map == NULL ? -1 : out_packed(out, map);
    Py_XDECREF(map);
    return failed;
}

/* Note the pairs where a kill does not reach them; 0 if they found no place. */
static int
note(Extras *self, const Pairs *pairs, uint64_t *number)
{
    Out out = {0};
    if (self->notes == NULL) {
        return 0;
    }
    int written = pack_pairs(&out, pairs->texts, pairs->count);
    if (written == 0) {
        written = pack_oddly(&out, pairs);
    }
    if (written >= 0) {
        *number = notes_write(self->notes, NOTE_EXTRA, out.bytes, out.size);
    }
    out_free(&out);
    return written < 0 ? -1 : 0;
}

static PyObject *
pairs_tuple(const Pairs *pairs, Py_ssize_t count)
{
    PyObject *kept = PyTuple_New(2 * count);
    for (Py_ssize_t i = 0; kept != NULL && i < 2 * count; i++) {
        PyTuple_SET_ITEM(kept, i, Py_NewRef(pairs->texts[i]));
    }
    return kept;
}

/* Take the pairs for the flush, and what is no attribute in a place of its own. */
static PyObject *
entry_of(const Pairs *pairs, PyObject *apart)
{
    Py_ssize_t more = apart == NULL ? 0 : PyDict_GET_SIZE(apart);
    PyObject *kept = pairs_tuple(pairs, pairs->count - more);
    if (kept == NULL || !more) {
        return kept;
    }
    PyObject *events = PyDict_GetItem(apart, names.events), *links = PyDict_GetItem(apart, names.links);
    return Py_BuildValue("[NOO]", kept, events == NULL ? names.nothing : events,
                         links == NULL ? names.nothing : links);
}

static int
keep_pairs(Extras *self, Pairs *pairs, PyObject *apart, uint64_t *number)
{
    if ((apart != NULL && pairs_read(pairs, apart) != 1) || note(self, pairs, number) < 0) {
        return -1;
    }
    if (*number == 0) {
        *number = self->unnoted++;
    }
    PyObject *key = PyLong_FromUnsignedLongLong(*number), *entry = entry_of(pairs, apart);
    int failed = key == NULL || entry == NULL ? -1 : PyDict_SetItem(self->kept, key, entry);
    Py_XDECREF(key);
    Py_XDECREF(entry);
    return failed;
}

/* Keep what was said of a span, and say by which number; 0 if nothing is left of it. */
int
extras_keep(PyObject *any, PyObject *said, PyObject *apart, uint64_t *number)
{
    Extras *self = (Extras *)any;
    Pairs pairs;
    pairs.count = 0;
    *number = 0;
    if (self->scrub == NULL) {
        return 0;
    }
    int failed = pairs_scrubbed(&pairs, self->scrub, said);
    if (!failed && (pairs.count > 0 || apart != NULL)) {
        failed = keep_pairs(self, &pairs, apart, number);
    }
    pairs_free(&pairs);
    return failed;
}

static PyObject *
extras_keep_method(Extras *self, PyObject *args)
{
    PyObject *said, *apart = NULL;
    uint64_t number;
    if (!PyArg_ParseTuple(args, "O|O!:keep", &said, &PyDict_Type, &apart)) {
        return NULL;
    }
    if (apart != NULL && PyDict_GET_SIZE(apart) == 0) {
        apart = NULL;
    }
    if (extras_keep((PyObject *)self, said, apart, &number) < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "what is apart is text to text");
        }
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(number);
}

/* --- the type ------------------------------------------------------------------------------------------ */

static PyObject *
extras_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *scrub = Py_None, *notes = Py_None;
    if (!PyArg_ParseTuple(args, "|OO:Extras", &scrub, &notes)) {
        return NULL;
    }
    if (notes != Py_None && !PyObject_TypeCheck(notes, &NotesType)) {
        PyErr_SetString(PyExc_TypeError, "notes are the accelerator's, or `None`");
        return NULL;
    }
    Extras *self = (Extras *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->scrub = scrub == Py_None ? NULL : Py_NewRef(scrub);
        self->notes = notes == Py_None ? NULL : Py_NewRef(notes);
        self->unnoted = UNNOTED;
        if ((self->kept = PyDict_New()) == NULL) {
            Py_CLEAR(self);
        }
    }
    return (PyObject *)self;
}

static Py_ssize_t
extras_length(Extras *self)
{
    return PyDict_GET_SIZE(self->kept);
}

static int
extras_traverse(Extras *self, visitproc visit, void *arg)
{
    Py_VISIT(self->scrub);
    Py_VISIT(self->notes);
    Py_VISIT(self->kept);
    return 0;
}

static void
extras_dealloc(Extras *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->scrub);
    Py_CLEAR(self->notes);
    Py_CLEAR(self->kept);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef extras_methods[] = {
    {"keep", (PyCFunction)extras_keep_method, METH_VARARGS,
     PyDoc_STR("keep($self, said, apart={}, /)\n--\n\nKeep attributes, and return what the row says "
               "of them.")},
    {"take", (PyCFunction)extras_take, METH_O,
     PyDoc_STR("take($self, number, /)\n--\n\nTake the attributes kept under a number.")},
    {"columns", (PyCFunction)extras_columns, METH_VARARGS,
     PyDoc_STR("columns($self, sites, places, numbers, /)\n--\n\nTake the attributes of rows, as a "
               "column; and their events and links, or `None`.")},
    {NULL, NULL, 0, NULL},
};

static PySequenceMethods extras_as_sequence = {.sq_length = (lenfunc)extras_length};

PyTypeObject ExtrasType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Extras",
    .tp_doc = PyDoc_STR("Attributes of spans whose rows are in no frame yet, by number."),
    .tp_basicsize = sizeof(Extras),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = extras_new,
    .tp_dealloc = (destructor)extras_dealloc,
    .tp_traverse = (traverseproc)extras_traverse,
    .tp_methods = extras_methods,
    .tp_as_sequence = &extras_as_sequence,
};
