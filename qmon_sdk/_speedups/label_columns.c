/* The column of maps of text to text, as `protocol/columns.py` writes it. */

#include "speedups.h"

int
is_labels(PyObject *value)
{
    PyObject *key, *text;
    Py_ssize_t at = 0;
    if (!PyDict_CheckExact(value)) {
        return 0;
    }
    while (PyDict_Next(value, &at, &key, &text)) {
        if (!is_text(key) || !is_text(text)) {
            return 0;
        }
    }
    return 1;
}

/* 1 if all are alike, 0 if not, -1 with an exception. */
int
maps_alike(PyObject *values)
{
    PyObject *first = PyTuple_GET_ITEM(values, 0);
    int alike = 1;
    for (Py_ssize_t i = 1; alike == 1 && i < PyTuple_GET_SIZE(values); i++) {
        alike = PyObject_RichCompareBool(PyTuple_GET_ITEM(values, i), first, Py_EQ);
    }
    return alike;
}

enum { SHAPED = 16 };

/* The keys of the map before, since most have those of the one before, in its order. */
typedef struct {
    PyObject *keys[SHAPED]; /* borrowed of maps that live as long as this */
    uint32_t places[SHAPED];
} Shape;

static int
add_key(Places *keys, Shape *shape, uint32_t at, PyObject *key)
{
    if (at < SHAPED && shape->keys[at] == key) {
        return out_u32(&keys->out, shape->places[at]);
    }
    if (places_add(keys, key) < 0) {
        return -1;
    }
    if (at < SHAPED) {
        shape->keys[at] = key;
        shape->places[at] = keys->last_place;
    }
    return 0;
}

/* Write one map: its keys as places, its texts as they are, and how many pairs it has. */
static int
flatten(PyObject *map, Maps *maps, Shape *shape)
{
    PyObject *key, *text;
    Py_ssize_t at = 0;
    uint32_t pairs = 0;
    while (PyDict_Next(map, &at, &key, &text)) {
        if (add_key(&maps->keys, shape, pairs, key) < 0 || PyList_Append(maps->texts, text) < 0) {
            return -1;
        }
        pairs++;
    }
    return out_u32(&maps->lengths, pairs);
}

int
maps_begin(Maps *maps)
{
    maps->lengths = (Out){0};
    maps->texts = PyList_New(0);
    return places_begin(&maps->keys) == 0 && maps->texts != NULL ? 0 : -1;
}

PyObject *
maps_end(Maps *maps, int is_well)
{
    PyObject *column = NULL;
    if (is_well) {
        column = Py_BuildValue("[sNNOO]", "k", out_object(&maps->lengths),
                               out_object(&maps->keys.out), maps->keys.distinct, maps->texts);
    }
    Py_XDECREF(maps->texts);
    out_free(&maps->lengths);
    places_free(&maps->keys);
    return column;
}

static PyObject *
different_labels(PyObject *values)
{
    Maps maps;
    Shape shape = {0};
    int ok = maps_begin(&maps) == 0;
    for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(values); i++) {
        ok = flatten(PyTuple_GET_ITEM(values, i), &maps, &shape) == 0;
    }
    return maps_end(&maps, ok);
}

PyObject *
columns_labels(PyObject *Py_UNUSED(module), PyObject *values)
{
    if (!PyTuple_CheckExact(values) || !every(values, is_labels)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    if (PyTuple_GET_SIZE(values) == 0) {
        return PyDict_New();
    }
    int alike = maps_alike(values);
    if (alike < 0) {
        return NULL;
    }
    return alike ? Py_NewRef(PyTuple_GET_ITEM(values, 0)) : different_labels(values);
}
