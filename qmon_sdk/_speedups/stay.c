/* A span that Python begins and ends: in wrappers that keep arguments, and in those of coroutines. */

#include "speedups.h"

typedef struct {
    PyObject_HEAD
    Opening opening; /* its site is held here */
    int is_open;
} Stay;

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    Place place;
} Entrance;

/* Begin a span at a place: a stay, or `None` if the call is not recorded. */
PyObject *
stay_begin(const Place *place)
{
    Stay *self = PyObject_GC_New(Stay, &StayType);
    if (self == NULL) {
        return NULL;
    }
    int begun = opening_begin(&self->opening, place);
    self->is_open = begun == 1;
    self->opening.site = Py_NewRef(place->site);
    PyObject_GC_Track(self);
    if (begun == 1) {
        return (PyObject *)self;
    }
    Py_DECREF(self);
    return begun < 0 ? NULL : Py_NewRef(Py_None);
}

static int
leave(Stay *self, int done)
{
    PyObject *error = done < 0 ? raised_exception() : NULL;
    self->is_open = 0;
    if (opening_leave(&self->opening) < 0) {
        PyErr_Clear();
    }
    raise_exception(error);
    return done;
}

static PyObject *
stay_end(Stay *self, PyObject *kept)
{
    const Given given = {.map = kept}, *some = kept == Py_None ? NULL : &given;
    if (self->is_open && leave(self, opening_end(&self->opening, some)) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stay_fail(Stay *self, PyObject *args)
{
    PyObject *kept, *error;
    if (!PyArg_ParseTuple(args, "OO:fail", &kept, &error)) {
        return NULL;
    }
    const Given given = {.map = kept}, *some = kept == Py_None ? NULL : &given;
    if (self->is_open && leave(self, opening_fail(&self->opening, some, error)) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* The call returned, and its span turned out to be one of another place. */
static PyObject *
stay_end_at(Stay *self, PyObject *entrance)
{
    if (!Py_IS_TYPE(entrance, &EntranceType)) {
        PyErr_SetString(PyExc_TypeError, "end_at takes an entrance");
        return NULL;
    }
    const Place *place = &((Entrance *)entrance)->place;
    PyObject *before = self->opening.site;
    self->opening.site = Py_NewRef(place->site);
    self->opening.what = place->what;
    Py_XDECREF(before);
    return stay_end(self, Py_None);
}

static int
stay_traverse(Stay *self, visitproc visit, void *arg)
{
    Py_VISIT(self->opening.site);
    Py_VISIT(self->opening.cell);
    Py_VISIT(self->opening.outer);
    Py_VISIT(self->opening.lane);
    Py_VISIT(self->opening.parent_said);
    return 0;
}

static void
stay_dealloc(Stay *self)
{
    PyObject_GC_UnTrack(self);
    if (self->is_open) { /* a coroutine that was thrown away while it waited */
        PyObject *error = raised_exception();
        (void)leave(self, 0);
        raise_exception(error);
    }
    Py_CLEAR(self->opening.site);
    PyObject_GC_Del(self);
}

static PyMethodDef stay_methods[] = {
    {"end", (PyCFunction)stay_end, METH_O,
     PyDoc_STR("end($self, kept, /)\n--\n\nThe call returned.")},
    {"end_at", (PyCFunction)stay_end_at, METH_O,
     PyDoc_STR("end_at($self, entrance, /)\n--\n\nThe call returned: a span of another place.")},
    {"fail", (PyCFunction)stay_fail, METH_VARARGS,
     PyDoc_STR("fail($self, kept, error, /)\n--\n\nThe call raised.")},
    {NULL, NULL, 0, NULL},
};

PyTypeObject StayType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Stay",
    .tp_doc = PyDoc_STR("An open span, from its beginning to its end."),
    .tp_basicsize = sizeof(Stay),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)stay_dealloc,
    .tp_traverse = (traverseproc)stay_traverse,
    .tp_methods = stay_methods,
};

/* --- where stays begin -------------------------------------------------------------------------- */

static PyObject *
entrance_vectorcall(Entrance *self, PyObject *const *Py_UNUSED(args), size_t nargsf,
                    PyObject *kwnames)
{
    if (PyVectorcall_NARGS(nargsf) != 0 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError, "an entrance takes no arguments");
        return NULL;
    }
    return stay_begin(&self->place);
}

static PyObject *
entrance_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"", "skip", "waits", NULL};
    PyObject *site, *skip = Py_None;
    int waits = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|Op:Entrance", keywords, &site, &skip, &waits)) {
        return NULL;
    }
    if (joined.cell == NULL) {
        PyErr_SetString(PyExc_TypeError, "there is an entrance once `join` was called");
        return NULL;
    }
    Entrance *self = (Entrance *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = (vectorcallfunc)entrance_vectorcall;
    if (place_read(&self->place, site, skip) < 0) {
        Py_CLEAR(self);
    } else {
        self->place.waits = waits;
    }
    return (PyObject *)self;
}

static int
entrance_traverse(Entrance *self, visitproc visit, void *arg)
{
    Py_VISIT(self->place.site);
    Py_VISIT(self->place.skip);
    return 0;
}

static void
entrance_dealloc(Entrance *self)
{
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->place.site);
    Py_CLEAR(self->place.skip);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject EntranceType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Entrance",
    .tp_doc = PyDoc_STR("Called to begin a span of one place in the code; gives a stay, or `None`."),
    .tp_basicsize = sizeof(Entrance),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = entrance_new,
    .tp_dealloc = (destructor)entrance_dealloc,
    .tp_traverse = (traverseproc)entrance_traverse,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Entrance, vectorcall),
};
