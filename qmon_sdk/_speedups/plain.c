/* Plain values written as `rendering.Renderer` writes them: texts, numbers, and small containers.
 *
 * What is checked here is of built-in types to the last leaf, so that `repr` runs nobody's code, and
 * so small that nothing is left out. All else is answered with `None`: Python writes it.
 */

#include "speedups.h"

enum { MOST_ITEMS = 12, MOST_DEPTH = 3, PAIR = 2 };

static int is_plain(Plain *plain, PyObject *value, int depth);

static int
has_room(Plain *plain, Py_ssize_t size)
{
    plain->room -= size;
    return plain->room >= 0;
}

/* Say whether a value has no parts, and is short. */
static int
is_leaf(Plain *plain, PyObject *value)
{
    if (PyUnicode_CheckExact(value)) {
        return has_room(plain, PyUnicode_GET_LENGTH(value) + 2);
    }
    if (PyLong_CheckExact(value)) {
        int overflow = 0;
        PyLong_AsLongLongAndOverflow(value, &overflow);
        return !overflow && has_room(plain, 1);
    }
    if (PyBytes_CheckExact(value)) {
        return has_room(plain, PyBytes_GET_SIZE(value) + 3);
    }
    return (value == Py_None || PyBool_Check(value) || PyFloat_CheckExact(value)) && has_room(plain, 1);
}

/* Say whether what stands under a key may be shown: only of what the scrubber has met it is known. */
int
plain_may_be_shown(const Plain *plain, PyObject *key)
{
    if (!PyUnicode_CheckExact(key)) {
        return 1;
    }
    PyObject *known = PyDict_GetItemWithError(plain->keys, key);
    if (known == NULL || !PyTuple_CheckExact(known) || PyTuple_GET_SIZE(known) != 2) {
        PyErr_Clear();
        return 0;
    }
    return PyTuple_GET_ITEM(known, 1) != plain->hidden;
}

static int
is_plain_dict(Plain *plain, PyObject *map, int depth)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (PyDict_GET_SIZE(map) > MOST_ITEMS) {
        return 0;
    }
    while (PyDict_Next(map, &at, &key, &value)) {
        if (!is_leaf(plain, key) || !plain_may_be_shown(plain, key) || !is_plain(plain, value, depth)) {
            return 0;
        }
    }
    return 1;
}

/* Say whether a part of a row may name the secret after it: in a pair, or an option of a command. */
static int
may_name_secret(const Plain *plain, PyObject *value, int in_pair)
{
    if (PyBytes_CheckExact(value)) {
        return in_pair;
    }
    if (!PyUnicode_CheckExact(value) || !PyUnicode_GET_LENGTH(value)) {
        return 0;
    }
    return PyUnicode_READ_CHAR(value, 0) == '-' || (in_pair && !plain_may_be_shown(plain, value));
}

static int
are_plain(Plain *plain, PyObject *const *values, Py_ssize_t count, int depth)
{
    if (count > MOST_ITEMS) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (may_name_secret(plain, values[i], count == PAIR && i == 0) ||
            !is_plain(plain, values[i], depth)) {
            return 0;
        }
    }
    return 1;
}

static int
is_plain(Plain *plain, PyObject *value, int depth)
{
    if (is_leaf(plain, value)) {
        return 1;
    }
    if (plain->room < 2 || depth == 0) {
        return 0;
    }
    plain->room -= 2;
    if (PyDict_CheckExact(value)) {
        return is_plain_dict(plain, value, depth - 1);
    }
    if (PyList_CheckExact(value)) {
        return are_plain(plain, ((PyListObject *)value)->ob_item, PyList_GET_SIZE(value), depth - 1);
    }
    /* One alone has a comma behind it in `repr`, and none as we write it. */
    return PyTuple_CheckExact(value) && PyTuple_GET_SIZE(value) != 1 &&
           are_plain(plain, ((PyTupleObject *)value)->ob_item, PyTuple_GET_SIZE(value), depth - 1);
}

/* Write a value, or answer `None` if it is not plain, or too long: more than there is room for. */
PyObject *
plain_text(Plain plain, PyObject *value)
{
    Py_ssize_t limit = plain.room;
    if (!is_plain(&plain, value, MOST_DEPTH)) {
        Py_RETURN_NONE;
    }
    PyObject *text = PyObject_Repr(value);
    if (text == NULL || PyUnicode_GET_LENGTH(text) <= limit) {
        return text;
    }
    Py_DECREF(text);
    Py_RETURN_NONE;
}

PyObject *
write_plain(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !PyDict_CheckExact(args[2])) {
        PyErr_SetString(PyExc_TypeError, "plain(value, limit, keys, hidden)");
        return NULL;
    }
    Plain plain = {.keys = args[2], .hidden = args[3], .room = PyLong_AsSsize_t(args[1])};
    return PyErr_Occurred() ? NULL : plain_text(plain, args[0]);
}
