/* An instrumented function: called like the one inside of it, and taken for it by whoever looks. */

#include "speedups.h"

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *function;
    PyObject *dict, *weakrefs;
    Place place;
} Wrapper;

/* --- calls -------------------------------------------------------------------------------------- */

/* Note that the call failed, and let its exception go on. */
static void
wrapper_failed(Opening *opening)
{
    PyObject *error = raised_exception();
    if (opening_fail(opening, NULL, error) < 0) { /* ours, which somebody wants to hear of */
        Py_DECREF(error);
        error = raised_exception();
    }
    if (opening_leave(opening) < 0) {
        PyErr_Clear();
    }
    raise_exception(error);
}

static PyObject *
wrapper_vectorcall(Wrapper *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Opening opening;
    int begun = opening_begin(&opening, &self->place);
    if (begun < 0) {
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(self->function, args, nargsf, kwnames);
    if (begun == 0) {
        return result;
    }
    if (result == NULL) {
        wrapper_failed(&opening);
        return NULL;
    }
    if (opening_end(&opening, NULL) < 0) {
        Py_CLEAR(result);
    }
    PyObject *error = result == NULL ? raised_exception() : NULL;
    if (opening_leave(&opening) < 0) {
        PyErr_Clear();
    }
    raise_exception(error);
    return result;
}

/* --- what it looks like ------------------------------------------------------------------------- */

PyObject *
function_bound(PyObject *self, PyObject *object, PyObject *Py_UNUSED(type))
{
    return object == NULL || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

PyObject *
function_repr(PyObject *self)
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

/* What a function has and its wrapper has not is the function's. */
static PyObject *
wrapper_get_of_function(Wrapper *self, void *name)
{
    return PyObject_GetAttrString(self->function, name);
}

static int
wrapper_set_of_function(Wrapper *self, PyObject *value, void *name)
{
    return PyObject_SetAttrString(self->function, name, value);
}

/* `isinstance(it, FunctionType)`, which is what `inspect.isfunction` asks. */
PyObject *
function_class(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
    return Py_NewRef(&PyFunction_Type);
}

/* Pickled and copied as functions are: by where they are found. */
PyObject *
function_reduce(PyObject *self, PyObject *Py_UNUSED(protocol))
{
    return PyObject_GetAttrString(self, "__qualname__");
}

/* --- the type ----------------------------------------------------------------------------------- */

/* Read what a site's spans have in common. */
int
place_read(Place *place, PyObject *site, PyObject *skip)
{
    PyObject *number = PyObject_GetAttr(site, names.number);
    place->what = number == NULL ? 0 : PyLong_AsUnsignedLongLong(number);
    Py_XDECREF(number);
    if (PyErr_Occurred()) {
        return -1;
    }
    place->site = Py_NewRef(site);
    place->skip = skip == Py_None ? NULL : Py_NewRef(skip);
    return 0;
}

static PyObject *
wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"", "", "skip", NULL};
    PyObject *function, *site, *skip = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:Wrapper", keywords, &function, &site, &skip)) {
        return NULL;
    }
    if (joined.cell == NULL || !PyCallable_Check(function)) {
        PyErr_SetString(PyExc_TypeError, "a wrapper is of a callable, once `join` was called");
        return NULL;
    }
    Wrapper *self = (Wrapper *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = (vectorcallfunc)wrapper_vectorcall;
    self->function = Py_NewRef(function);
    if (place_read(&self->place, site, skip) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int
wrapper_traverse(Wrapper *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    Py_VISIT(self->dict);
    Py_VISIT(self->place.site);
    Py_VISIT(self->place.skip);
    return 0;
}

static int
wrapper_clear(Wrapper *self)
{
    /* The function stays until the end: a finalizer may still call what is being collected. */
    Py_CLEAR(self->dict);
    Py_CLEAR(self->place.skip);
    return 0;
}

static void
wrapper_dealloc(Wrapper *self)
{
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    wrapper_clear(self);
    Py_CLEAR(self->place.site);
    Py_CLEAR(self->function);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

#define OF_FUNCTION(name) \
    {name, (getter)wrapper_get_of_function, (setter)wrapper_set_of_function, NULL, name}

static PyGetSetDef wrapper_getset[] = {
    {"__class__", function_class, NULL, NULL, NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    OF_FUNCTION("__code__"),
    OF_FUNCTION("__defaults__"),
    OF_FUNCTION("__kwdefaults__"),
    OF_FUNCTION("__globals__"),
    OF_FUNCTION("__closure__"),
    OF_FUNCTION("__builtins__"),
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef wrapper_methods[] = {
    {"__reduce_ex__", function_reduce, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject WrapperType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Wrapper",
    .tp_doc = PyDoc_STR("A function every call of which becomes a span."),
    .tp_basicsize = sizeof(Wrapper),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_new = wrapper_new,
    .tp_dealloc = (destructor)wrapper_dealloc,
    .tp_traverse = (traverseproc)wrapper_traverse,
    .tp_clear = (inquiry)wrapper_clear,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Wrapper, vectorcall),
    .tp_descr_get = function_bound,
    .tp_repr = function_repr,
    .tp_getset = wrapper_getset,
    .tp_methods = wrapper_methods,
    .tp_dictoffset = offsetof(Wrapper, dict),
    .tp_weaklistoffset = offsetof(Wrapper, weakrefs),
};
