/* `Scrubber.labels`: attributes as text to text, by what the scrubber remembers of keys and texts.
 *
 * What it does not remember, and values of any but the plainest types, are the scrubber's to write,
 * one by one; what is odd altogether goes to the pure `labels` as a whole.
 */

#include "speedups.h"

void
pairs_free(Pairs *pairs)
{
    while (pairs->count > 0) {
        pairs->count--;
        Py_DECREF(pairs->texts[2 * pairs->count]);
        Py_DECREF(pairs->texts[2 * pairs->count + 1]);
    }
}

/* Add a pair to those there are; takes the text's reference. */
static int
pairs_add(Pairs *pairs, PyObject *key, PyObject *text)
{
    pairs->texts[2 * pairs->count] = Py_NewRef(key);
    pairs->texts[2 * pairs->count + 1] = text;
    pairs->count++;
    return 1;
}

/* Look at all pairs of a map of text to text; 0 if it is another, or too large. */
int
pairs_read(Pairs *pairs, PyObject *map)
{
    PyObject *key, *text;
    Py_ssize_t at = 0;
    if (!PyDict_CheckExact(map) || pairs->count + PyDict_GET_SIZE(map) > MOST_PAIRS) {
        return 0;
    }
    while (PyDict_Next(map, &at, &key, &text)) {
        if (!PyUnicode_CheckExact(key) || !PyUnicode_CheckExact(text)) {
            return 0;
        }
        pairs_add(pairs, key, Py_NewRef(text));
    }
    return 1;
}

PyObject *
pairs_dict(PyObject *const *texts, Py_ssize_t pairs)
{
    PyObject *map = PyDict_New();
    for (Py_ssize_t i = 0; map != NULL && i < pairs; i++) {
        if (PyDict_SetItem(map, texts[2 * i], texts[2 * i + 1]) < 0) {
            Py_CLEAR(map);
        }
    }
    return map;
}

/* --- one value: a new reference to its text, or NULL with an exception ------------------------------ */

static PyObject *
remembered(Labels *self, PyObject *text)
{
    PyObject *found = PyDict_GetItemWithError(self->texts, text);
    if (found != NULL) {
        return Py_NewRef(found);
    }
    return PyErr_Occurred() ? NULL : PyObject_GetItem(self->texts, text);
}

/* Cards have 13 digits or more, the first of them from 2 to 6; times begin with 1. */
static int
is_no_card(int64_t value)
{
    if (value < 2000000000000) {
        return 1;
    }
    while (value > 9) {
        value /= 10;
    }
    return value < 2 || value > 6;
}

int
is_plain_number(PyObject *number)
{
    if (PyFloat_CheckExact(number)) {
        double value = PyFloat_AS_DOUBLE(number);
        return !(value >= 2e12 && value < 1e16); /* others are written with an exponent */
    }
    int overflow = 0;
    int64_t value = PyLong_CheckExact(number) ? PyLong_AsLongLongAndOverflow(number, &overflow) : INT64_MIN;
    return !overflow && value != INT64_MIN && is_no_card(value);
}

static PyObject *
text_of(Labels *self, PyObject *value)
{
    if (PyUnicode_CheckExact(value) && PyUnicode_GET_LENGTH(value) <= SHORT) {
        return remembered(self, value);
    }
    if (is_plain_number(value)) {
        return PyObject_Repr(value);
    }
    if (PyBool_Check(value)) {
        return Py_NewRef(value == Py_True ? names.is_true : names.is_false);
    }
    return PyObject_CallMethodOneArg(self->scrubber, names.value, value);
}

/* --- keys --------------------------------------------------------------------------------------------- */

/* What the scrubber knows of a key, as `(key, rule)`; borrowed if it is remembered. */
static PyObject *
known_key(Labels *self, PyObject *name, PyObject **made)
{
    PyObject *known = PyDict_GetItemWithError(self->keys, name);
    if (known == NULL && !PyErr_Occurred()) {
        known = *made = PyObject_CallMethodOneArg(self->scrubber, names.met, name);
    }
    return known;
}

static int
is_plain(PyObject *rule)
{
    return rule == Py_None || rule == Py_False;
}

/* Write one pair: 1 if it is written, 0 if the pure one has to do it all, -1 with an exception. */
static int
write_pair(Labels *self, PyObject *said, PyObject *name, Pairs *pairs, PyObject *value)
{
    PyObject *made = NULL, *known = known_key(self, name, &made), *text = NULL;
    if (known == NULL) {
        return -1;
    }
    Py_XINCREF(made == NULL ? known : NULL);
    int written = 0;
    if (PyTuple_CheckExact(known) && PyTuple_GET_SIZE(known) == 2) {
        PyObject *key = PyTuple_GET_ITEM(known, 0), *rule = PyTuple_GET_ITEM(known, 1);
        /* A key that was cut might be the same as another that was. */
        if (key == name || (PyUnicode_CheckExact(key) && PyUnicode_Compare(key, name) == 0)) {
            text = is_plain(rule)           ? text_of(self, value)
                   : PyCallable_Check(rule) ? PyObject_CallFunctionObjArgs(rule, self->scrubber, value,
                                                                           said, NULL)
                                            : NULL;
            written = text == NULL ? 0 : pairs_add(pairs, key, text);
        }
    }
    Py_DECREF(known);
    return PyErr_Occurred() ? -1 : written;
}

/* Forget what failed, if it is of the sort that the pure one deals with: then 0, else -1. */
static int
leave_it(void)
{
    if (!PyErr_Occurred()) {
        return 0;
    }
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

/* Write what was said: 1, or 0 if the pure one has to do it, or -1 with an exception. */
static int
labels_pairs(Labels *self, PyObject *said, Pairs *pairs)
{
    PyObject *name, *value;
    Py_ssize_t at = 0, size = PyDict_GET_SIZE(said);
    while (pairs->count < MOST_LABELS && PyDict_Next(said, &at, &name, &value)) {
        if (value == Py_None) {
            continue;
        }
        if (!PyUnicode_CheckExact(name)) {
            return 0;
        }
        Py_INCREF(name);
        Py_INCREF(value);
        int written = write_pair(self, said, name, pairs, value);
        Py_DECREF(name);
        Py_DECREF(value);
        if (written != 1 || PyDict_GET_SIZE(said) != size) { /* another thread added to it */
            return leave_it();
        }
    }
    return 1;
}

/* Scrub what was said, by any callable; 0, or -1 with an exception. */
int
pairs_scrubbed(Pairs *pairs, PyObject *scrub, PyObject *said)
{
    PyObject *pure = scrub;
    if (Py_IS_TYPE(scrub, &LabelsType) && PyDict_CheckExact(said)) {
        int written = labels_pairs((Labels *)scrub, said, pairs);
        if (written != 0) {
            return written < 0 ? -1 : 0;
        }
        pairs_free(pairs);
        pure = ((Labels *)scrub)->pure;
    }
    PyObject *labels = PyObject_CallOneArg(pure, said);
    int read = labels == NULL ? -1 : pairs_read(pairs, labels);
    Py_XDECREF(labels);
    if (read == 0) {
        PyErr_SetString(PyExc_TypeError, "labels are text to text");
    }
    return read == 1 ? 0 : -1;
}

/* --- the type ------------------------------------------------------------------------------------- */

static PyObject *
labels_vectorcall(Labels *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    if (PyVectorcall_NARGS(nargsf) != 1 || kwnames != NULL || !PyDict_CheckExact(args[0])) {
        return PyObject_Vectorcall(self->pure, args, nargsf, kwnames);
    }
    Pairs pairs;
    pairs.count = 0;
    int written = labels_pairs(self, args[0], &pairs);
    PyObject *labels = written == 1 ? pairs_dict(pairs.texts, pairs.count) : NULL;
    pairs_free(&pairs);
    if (written == 0) {
        labels = PyObject_CallOneArg(self->pure, args[0]);
    }
    return labels;
}

static PyObject *
labels_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *scrubber, *keys, *texts, *pure;
    if (!PyArg_ParseTuple(args, "OO!O!O:Labels", &scrubber, &PyDict_Type, &keys, &PyDict_Type, &texts,
                          &pure)) {
        return NULL;
    }
    Labels *self = (Labels *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->vectorcall = (vectorcallfunc)labels_vectorcall;
        self->scrubber = Py_NewRef(scrubber);
        self->keys = Py_NewRef(keys);
        self->texts = Py_NewRef(texts);
        self->pure = Py_NewRef(pure);
    }
    return (PyObject *)self;
}

static int
labels_traverse(Labels *self, visitproc visit, void *arg)
{
    Py_VISIT(self->scrubber);
    Py_VISIT(self->keys);
    Py_VISIT(self->texts);
    Py_VISIT(self->pure);
    return 0;
}

static void
labels_dealloc(Labels *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->scrubber);
    Py_CLEAR(self->keys);
    Py_CLEAR(self->texts);
    Py_CLEAR(self->pure);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject LabelsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Labels",
    .tp_doc = PyDoc_STR("Called with attributes, writes them as text to text, without secrets."),
    .tp_basicsize = sizeof(Labels),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = labels_new,
    .tp_dealloc = (destructor)labels_dealloc,
    .tp_traverse = (traverseproc)labels_traverse,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Labels, vectorcall),
};
