/* `count`, `gauge` and `distribution`: straight to the shelf of the client in charge.
 *
 * `client.install` aims the verbs. While they are aimed at nothing, and for calls that are wrong, the
 * pure function says what happens.
 */

#include "speedups.h"

enum { KINDS = 3 };

static PyObject *aimed[KINDS]; /* a shelf, or NULL */
static const char *const verbs[KINDS] = {"count", "gauge", "distribution"};

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *dict, *weakrefs;
    int kind;
} Verb;

PyObject *
verbs_aim(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != KINDS) {
        PyErr_SetString(PyExc_TypeError, "aim() takes a shelf for each kind");
        return NULL;
    }
    for (int kind = 0; kind < KINDS; kind++) {
        int is_shelf = PyObject_TypeCheck(args[kind], &ShelfType);
        Py_XSETREF(aimed[kind], is_shelf ? Py_NewRef(args[kind]) : NULL);
    }
    Py_RETURN_NONE;
}

static PyObject *
verb_vectorcall(Verb *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PyObject *shelf = Py_XNewRef(aimed[self->kind]);
    int said = shelf == NULL ? NOT_SAID : shelf_say(shelf, args, PyVectorcall_NARGS(nargsf), kwnames);
    Py_XDECREF(shelf);
    if (said == NOT_SAID) {
        PyErr_Clear();
        return PyObject_Vectorcall(self->function, args, nargsf, kwnames);
    }
    if (said < 0 && trouble(verbs[self->kind]) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
verb_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *function;
    int kind;
    if (!PyArg_ParseTuple(args, "iO!:Verb", &kind, &PyFunction_Type, &function)) {
        return NULL;
    }
    if (kind < 0 || kind >= KINDS) {
        PyErr_SetString(PyExc_ValueError, "there is no such kind");
        return NULL;
    }
    Verb *self = (Verb *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->vectorcall = (vectorcallfunc)verb_vectorcall;
        self->function = Py_NewRef(function);
        self->kind = kind;
    }
    return (PyObject *)self;
}

static int
verb_traverse(Verb *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    Py_VISIT(self->dict);
    return 0;
}

static int
verb_clear(Verb *self)
{
    Py_CLEAR(self->dict);
    return 0;
}

static void
verb_dealloc(Verb *self)
{
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    verb_clear(self);
    Py_CLEAR(self->function);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
verb_get_of_function(Verb *self, void *name)
{
    return PyObject_GetAttrString(self->function, name);
}

#define OF_FUNCTION(name) {name, (getter)verb_get_of_function, NULL, NULL, name}

static PyGetSetDef verb_getset[] = {
    {"__class__", function_class, NULL, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    OF_FUNCTION("__code__"),
    OF_FUNCTION("__defaults__"),
    OF_FUNCTION("__kwdefaults__"),
    OF_FUNCTION("__globals__"),
    OF_FUNCTION("__closure__"),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef verb_methods[] = {
    {"__reduce_ex__", function_reduce, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject VerbType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Verb",
    .tp_doc = PyDoc_STR("A verb of metrics."),
    .tp_basicsize = sizeof(Verb),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_new = verb_new,
    .tp_dealloc = (destructor)verb_dealloc,
    .tp_traverse = (traverseproc)verb_traverse,
    .tp_clear = (inquiry)verb_clear,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Verb, vectorcall),
    .tp_descr_get = function_bound,
    .tp_repr = function_repr,
    .tp_getset = verb_getset,
    .tp_methods = verb_methods,
    .tp_dictoffset = offsetof(Verb, dict),
    .tp_weaklistoffset = offsetof(Verb, weakrefs),
};
