/* What is taken for the function inside of it, by whoever looks: wrappers, and verbs. */

#include "speedups.h"

PyObject *
guise_bound(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type))
{
    return object == NULL || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

PyObject *
guise_repr(PyObject *self)
{
    PyObject *name = PyObject_GetAttrString(self, "__qualname__");
    if (name == NULL) {
        PyErr_Clear();
        return PyUnicode_FromFormat("<function at %p>", self);
    }
    PyObject *text = PyUnicode_FromFormat("<function %S at %p>", name, self);
    Py_DECREF(name);
    return text;
}

/* What a function has and its guise has not is the function's. */
static PyObject *
get_of_function(Guise *self, void *name)
{
    return PyObject_GetAttrString(self->function, name);
}

static int
set_of_function(Guise *self, PyObject *value, void *name)
{
    return PyObject_SetAttrString(self->function, name, value);
}

/* `isinstance(it, FunctionType)`, which is what `inspect.isfunction` asks. */
static PyObject *
class_of_functions(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    return Py_NewRef(&PyFunction_Type);
}

/* Pickled and copied as functions are: by where they are found. */
static PyObject *
reduce(PyObject *self, PyObject *Py_UNUSED(protocol))
{
    return PyObject_GetAttrString(self, "__qualname__");
}

int
guise_traverse(Guise *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    Py_VISIT(self->dict);
    return 0;
}

/* The function stays until the end: a finalizer may still call what is being collected. */
int
guise_clear(Guise *self)
{
    Py_CLEAR(self->dict);
    return 0;
}

/* Let go of all of it, before what it is part of is freed. */
void
guise_end(Guise *self)
{
    PyObject_GC_UnTrack((PyObject *)self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_CLEAR(self->dict);
    Py_CLEAR(self->function);
}

#define OF_FUNCTION(name) {name, (getter)get_of_function, (setter)set_of_function, NULL, name}

PyGetSetDef guise_getset[] = {
    {"__class__", class_of_functions, NULL, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    OF_FUNCTION("__code__"),
    OF_FUNCTION("__defaults__"),
    OF_FUNCTION("__kwdefaults__"),
    OF_FUNCTION("__globals__"),
    OF_FUNCTION("__closure__"),
    OF_FUNCTION("__builtins__"),
    {NULL, NULL, NULL, NULL, NULL},
};

PyMethodDef guise_methods[] = {
    {"__reduce_ex__", reduce, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
