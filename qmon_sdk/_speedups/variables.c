/* The variables of a frame, in the order and as texts that `local_variables` gives them. */

#include "speedups.h"

enum { MOST_SEEN = 200, MOST_SHOWN = 20, OF_UNKNOWN_SIZE = 200 };

typedef struct {
    PyObject *name, *value; /* borrowed from the frame's items */
    Py_ssize_t weight;
} Variable;

typedef struct {
    Variable shown[MOST_SHOWN]; /* the lightest, in order */
    Py_ssize_t count;
} Lightest;

static Py_ssize_t
weight_of(PyObject *value)
{
    if (value == Py_None || PyBool_Check(value) || PyLong_CheckExact(value) ||
        PyFloat_CheckExact(value) || PyComplex_CheckExact(value)) {
        return 0;
    }
    if (PyUnicode_CheckExact(value)) {
        return PyUnicode_GET_LENGTH(value);
    }
    int is_sized = PyBytes_CheckExact(value) || PyList_CheckExact(value) || PyTuple_CheckExact(value) ||
                   PyDict_CheckExact(value) || PyAnySet_CheckExact(value);
    return is_sized ? PyObject_Size(value) : OF_UNKNOWN_SIZE;
}

/* Put a variable behind those that weigh as much, if it is among the lightest. */
static void
weigh(Lightest *lightest, Variable added)
{
    Py_ssize_t at = lightest->count;
    if (at == MOST_SHOWN && lightest->shown[at - 1].weight <= added.weight) {
        return;
    }
    if (at == MOST_SHOWN) {
        at--;
    } else {
        lightest->count++;
    }
    for (; at > 0 && lightest->shown[at - 1].weight > added.weight; at--) {
        lightest->shown[at] = lightest->shown[at - 1];
    }
    lightest->shown[at] = added;
}

/* Modules, functions and classes tell nothing of what was going on. */
static int
is_noise(PyObject *value)
{
    return PyModule_CheckExact(value) || PyFunction_Check(value) || PyCFunction_CheckExact(value) ||
           Py_IS_TYPE(value, &PyType_Type);
}

static int
is_internal(PyObject *name)
{
    return PyUnicode_GET_LENGTH(name) > 1 && PyUnicode_READ_CHAR(name, 0) == '_' &&
           PyUnicode_READ_CHAR(name, 1) == '_';
}

/* Choose of the items of a frame; -1 if there is one among them that no compiler makes. */
static int
choose(Lightest *lightest, PyObject *items)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items) && i < MOST_SEEN; i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        if (!PyTuple_CheckExact(item) || PyTuple_GET_SIZE(item) != 2 ||
            !PyUnicode_CheckExact(PyTuple_GET_ITEM(item, 0))) {
            return -1;
        }
        Variable one = {PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1), 0};
        if (!is_noise(one.value) && !is_internal(one.name)) {
            one.weight = weight_of(one.value);
            weigh(lightest, one);
        }
    }
    return 0;
}

/* Write what is plain, and list the rest. */
static int
write_variable(const Variable *one, const Plain *like, PyObject *texts, PyObject *rest)
{
    PyObject *text = Py_NewRef(Py_None);
    if (plain_may_be_shown(like, one->name)) {
        Py_SETREF(text, plain_text(*like, one->value));
    }
    int failed = text == NULL ? -1 : PyDict_SetItem(texts, one->name, text);
    if (!failed && text == Py_None) {
        PyObject *pair = PyTuple_Pack(2, one->name, one->value);
        failed = pair == NULL ? -1 : PyList_Append(rest, pair);
        Py_XDECREF(pair);
    }
    Py_XDECREF(text);
    return failed;
}

/* Write a frame's variables: `(texts, rest)`, where those of the rest have `None` for a text. */
PyObject *
write_variables(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *items;
    Plain like;
    Lightest lightest = {.count = 0};
    if (!PyArg_ParseTuple(args, "O!nO!O:variables", &PyList_Type, &items, &like.room, &PyDict_Type,
                          &like.keys, &like.hidden)) {
        return NULL;
    }
    if (choose(&lightest, items) < 0) {
        Py_RETURN_NONE;
    }
    PyObject *texts = PyDict_New(), *rest = PyList_New(0);
    int failed = texts == NULL || rest == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; !failed && i < lightest.count; i++) {
        failed = write_variable(&lightest.shown[i], &like, texts, rest);
    }
    PyObject *both = failed ? NULL : PyTuple_Pack(2, texts, rest);
    Py_XDECREF(texts);
    Py_XDECREF(rest);
    return both;
}
