/* The series of one kind, found by what the application says: a name and its attributes.
 *
 * The first time something is said, `missed` finds the series in Python; from then on it is one
 * look into a dictionary. The key is the one of `fold.py`: the name, all labels, all their values.
 */

#include "speedups.h"

typedef struct {
    PyObject_HEAD
    PyObject *known;
} Shelf;

/* What one call says, each borrowed. */
typedef struct {
    PyObject *name, *value, *unit, *attributes;
} Said;

static int
is_named(PyObject *given, PyObject *name)
{
    return given == name || PyUnicode_Compare(given, name) == 0;
}

static int
read_keyword(Said *said, PyObject *keyword, PyObject *value)
{
    if (is_named(keyword, names.attributes)) {
        said->attributes = value;
    } else if (is_named(keyword, names.unit)) {
        said->unit = value;
    } else if (is_named(keyword, names.value) && said->value == NULL) {
        said->value = value;
    } else if (is_named(keyword, names.name) && said->name == NULL) {
        said->name = value;
    } else {
        PyErr_Format(PyExc_TypeError, "add() got an unexpected argument %R", keyword);
        return -1;
    }
    return 0;
}

static int
read_call(Said *said, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    *said = (Said){.name = count > 0 ? args[0] : NULL, .value = count > 1 ? args[1] : NULL,
                   .unit = Py_None, .attributes = Py_None};
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < named; i++) {
        if (read_keyword(said, PyTuple_GET_ITEM(kwnames, i), args[count + i]) < 0) {
            return -1;
        }
    }
    if (count > 2 || said->name == NULL) {
        PyErr_SetString(PyExc_TypeError, "add() takes a name and a value");
        return -1;
    }
    if (said->value == NULL) {
        said->value = names.one;
    }
    return 0;
}

/* The name, the labels, their values; as a tuple of their own, since any of them may be changed. */
static PyObject *
key_of_dict(PyObject *name, PyObject *attributes)
{
    Py_ssize_t size = PyDict_GET_SIZE(attributes), place = 0, i = 1;
    PyObject *label, *value, *key = PyTuple_New(1 + 2 * size);
    if (key != NULL && PyDict_GET_SIZE(attributes) != size) { /* making it collected garbage */
        PyErr_SetString(PyExc_RuntimeError, "attributes changed while they were read");
        Py_CLEAR(key);
    }
    if (key == NULL) {
        return NULL;
    }
    PyTuple_SET_ITEM(key, 0, Py_NewRef(name));
    while (PyDict_Next(attributes, &place, &label, &value)) {
        PyTuple_SET_ITEM(key, i, Py_NewRef(label));
        PyTuple_SET_ITEM(key, i + size, Py_NewRef(value));
        i++;
    }
    return key;
}

static PyObject *
key_of(Shelf *self, const Said *said)
{
    if (said->attributes == Py_None) {
        return Py_NewRef(said->name);
    }
    if (!PyDict_CheckExact(said->attributes)) {
        PyObject *me = (PyObject *)self;
        return PyObject_CallMethodObjArgs(me, names.key_of, said->name, said->attributes, NULL);
    }
    if (PyDict_GET_SIZE(said->attributes) == 0) {
        return Py_NewRef(said->name);
    }
    return key_of_dict(said->name, said->attributes);
}

/* A new reference to the series, known or found; a key without a hash is found each time. */
static PyObject *
series_of(Shelf *self, const Said *said, PyObject *key)
{
    PyObject *series = PyDict_GetItemWithError(self->known, key);
    if (series != NULL) {
        return Py_NewRef(series);
    }
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return NULL;
        }
        PyErr_Clear();
    }
    PyObject *me = (PyObject *)self;
    return PyObject_CallMethodObjArgs(me, names.missed, key, said->name, said->unit, said->attributes,
                                      NULL);
}

/* Add what a call says: 0, or -1 with an exception, or `NOT_SAID` with one if it is no such call. */
int
shelf_say(PyObject *shelf, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    Said said;
    Shelf *self = (Shelf *)shelf;
    if (read_call(&said, args, count, kwnames) < 0) {
        return NOT_SAID;
    }
    PyObject *key = key_of(self, &said);
    PyObject *series = key == NULL ? NULL : series_of(self, &said, key);
    Py_XDECREF(key);
    if (series == NULL) {
        return -1;
    }
    int done = -1;
    if (PyObject_TypeCheck(series, &PendingType)) {
        done = pending_add((Pending *)series, said.value);
    } else {
        PyErr_Format(PyExc_TypeError, "missed() found %R instead of a series", series);
    }
    Py_DECREF(series);
    return done;
}

static PyObject *
shelf_add(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    return shelf_say(self, args, count, kwnames) < 0 ? NULL : Py_NewRef(Py_None);
}

/* --- the type --------------------------------------------------------------------------------- */

static PyObject *
shelf_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Shelf *self = (Shelf *)type->tp_alloc(type, 0);
    if (self != NULL && (self->known = PyDict_New()) == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int
shelf_traverse(Shelf *self, visitproc visit, void *arg)
{
    Py_VISIT(self->known);
    return 0;
}

static int
shelf_clear(Shelf *self)
{
    /* Emptied, not removed: a call that is under way still looks into it. */
    if (self->known != NULL) {
        PyDict_Clear(self->known);
    }
    return 0;
}

static void
shelf_dealloc(Shelf *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->known);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef shelf_methods[] = {
    {"add", (PyCFunction)(void (*)(void))shelf_add, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("add($self, name, value=1, *, unit=None, attributes=None)\n--\n\n"
               "Add a value to the series it belongs to.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef shelf_members[] = {
    {"known", T_OBJECT, offsetof(Shelf, known), READONLY,
     PyDoc_STR("Key, as `key_of` makes it, to series.")},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject ShelfType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Shelf",
    .tp_doc = PyDoc_STR("Series by what the application says."),
    .tp_basicsize = sizeof(Shelf),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = shelf_new,
    .tp_dealloc = (destructor)shelf_dealloc,
    .tp_traverse = (traverseproc)shelf_traverse,
    .tp_clear = (inquiry)shelf_clear,
    .tp_methods = shelf_methods,
    .tp_members = shelf_members,
};
