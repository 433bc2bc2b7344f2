/* Attributes of spans: what is plain and known to be harmless is written down in C.
 *
 * Whether a key or a text hides a secret is for `scrub.py` to say. It remembers its answers, and they
 * are looked up here; what it was not asked before, or what is no plain value, goes back to it.
 */

#include "speedups.h"

enum { MOST_LABELS = 256, EXTRA = 2, LONGEST_KEPT = 1024 };

/* --- labels ------------------------------------------------------------------------------------- */

/* A value as its label: NULL where it is not for us to say, with or without an exception. */
static PyObject *
label_of(PyObject *value, PyObject *texts)
{
    int overflow = 0;
    if (PyUnicode_CheckExact(value)) {
        return Py_XNewRef(PyDict_GetItemWithError(texts, value));
    }
    if (PyFloat_CheckExact(value)) {
        return PyObject_Repr(value);
    }
    if (PyLong_CheckExact(value)) {
        PyLong_AsLongLongAndOverflow(value, &overflow);
        return overflow ? NULL : PyObject_Repr(value);
    }
    return NULL;
}

/* The key it is kept under, borrowed; NULL where it is not known, or comes with a rule. */
static PyObject *
key_of(PyObject *name, PyObject *keys)
{
    PyObject *known = PyUnicode_CheckExact(name) ? PyDict_GetItemWithError(keys, name) : NULL;
    if (known == NULL || !PyTuple_CheckExact(known) || PyTuple_GET_SIZE(known) != 2 ||
        PyTuple_GET_ITEM(known, 1) != Py_None) {
        return NULL;
    }
    PyObject *key = PyTuple_GET_ITEM(known, 0);
    int is_apart = PyUnicode_GET_LENGTH(name) > 0 && PyUnicode_READ_CHAR(name, 0) == 0;
    return is_apart || !PyUnicode_CheckExact(key) ? NULL : key;
}

static PyObject *
labels_of(PyObject *said, PyObject *keys, PyObject *texts)
{
    PyObject *name, *value, *labels = PyDict_New();
    Py_ssize_t at = 0;
    while (labels != NULL && PyDict_Next(said, &at, &name, &value)) {
        if (value == Py_None) {
            continue;
        }
        PyObject *key = key_of(name, keys);
        PyObject *label = key == NULL ? NULL : label_of(value, texts);
        if (label == NULL || PyDict_SetItem(labels, key, label) < 0) {
            Py_CLEAR(labels);
        }
        Py_XDECREF(label);
    }
    return labels;
}

/* --- msgpack ------------------------------------------------------------------------------------ */

/* Big-endian, as all of msgpack is. */
static int
out_head(Out *out, uint8_t code, uint32_t value, int bytes)
{
    int done = out_byte(out, code);
    for (int i = bytes - 1; done == 0 && i >= 0; i--) {
        done = out_byte(out, (uint8_t)(value >> (8 * i)));
    }
    return done;
}

static int
pack_text(Out *out, PyObject *text)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL || size > UINT16_MAX) {
        return -1;
    }
    int done = size < 32    ? out_byte(out, (uint8_t)(0xa0 | size))
               : size < 256 ? out_head(out, 0xd9, (uint32_t)size, 1)
                            : out_head(out, 0xda, (uint32_t)size, 2);
    return done < 0 ? -1 : out_bytes(out, bytes, (size_t)size);
}

static int
pack_labels(Out *out, PyObject *labels)
{
    PyObject *key, *text;
    Py_ssize_t at = 0, size = PyDict_GET_SIZE(labels);
    int done = size < 16 ? out_byte(out, (uint8_t)(0x80 | size))
                         : out_head(out, 0xde, (uint32_t)size, 2);
    while (done == 0 && PyDict_Next(labels, &at, &key, &text)) {
        done = pack_text(out, key) < 0 || pack_text(out, text) < 0 ? -1 : 0;
    }
    return done;
}

/* --- keeping ------------------------------------------------------------------------------------ */

/* Note labels in the ring, and remember them under the note's position: 0 if it found no place. */
static PyObject *
keep_labels(PyObject *labels, PyObject *notes, PyObject *attributes)
{
    Out out = {0};
    PyObject *number = NULL;
    uint64_t position = pack_labels(&out, labels) < 0 ? 0 : note(notes, EXTRA, &out);
    out_free(&out);
    if (!PyErr_Occurred()) {
        number = PyLong_FromUnsignedLongLong(position);
    }
    if (number != NULL && position && PyDict_SetItem(attributes, number, labels) < 0) {
        Py_CLEAR(number);
    }
    return number;
}

/* Keep a span's attributes until its row is sent: what the row says of them, 0 if we cannot. */
PyObject *
attributes_keep(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 5 || !PyDict_Check(args[1]) || !PyDict_Check(args[2]) || !PyDict_Check(args[4])) {
        PyErr_SetString(PyExc_TypeError, "keep() takes said, keys, texts, notes, attributes");
        return NULL;
    }
    PyObject *labels = NULL, *number = NULL;
    if (PyDict_CheckExact(args[0]) && PyDict_GET_SIZE(args[0]) <= MOST_LABELS) {
        labels = labels_of(args[0], args[1], args[2]);
    }
    if (labels != NULL) {
        number = keep_labels(labels, args[3], args[4]);
        Py_DECREF(labels);
    }
    if (number == NULL) { /* Python says what there is to say about it */
        PyErr_Clear();
        number = PyLong_FromLong(0);
    }
    return number;
}

/* Are these values that nobody can change meanwhile, and that are kept as they are? */
int
is_readable(PyObject *kept)
{
    PyObject *name, *value;
    Py_ssize_t at = 0;
    if (!PyDict_CheckExact(kept)) {
        return 0;
    }
    while (PyDict_Next(kept, &at, &name, &value)) {
        int is_text = PyUnicode_CheckExact(value) && PyUnicode_GET_LENGTH(value) <= LONGEST_KEPT;
        int is_number = PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyBool_Check(value);
        if (!PyUnicode_CheckExact(name) || !(is_text || is_number)) {
            return 0;
        }
    }
    return 1;
}

/* --- sending ------------------------------------------------------------------------------------ */

static int
take_apart(PyObject *kept, PyObject *key, PyObject *column, Py_ssize_t row)
{
    PyObject *found = PyDict_GET_SIZE(kept) ? PyDict_GetItemWithError(kept, key) : NULL;
    PyTuple_SET_ITEM(column, row, Py_NewRef(found == NULL ? names.nothing : found));
    if (found == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    return PyDict_DelItem(kept, key);
}

static PyObject *
with_site(PyObject *site, PyObject *kept)
{
    if (PyDict_GET_SIZE(kept) == 0) {
        return Py_NewRef(site);
    }
    PyObject *both = PyDict_Copy(site);
    if (both != NULL && PyDict_Update(both, kept) < 0) {
        Py_CLEAR(both);
    }
    return both;
}

static int
merge_row(PyObject *kept, PyObject *site, PyObject *columns[3], Py_ssize_t row)
{
    if (!PyDict_Check(kept) || !PyDict_Check(site)) {
        PyErr_SetString(PyExc_TypeError, "attributes are dictionaries");
        return -1;
    }
    if (take_apart(kept, names.events, columns[1], row) < 0 ||
        take_apart(kept, names.links, columns[2], row) < 0) {
        return -1;
    }
    PyObject *both = with_site(site, kept);
    if (both == NULL) {
        return -1;
    }
    PyTuple_SET_ITEM(columns[0], row, both);
    return 0;
}

/* Join what was kept of each span with what its site says: attributes, events, links. */
PyObject *
attributes_merge(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[1]) ||
        PyList_GET_SIZE(args[0]) != PyList_GET_SIZE(args[1])) {
        PyErr_SetString(PyExc_TypeError, "merge() takes two lists of the same length");
        return NULL;
    }
    Py_ssize_t rows = PyList_GET_SIZE(args[0]), row = 0;
    PyObject *columns[3] = {PyTuple_New(rows), PyTuple_New(rows), PyTuple_New(rows)}, *answer = NULL;
    int ok = columns[0] != NULL && columns[1] != NULL && columns[2] != NULL;
    for (; ok && row < rows; row++) {
        ok = merge_row(PyList_GET_ITEM(args[0], row), PyList_GET_ITEM(args[1], row), columns, row) == 0;
    }
    if (ok) {
        answer = PyTuple_Pack(3, columns[0], columns[1], columns[2]);
    }
    for (int i = 0; i < 3; i++) {
        Py_XDECREF(columns[i]);
    }
    return answer;
}
