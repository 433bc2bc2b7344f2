/* Attributes packed at once: the plainest, whose keys and texts the scrubber remembers. */

#include "speedups.h"

static int
is_plain(PyObject *rule)
{
    return rule == Py_None || rule == Py_False;
}

/* Write digits. */
static int
pack_number(Out *out, int64_t value)
{
    char digits[24];
    int at = (int)sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) {
        digits[--at] = '-';
    }
    return pack_ascii(out, digits + at, sizeof(digits) - (size_t)at);
}

enum { FIGURES = 64, LONGEST_FIGURE = 31 };

/* Figures come again and again, and cost ten times what remembering them does. */
static struct {
    uint64_t bits;
    uint8_t size; /* 0: nobody sits here */
    char text[LONGEST_FIGURE];
} figures[FIGURES];

static int
pack_figure(Out *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    size_t seat = (size_t)(bits * 0x9E3779B97F4A7C15u >> 58);
    if (figures[seat].size == 0 || figures[seat].bits != bits) {
        char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
        size_t size = text == NULL ? 0 : strlen(text);
        if (size == 0 || size > LONGEST_FIGURE) {
            PyMem_Free(text);
            PyErr_Clear();
            return 0;
        }
        figures[seat].bits = bits;
        figures[seat].size = (uint8_t)size;
        memcpy(figures[seat].text, text, size);
        PyMem_Free(text);
    }
    return pack_ascii(out, figures[seat].text, figures[seat].size);
}

static int
pack_plain(Labels *self, Out *out, PyObject *value)
{
    if (PyUnicode_CheckExact(value)) {
        PyObject *text = PyUnicode_GET_LENGTH(value) <= SHORT
                             ? PyDict_GetItemWithError(self->texts, value) : NULL;
        return text == NULL || !PyUnicode_CheckExact(text) ? 0 : pack_text(out, text);
    }
    if (PyBool_Check(value)) {
        return pack_text(out, value == Py_True ? names.is_true : names.is_false);
    }
    if (!is_plain_number(value)) {
        return 0;
    }
    return PyFloat_CheckExact(value) ? pack_figure(out, PyFloat_AS_DOUBLE(value))
                                     : pack_number(out, PyLong_AsLongLong(value));
}

/* Pack a pair: 1 if it is packed, 0 if it is not of the plainest. */
static int
pack_pair(Labels *self, Out *out, PyObject *name, PyObject *value)
{
    if (!PyUnicode_CheckExact(name)) {
        return 0;
    }
    PyObject *known = PyDict_GetItemWithError(self->keys, name);
    if (known == NULL || !PyTuple_CheckExact(known) || PyTuple_GET_SIZE(known) != 2 ||
        !is_plain(PyTuple_GET_ITEM(known, 1))) {
        return 0;
    }
    PyObject *key = PyTuple_GET_ITEM(known, 0);
    if (key != name && (!PyUnicode_CheckExact(key) || PyUnicode_Compare(key, name) != 0)) {
        return 0;
    }
    int packed = pack_text(out, name);
    return packed == 1 ? pack_plain(self, out, value) : packed;
}

static int
pack_given(Labels *self, const Given *said, Out *out)
{
    Py_ssize_t count = PyTuple_GET_SIZE(said->names);
    int packed = 1, pairs = 0;
    for (Py_ssize_t i = 0; packed == 1 && i < count; i++) {
        if (said->values[i] != Py_None) {
            packed = pack_pair(self, out, PyTuple_GET_ITEM(said->names, i), said->values[i]);
            pairs++;
        }
    }
    return packed == 1 ? pairs : -1;
}

static int
pack_map(Labels *self, PyObject *map, Out *out)
{
    PyObject *name, *value;
    Py_ssize_t at = 0, size = PyDict_GET_SIZE(map);
    int packed = 1, pairs = 0;
    while (packed == 1 && PyDict_Next(map, &at, &name, &value)) {
        if (value == Py_None) {
            continue;
        }
        Py_INCREF(name);
        Py_INCREF(value);
        packed = pack_pair(self, out, name, value);
        Py_DECREF(name);
        Py_DECREF(value);
        pairs++;
        if (PyDict_GET_SIZE(map) != size) { /* another thread added to it */
            return -1;
        }
    }
    return packed == 1 ? pairs : -1;
}

enum { FEW = 15 };

/* Pack what was said as a map, if all of it is of the plainest: how many pairs; -1 if it is not. */
int
labels_packed(PyObject *scrub, const Given *said, Out *out)
{
    Py_ssize_t most = said->map != NULL ? (PyDict_CheckExact(said->map) ? PyDict_GET_SIZE(said->map) : FEW + 1)
                                        : PyTuple_GET_SIZE(said->names);
    if (!Py_IS_TYPE(scrub, &LabelsType) || most > FEW || out_byte(out, 0) < 0) {
        PyErr_Clear();
        return -1;
    }
    Labels *self = (Labels *)scrub;
    int pairs = said->map != NULL ? pack_map(self, said->map, out) : pack_given(self, said, out);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    out->bytes[0] = (char)(0x80 | pairs);
    return pairs;
}

/* What was said as a map, for whoever wants one. */
PyObject *
said_dict(const Given *said)
{
    if (said->map != NULL) {
        return Py_NewRef(said->map);
    }
    PyObject *map = PyDict_New();
    for (Py_ssize_t i = 0; map != NULL && i < PyTuple_GET_SIZE(said->names); i++) {
        if (PyDict_SetItem(map, PyTuple_GET_ITEM(said->names, i), said->values[i]) < 0) {
            Py_CLEAR(map);
        }
    }
    return map;
}
