/* An instrumented function: called like the one inside of it, and taken for it by whoever looks. */

#include "speedups.h"

enum { MOST_KEPT = 15 };

typedef struct {
    Guise guise;
    Place place;
    /* Of a function whose arguments are kept: which, of how many, and what takes calls that name some. */
    PyObject *kept, *otherwise;
    uint8_t places[MOST_KEPT];
    Py_ssize_t positional;
} Wrapper;

/* --- calls -------------------------------------------------------------------------------------- */

/* Note that the call failed, and let its exception go on. */
static void
wrapper_failed(Opening *opening, const Given *kept)
{
    PyObject *error = raised_exception();
    if (opening_fail(opening, kept, error) < 0) { /* ours, which somebody wants to hear of */
        Py_DECREF(error);
        error = raised_exception();
    }
    if (opening_leave(opening) < 0) {
        PyErr_Clear();
    }
    raise_exception(error);
}

static PyObject *
wrapper_called(Wrapper *self, PyObject *const *args, size_t nargsf, PyObject *kwnames, const Given *kept)
{
    Opening opening;
    int begun = opening_begin(&opening, &self->place);
    if (begun < 0) {
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(self->guise.function, args, nargsf, kwnames);
    if (begun == 0) {
        return result;
    }
    if (result == NULL) {
        wrapper_failed(&opening, kept);
        return NULL;
    }
    if (opening_end(&opening, kept) < 0) {
        Py_CLEAR(result);
    }
    PyObject *error = result == NULL ? raised_exception() : NULL;
    if (opening_leave(&opening) < 0) {
        PyErr_Clear();
    }
    raise_exception(error);
    return result;
}

static PyObject *
wrapper_vectorcall(Wrapper *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return wrapper_called(self, args, nargsf, kwnames, NULL);
}

/* The same for a function whose arguments are kept: its caller holds them until it has returned. */
static PyObject *
wrapper_vectorcall_kept(Wrapper *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PyObject *values[MOST_KEPT];
    if (kwnames != NULL || PyVectorcall_NARGS(nargsf) != self->positional) {
        return PyObject_Vectorcall(self->otherwise, args, nargsf, kwnames);
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->kept); i++) {
        values[i] = args[self->places[i]];
    }
    const Given kept = {.names = self->kept, .values = values};
    return wrapper_called(self, args, nargsf, NULL, &kept);
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

/* Read which arguments are kept: their names, their places, and who takes calls that name some. */
static int
read_kept(Wrapper *self, PyObject *given)
{
    PyObject *kept, *places, *otherwise;
    if (!PyArg_ParseTuple(given, "O!O!nO", &PyTuple_Type, &kept, &PyTuple_Type, &places,
                          &self->positional, &otherwise)) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(kept);
    int wrong = count > MOST_KEPT || PyTuple_GET_SIZE(places) != count || !PyCallable_Check(otherwise);
    for (Py_ssize_t i = 0; !wrong && i < count; i++) {
        Py_ssize_t place = PyLong_AsSsize_t(PyTuple_GET_ITEM(places, i));
        wrong = place < 0 || place > UINT8_MAX || place >= self->positional ||
                !PyUnicode_CheckExact(PyTuple_GET_ITEM(kept, i));
        self->places[i] = (uint8_t)place;
    }
    if (wrong) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "these arguments cannot be kept");
        }
        return -1;
    }
    self->guise.vectorcall = (vectorcallfunc)wrapper_vectorcall_kept;
    self->kept = Py_NewRef(kept);
    self->otherwise = Py_NewRef(otherwise);
    return 0;
}

static PyObject *
wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"", "", "skip", "kept", NULL};
    PyObject *function, *site, *skip = Py_None, *kept = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OO!:Wrapper", keywords, &function, &site, &skip,
                                     &PyTuple_Type, &kept)) {
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
    self->guise.vectorcall = (vectorcallfunc)wrapper_vectorcall;
    self->guise.function = Py_NewRef(function);
    if (place_read(&self->place, site, skip) < 0 || (kept != NULL && read_kept(self, kept) < 0)) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int
wrapper_traverse(Wrapper *self, visitproc visit, void *arg)
{
    Py_VISIT(self->kept);
    Py_VISIT(self->otherwise);
    Py_VISIT(self->place.site);
    Py_VISIT(self->place.skip);
    return guise_traverse(&self->guise, visit, arg);
}

static int
wrapper_clear(Wrapper *self)
{
    Py_CLEAR(self->place.skip);
    return guise_clear(&self->guise);
}

static void
wrapper_dealloc(Wrapper *self)
{
    guise_end(&self->guise);
    Py_CLEAR(self->place.skip);
    Py_CLEAR(self->place.site);
    Py_CLEAR(self->kept);
    Py_CLEAR(self->otherwise);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject WrapperType = {
    GUISE_TYPE
    .tp_name = "qmon_sdk._speedups.Wrapper",
    .tp_doc = PyDoc_STR("A function every call of which becomes a span."),
    .tp_basicsize = sizeof(Wrapper),
    .tp_new = wrapper_new,
    .tp_dealloc = (destructor)wrapper_dealloc,
    .tp_traverse = (traverseproc)wrapper_traverse,
    .tp_clear = (inquiry)wrapper_clear,
};
