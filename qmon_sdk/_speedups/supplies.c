/* Where span ids and places come from: numbers handed out one by one, and places taken and put back.
 *
 * A `Supply` is `itertools.chain.from_iterable` for ranges, a `Stack` a list of places; as types of
 * their own they answer C without an object for every number.
 */

#include "speedups.h"

/* --- supplies --------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    uint64_t next, stop, step;
    PyObject *source; /* gives ranges, or other iterators of numbers; NULL once it has ended */
    PyObject *inner;  /* the iterator that is being handed out, if it is no range */
} Supply;

static int
range_field(PyObject *range, const char *name, uint64_t *value)
{
    PyObject *found = PyObject_GetAttrString(range, name);
    *value = found == NULL ? 0 : PyLong_AsUnsignedLongLong(found);
    Py_XDECREF(found);
    return PyErr_Occurred() ? -1 : 0;
}

/* Ask the source for more: 1 if there is more, 0 if it has ended, -1 with an exception. */
static int
supply_more(Supply *self)
{
    if (self->source == NULL) {
        return 0;
    }
    PyObject *more = PyIter_Next(self->source);
    if (more == NULL) {
        if (!PyErr_Occurred()) {
            Py_CLEAR(self->source);
            return 0;
        }
        return -1;
    }
    if (!PyRange_Check(more)) {
        Py_XSETREF(self->inner, PyObject_GetIter(more));
        Py_DECREF(more);
        return self->inner == NULL ? -1 : 1;
    }
    int failed = range_field(more, "start", &self->next) || range_field(more, "stop", &self->stop) ||
                 range_field(more, "step", &self->step);
    Py_DECREF(more);
    return failed ? -1 : 1;
}

static int
number_from(PyObject *iterator, uint64_t *number)
{
    PyObject *next = PyIter_Next(iterator);
    if (next == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    *number = PyLong_AsUnsignedLongLong(next);
    Py_DECREF(next);
    return PyErr_Occurred() ? -1 : 1;
}

static int
supply_number(Supply *self, uint64_t *number)
{
    for (;;) {
        if (self->next < self->stop) {
            *number = self->next;
            self->next += self->step;
            return 1;
        }
        if (self->inner != NULL) {
            /* Held: what it runs may have another one put in its place. */
            PyObject *inner = Py_NewRef(self->inner);
            int got = number_from(inner, number);
            if (got == 0 && self->inner == inner) {
                Py_CLEAR(self->inner);
            }
            Py_DECREF(inner);
            if (got != 0) {
                return got;
            }
        }
        int more = supply_more(self);
        if (more != 1) {
            return more;
        }
    }
}

/* The next number of any iterator: 1 if there is one, 0 at its end, -1 with an exception. */
int
next_number(PyObject *iterator, uint64_t *number)
{
    if (Py_IS_TYPE(iterator, &SupplyType)) {
        return supply_number((Supply *)iterator, number);
    }
    return number_from(iterator, number);
}

static PyObject *
supply_iternext(Supply *self)
{
    uint64_t number;
    return supply_number(self, &number) == 1 ? PyLong_FromUnsignedLongLong(number) : NULL;
}

static PyObject *
supply_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *source;
    if (!PyArg_ParseTuple(args, "O:Supply", &source)) {
        return NULL;
    }
    Supply *self = (Supply *)type->tp_alloc(type, 0);
    if (self != NULL && (self->source = PyObject_GetIter(source)) == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int
supply_traverse(Supply *self, visitproc visit, void *arg)
{
    Py_VISIT(self->source);
    Py_VISIT(self->inner);
    return 0;
}

static int
supply_clear(Supply *self)
{
    Py_CLEAR(self->source);
    Py_CLEAR(self->inner);
    return 0;
}

static void
supply_dealloc(Supply *self)
{
    PyObject_GC_UnTrack(self);
    supply_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject SupplyType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Supply",
    .tp_doc = PyDoc_STR("The numbers of ranges, and of other iterators, that a source gives."),
    .tp_basicsize = sizeof(Supply),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = supply_new,
    .tp_dealloc = (destructor)supply_dealloc,
    .tp_traverse = (traverseproc)supply_traverse,
    .tp_clear = (inquiry)supply_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)supply_iternext,
};

/* --- stacks ----------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    uint64_t *places;
    Py_ssize_t count, room;
} Stack;

/* Take a place off any stack; 0 where there is none, or where it is no stack of ours. */
uint64_t
stack_pop(PyObject *any)
{
    Stack *self = (Stack *)any;
    return Py_IS_TYPE(any, &StackType) && self->count ? self->places[--self->count] : 0;
}

int
stack_push(PyObject *any, uint64_t place)
{
    Stack *self = (Stack *)any;
    if (!Py_IS_TYPE(any, &StackType)) {
        return 0; /* of a process that was forked away from its ring: nobody takes it again */
    }
    if (self->count == self->room) {
        Py_ssize_t room = self->room ? 2 * self->room : 16;
        uint64_t *places = PyMem_Realloc(self->places, room * sizeof(uint64_t));
        if (places == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        self->places = places;
        self->room = room;
    }
    self->places[self->count++] = place;
    return 0;
}

static PyObject *
stack_pop_method(Stack *self, PyObject *Py_UNUSED(none))
{
    if (self->count == 0) {
        PyErr_SetString(PyExc_IndexError, "no place is left");
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(self->places[--self->count]);
}

static PyObject *
stack_append_method(Stack *self, PyObject *value)
{
    uint64_t place = PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred() || stack_push((PyObject *)self, place) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
stack_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *places;
    if (!PyArg_ParseTuple(args, "O!:Stack", &PyList_Type, &places)) {
        return NULL;
    }
    Stack *self = (Stack *)type->tp_alloc(type, 0);
    for (Py_ssize_t i = 0; self != NULL && i < PyList_GET_SIZE(places); i++) {
        PyObject *done = stack_append_method(self, PyList_GET_ITEM(places, i));
        if (done == NULL) {
            Py_CLEAR(self);
        }
        Py_XDECREF(done);
    }
    return (PyObject *)self;
}

static Py_ssize_t
stack_length(Stack *self)
{
    return self->count;
}

static void
stack_dealloc(Stack *self)
{
    PyMem_Free(self->places);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef stack_methods[] = {
    {"pop", (PyCFunction)stack_pop_method, METH_NOARGS,
     PyDoc_STR("pop($self)\n--\n\nTake the place that was put back last; raises `IndexError`.")},
    {"append", (PyCFunction)stack_append_method, METH_O,
     PyDoc_STR("append($self, place, /)\n--\n\nPut a place back.")},
    {NULL, NULL, 0, NULL},
};

static PySequenceMethods stack_as_sequence = {.sq_length = (lenfunc)stack_length};

PyTypeObject StackType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Stack",
    .tp_doc = PyDoc_STR("Places that are free, to be taken and put back by any thread."),
    .tp_basicsize = sizeof(Stack),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = stack_new,
    .tp_dealloc = (destructor)stack_dealloc,
    .tp_methods = stack_methods,
    .tp_as_sequence = &stack_as_sequence,
};
