/* Attributes of spans whose rows are in no frame yet: written to the notes, and kept for the flush.
 *
 * Kept is not a dictionary but the bytes that were noted: most columns are made of them as they are.
 */

#include "speedups.h"

#define UNNOTED (1ULL << 62) /* numbers for attributes that are in no note */

/* --- keeping ---------------------------------------------------------------------------------------- */

/* Let the library write what is no Unicode. */
static int
pack_oddly(Out *out, const Pairs *pairs, Py_ssize_t count)
{
    PyObject *map = pairs_dict(pairs->texts, count);
    out->size = 0;
    int failed = map == NULL ? -1 : out_packed(out, map);
    Py_XDECREF(map);
    return failed;
}

static int
pack(Out *out, const Pairs *pairs, Py_ssize_t count)
{
    out->size = 0;
    int written = pack_pairs(out, pairs->texts, count);
    return written == 0 ? pack_oddly(out, pairs, count) : written < 0 ? -1 : 0;
}

/* Take packed pairs for the flush, and note them where a kill does not reach them. */
static int
keep_packed(Extras *self, const Out *packed, PyObject *entry, uint64_t *number)
{
    if (entry == NULL) {
        return -1;
    }
    if (self->notes != NULL) {
        *number = notes_write(self->notes, NOTE_EXTRA, packed->bytes, packed->size);
    }
    if (*number == 0) {
        *number = self->unnoted++;
    }
    return entries_put(&self->kept, *number, entry);
}

/* What is no attribute has a place of its own. */
static PyObject *
entry_apart(const Pairs *pairs, PyObject *apart, Out *out)
{
    if (pack(out, pairs, pairs->count - PyDict_GET_SIZE(apart)) < 0) {
        return NULL;
    }
    PyObject *events = PyDict_GetItem(apart, names.events), *links = PyDict_GetItem(apart, names.links);
    return Py_BuildValue("[NOO]", out_object(out), events == NULL ? names.nothing : events,
                         links == NULL ? names.nothing : links);
}

static int
keep_pairs(Extras *self, Pairs *pairs, PyObject *apart, uint64_t *number)
{
    Out out = {0};
    PyObject *entry = NULL;
    if ((apart == NULL || pairs_read(pairs, apart) == 1) && pack(&out, pairs, pairs->count) == 0) {
        Out less = {0};
        entry = apart == NULL ? out_object(&out) : entry_apart(pairs, apart, &less);
        out_free(&less);
    }
    int failed = keep_packed(self, &out, entry, number);
    Py_XDECREF(entry);
    out_free(&out);
    return failed;
}

static int
keep_slowly(Extras *self, const Given *said, PyObject *apart, uint64_t *number)
{
    Pairs pairs;
    pairs.count = 0;
    PyObject *map = said_dict(said);
    int failed = map == NULL ? -1 : pairs_scrubbed(&pairs, self->scrub, map);
    Py_XDECREF(map);
    if (!failed && (pairs.count > 0 || apart != NULL)) {
        failed = keep_pairs(self, &pairs, apart, number);
    }
    pairs_free(&pairs);
    return failed;
}

static Out scratch; /* lent to one at a time, so that most need no memory of their own */

/* Keep what was said of a span, and say by which number; 0 if nothing is left of it. */
int
extras_keep(PyObject *any, const Given *said, PyObject *apart, uint64_t *number)
{
    Extras *self = (Extras *)any;
    *number = 0;
    if (self->scrub == NULL) {
        return 0;
    }
    Out out = scratch;
    scratch = (Out){0};
    out.size = 0;
    int failed, pairs = apart == NULL ? labels_packed(self->scrub, said, &out) : -1;
    if (pairs < 0) {
        failed = keep_slowly(self, said, apart, number);
    } else {
        PyObject *entry = pairs ? out_object(&out) : NULL;
        failed = pairs ? keep_packed(self, &out, entry, number) : 0;
        Py_XDECREF(entry);
    }
    out_free(&scratch);
    scratch = out;
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
    const Given map = {.map = said};
    if (extras_keep((PyObject *)self, &map, apart, &number) < 0) {
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
    }
    return (PyObject *)self;
}

static Py_ssize_t
extras_length(Extras *self)
{
    return (Py_ssize_t)self->kept.count;
}

static int
extras_traverse(Extras *self, visitproc visit, void *arg)
{
    Py_VISIT(self->scrub);
    Py_VISIT(self->notes);
    for (size_t i = 0; self->kept.seats != NULL && i <= self->kept.mask; i++) {
        Py_VISIT(self->kept.seats[i].value);
    }
    return 0;
}

static void
extras_dealloc(Extras *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->scrub);
    Py_CLEAR(self->notes);
    entries_free(&self->kept);
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
