/* One context's place in its trace: the part of `recorder/cells.py` that the hot paths touch. */

#include "speedups.h"

/* --- the open span: a number, until somebody wants to say more about it ------------------------- */

/* What Python sees as `span`: the object that somebody put there, or the plain number. */
PyObject *
span_object(uint64_t span, PyObject *said)
{
    return said != NULL ? Py_NewRef(said) : PyLong_FromUnsignedLongLong(span);
}

static PyObject *
cell_get_span(Cell *self, void *Py_UNUSED(closure))
{
    return span_object(self->span, self->said);
}

static int
cell_set_span(Cell *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (value == NULL || !PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a span is a whole number");
        return -1;
    }
    uint64_t span = PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred()) {
        return -1;
    }
    self->span = span;
    Py_XSETREF(self->said, PyLong_CheckExact(value) ? NULL : Py_NewRef(value));
    return 0;
}

/* --- making others ------------------------------------------------------------------------------ */

static PyObject *
cell_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    unsigned long long thread = 0;
    if (!PyArg_ParseTuple(args, "|K:Cell", &thread)) {
        return NULL;
    }
    Cell *self = (Cell *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->thread = thread;
        self->slot = NO_SLOT;
    }
    return (PyObject *)self;
}

/* The place inside of a span, without saying which; of the same type as this one. */
Cell *
cell_child(Cell *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Cell *child = (Cell *)type->tp_alloc(type, 0);
    if (child == NULL) {
        return NULL;
    }
    child->thread = self->thread;
    child->trace_hi = self->trace_hi;
    child->trace_lo = self->trace_lo;
    child->slot = NO_SLOT;
    child->always = self->always;
    child->lane = Py_XNewRef(self->lane);
    child->ids = Py_XNewRef(self->ids);
    child->slots = Py_XNewRef(self->slots);
    return child;
}

static PyObject *
cell_child_method(Cell *self, PyObject *span)
{
    Cell *child = cell_child(self);
    if (child != NULL && cell_set_span(child, span, NULL) < 0) {
        Py_CLEAR(child);
    }
    return (PyObject *)child;
}

/* --- the type ----------------------------------------------------------------------------------- */

static int
cell_traverse(Cell *self, visitproc visit, void *arg)
{
    Py_VISIT(self->said);
    Py_VISIT(self->lane);
    Py_VISIT(self->ids);
    Py_VISIT(self->slots);
    return 0;
}

/* Not its lane: a span thrown away with other garbage still goes back to a place that is whole. */
static int
cell_clear(Cell *self)
{
    Py_CLEAR(self->said);
    return 0;
}

static void
cell_dealloc(Cell *self)
{
    PyObject_GC_UnTrack(self);
    cell_clear(self);
    Py_CLEAR(self->lane);
    Py_CLEAR(self->ids);
    Py_CLEAR(self->slots);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyGetSetDef cell_getset[] = {
    {"span", (getter)cell_get_span, (setter)cell_set_span, PyDoc_STR("The open span; 0: none."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef cell_methods[] = {
    {"child", (PyCFunction)cell_child_method, METH_O,
     PyDoc_STR("child($self, span, /)\n--\n\nMake the place inside `span`, for code that other code "
               "may run in between of.")},
    {"open", (PyCFunction)cell_open, METH_VARARGS,
     PyDoc_STR("open($self, site, parent, started, text=b'', /)\n--\n\nNote in the ring that the span "
               "of this place is open, and what it is about.")},
    {"close", (PyCFunction)cell_close, METH_NOARGS,
     PyDoc_STR("close($self)\n--\n\nNote that it has ended.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef cell_members[] = {
    {"thread", T_ULONGLONG, offsetof(Cell, thread), 0, NULL},
    {"trace_hi", T_ULONGLONG, offsetof(Cell, trace_hi), 0, NULL},
    {"trace_lo", T_ULONGLONG, offsetof(Cell, trace_lo), 0, NULL},
    {"slot", T_ULONGLONG, offsetof(Cell, slot), 0, NULL},
    {"always", T_BOOL, offsetof(Cell, always), 0, NULL},
    {"lane", T_OBJECT_EX, offsetof(Cell, lane), 0, NULL},
    {"ids", T_OBJECT_EX, offsetof(Cell, ids), 0, NULL},
    {"slots", T_OBJECT_EX, offsetof(Cell, slots), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject CellType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Cell",
    .tp_doc = PyDoc_STR("One context's place in its trace."),
    .tp_basicsize = sizeof(Cell),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = cell_new,
    .tp_dealloc = (destructor)cell_dealloc,
    .tp_traverse = (traverseproc)cell_traverse,
    .tp_clear = (inquiry)cell_clear,
    .tp_getset = cell_getset,
    .tp_methods = cell_methods,
    .tp_members = cell_members,
};
