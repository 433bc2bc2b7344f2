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
    Guise guise;
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
        return PyObject_Vectorcall(self->guise.function, args, nargsf, kwnames);
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
        self->guise.vectorcall = (vectorcallfunc)verb_vectorcall;
        self->guise.function = Py_NewRef(function);
        self->kind = kind;
    }
    return (PyObject *)self;
}

static void
verb_dealloc(Verb *self)
{
    guise_end(&self->guise);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject VerbType = {
    GUISE_TYPE
    .tp_name = "qmon_sdk._speedups.Verb",
    .tp_doc = PyDoc_STR("A verb of metrics."),
    .tp_basicsize = sizeof(Verb),
    .tp_new = verb_new,
    .tp_dealloc = (destructor)verb_dealloc,
    .tp_traverse = (traverseproc)guise_traverse,
    .tp_clear = (inquiry)guise_clear,
};
