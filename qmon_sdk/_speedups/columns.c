/* The column writers of `protocol/columns.py`, for columns of plain texts, numbers and dictionaries.
 *
 * Each answers what the pure one would, or `NotImplemented` where a value is of another type: then
 * the pure one writes the column. So none of the application's code ever runs in here.
 */

#include "speedups.h"

/* Does it hold for every value of a column? */
int
every(PyObject *values, int (*holds)(PyObject *))
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++) {
        if (!holds(PyTuple_GET_ITEM(values, i))) {
            return 0;
        }
    }
    return 1;
}

int
is_text(PyObject *value)
{
    return PyUnicode_CheckExact(value);
}

int
same_text(PyObject *one, PyObject *other)
{
    return one == other || PyUnicode_Compare(one, other) == 0;
}

/* --- places in a dictionary -------------------------------------------------------------------- */

int
places_begin(Places *places)
{
    *places = (Places){.known = PyDict_New(), .distinct = PyList_New(0)};
    return places->known == NULL || places->distinct == NULL ? -1 : 0;
}

void
places_free(Places *places)
{
    Py_CLEAR(places->known);
    Py_CLEAR(places->distinct);
    out_free(&places->out);
}

static Py_ssize_t
place_new(Places *places, PyObject *text)
{
    Py_ssize_t place = PyList_GET_SIZE(places->distinct);
    PyObject *number = PyLong_FromSsize_t(place);
    if (number == NULL || PyDict_SetItem(places->known, text, number) < 0 ||
        PyList_Append(places->distinct, text) < 0) {
        place = -1;
    }
    Py_XDECREF(number);
    return place;
}

/* Write the place of a text in the list of those that are different. */
int
places_add(Places *places, PyObject *text)
{
    if (text != places->last) { /* the text before, very often: names of spans come in runs */
        PyObject *number = PyDict_GetItemWithError(places->known, text);
        if (number == NULL && PyErr_Occurred()) {
            return -1;
        }
        Py_ssize_t found = number == NULL ? place_new(places, text) : PyLong_AsSsize_t(number);
        if (found < 0) {
            return -1;
        }
        places->last = text;
        places->last_place = (uint32_t)found;
    }
    return out_u32(&places->out, places->last_place);
}

/* --- texts ------------------------------------------------------------------------------------- */

static int
texts_alike(PyObject *values)
{
    PyObject *first = PyTuple_GET_ITEM(values, 0);
    for (Py_ssize_t i = PyTuple_GET_SIZE(values) - 1; i > 0; i--) {
        if (!same_text(PyTuple_GET_ITEM(values, i), first)) {
            return 0;
        }
    }
    return 1;
}

static PyObject *
different_words(PyObject *values)
{
    Places places;
    PyObject *column = NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(values), i = 0;
    int ok = places_begin(&places) == 0;
    for (; ok && i < count && 2 * PyList_GET_SIZE(places.distinct) <= count; i++) {
        ok = places_add(&places, PyTuple_GET_ITEM(values, i)) == 0;
    }
    if (ok && 2 * PyList_GET_SIZE(places.distinct) > count) {
        column = Py_BuildValue("[sN]", "t", PySequence_List(values));
    } else if (ok) {
        column = Py_BuildValue("[sNO]", "d", out_object(&places.out), places.distinct);
    }
    places_free(&places);
    return column;
}

PyObject *
columns_words(PyObject *Py_UNUSED(module), PyObject *values)
{
    if (!PyTuple_CheckExact(values) || !every(values, is_text)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    if (PyTuple_GET_SIZE(values) == 0) {
        return PyUnicode_FromString("");
    }
    return texts_alike(values) ? Py_NewRef(PyTuple_GET_ITEM(values, 0)) : different_words(values);
}

/* --- numbers ----------------------------------------------------------------------------------- */

static int
is_whole(PyObject *value)
{
    int overflow = 0;
    if (!PyLong_CheckExact(value)) {
        return 0;
    }
    PyLong_AsLongLongAndOverflow(value, &overflow);
    return !overflow;
}

static int
is_real(PyObject *value)
{
    return PyFloat_CheckExact(value);
}

static int
is_flag(PyObject *value)
{
    return PyBool_Check(value);
}

/* As `count` has it, which looks whether it is the same object first: one NaN is like itself. */
static int
reals_alike(PyObject *values)
{
    PyObject *first = PyTuple_GET_ITEM(values, 0);
    for (Py_ssize_t i = 1; i < PyTuple_GET_SIZE(values); i++) {
        PyObject *value = PyTuple_GET_ITEM(values, i);
        if (value != first && PyFloat_AS_DOUBLE(value) != PyFloat_AS_DOUBLE(first)) {
            return 0;
        }
    }
    return 1;
}

static int
wholes_alike(PyObject *values)
{
    long long first = PyLong_AsLongLong(PyTuple_GET_ITEM(values, 0));
    for (Py_ssize_t i = 1; i < PyTuple_GET_SIZE(values); i++) {
        if (PyLong_AsLongLong(PyTuple_GET_ITEM(values, i)) != first) {
            return 0;
        }
    }
    return 1;
}

static int
write_real(Out *out, PyObject *value)
{
    return out_f64(out, PyFloat_AS_DOUBLE(value));
}

static int
write_whole(Out *out, PyObject *value)
{
    return out_u64(out, (uint64_t)PyLong_AsLongLong(value));
}

static int
write_flag(Out *out, PyObject *value)
{
    return out_byte(out, value == Py_True);
}

static PyObject *
packed_with(PyObject *values, int (*write)(Out *, PyObject *))
{
    Out out = {0};
    PyObject *column = NULL;
    Py_ssize_t i = 0, count = PyTuple_GET_SIZE(values);
    while (i < count && write(&out, PyTuple_GET_ITEM(values, i)) == 0) {
        i++;
    }
    if (i == count) {
        column = out_object(&out);
    }
    out_free(&out);
    return column;
}

/* A column of numbers, of the one sort that is asked for by its writer. */
static PyObject *
numbers_of(PyObject *values, int (*fits)(PyObject *), int (*alike)(PyObject *),
           int (*write)(Out *, PyObject *))
{
    if (!PyTuple_CheckExact(values) || PyTuple_GET_SIZE(values) == 0 || !every(values, fits)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    return alike(values) ? Py_NewRef(PyTuple_GET_ITEM(values, 0)) : packed_with(values, write);
}

PyObject *
columns_wholes(PyObject *Py_UNUSED(module), PyObject *values)
{
    return numbers_of(values, is_whole, wholes_alike, write_whole);
}

PyObject *
columns_reals(PyObject *Py_UNUSED(module), PyObject *values)
{
    return numbers_of(values, is_real, reals_alike, write_real);
}

static int
flags_alike(PyObject *values)
{
    return wholes_alike(values); /* a flag is a whole number too */
}

PyObject *
columns_flags(PyObject *Py_UNUSED(module), PyObject *values)
{
    return numbers_of(values, is_flag, flags_alike, write_flag);
}

/* --- distributions ----------------------------------------------------------------------------- */

static int
is_buckets(PyObject *value)
{
    PyObject *index, *count;
    Py_ssize_t at = 0;
    if (!PyDict_CheckExact(value)) {
        return 0;
    }
    while (PyDict_Next(value, &at, &index, &count)) {
        int fits = is_whole(index) && is_whole(count);
        long long number = fits ? PyLong_AsLongLong(index) : 0;
        if (!fits || number < INT32_MIN || number > INT32_MAX) {
            return 0;
        }
    }
    return 1;
}

static int
flatten_buckets(PyObject *map, Out *lengths, Out *indexes, Out *counts)
{
    PyObject *index, *count;
    Py_ssize_t at = 0;
    uint32_t pairs = 0;
    while (PyDict_Next(map, &at, &index, &count)) {
        if (out_u32(indexes, (uint32_t)PyLong_AsLongLong(index)) < 0 || write_whole(counts, count) < 0) {
            return -1;
        }
        pairs++;
    }
    return out_u32(lengths, pairs);
}

static PyObject *
different_buckets(PyObject *values)
{
    Out lengths = {0}, indexes = {0}, counts = {0};
    PyObject *column = NULL;
    int ok = 1;
    for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(values); i++) {
        ok = flatten_buckets(PyTuple_GET_ITEM(values, i), &lengths, &indexes, &counts) == 0;
    }
    if (ok) {
        column = Py_BuildValue("[sNNN]", "b", out_object(&lengths), out_object(&indexes),
                               out_object(&counts));
    }
    out_free(&lengths);
    out_free(&indexes);
    out_free(&counts);
    return column;
}

PyObject *
columns_buckets(PyObject *Py_UNUSED(module), PyObject *values)
{
    if (!PyTuple_CheckExact(values) || PyTuple_GET_SIZE(values) == 0 || !every(values, is_buckets)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    int alike = maps_alike(values);
    if (alike < 0) {
        return NULL;
    }
    return alike ? Py_NewRef(PyTuple_GET_ITEM(values, 0)) : different_buckets(values);
}
