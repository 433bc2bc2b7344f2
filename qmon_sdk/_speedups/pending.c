/* The values of one series that are not folded yet.
 *
 * Floats alone, or whole numbers alone, stay bare numbers of 8 bytes. The first value of another
 * sort makes the buffer one of objects, so that what is folded is exactly what was added.
 */

#include "speedups.h"

enum { FIRST_ROOM = 4 };

/* --- the buffer ------------------------------------------------------------------------------ */

static PyObject *
slot_object(Slot slot, Sort sort)
{
    switch (sort) {
    case REALS: return PyFloat_FromDouble(slot.real);
    case WHOLES: return PyLong_FromLongLong(slot.whole);
    default: return Py_NewRef(slot.any);
    }
}

void
buffer_free(Buffer *buffer)
{
    /* Letting go of an object may run anybody's code: nobody finds the buffer any more by then. */
    Buffer old = *buffer;
    *buffer = (Buffer){.sort = old.sort};
    if (old.sort == ANY) {
        for (Py_ssize_t i = 0; i < old.count; i++) {
            Py_DECREF(old.slots[i].any);
        }
    }
    PyMem_Free(old.slots);
}

/* All values as a list, or NULL with an exception. */
PyObject *
buffer_list(const Buffer *buffer)
{
    PyObject *list = PyList_New(buffer->count);
    for (Py_ssize_t i = 0; list != NULL && i < buffer->count; i++) {
        PyObject *value = slot_object(buffer->slots[i], buffer->sort);
        if (value == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, value);
    }
    return list;
}

static int
buffer_grow(Buffer *buffer)
{
    Py_ssize_t room = buffer->room ? 2 * buffer->room : FIRST_ROOM;
    Slot *slots = PyMem_Realloc(buffer->slots, room * sizeof(Slot));
    if (slots == NULL) {
        return -1;
    }
    buffer->slots = slots;
    buffer->room = room;
    return 0;
}

/* Make objects of bare numbers; the buffer is as it was when there is no memory for that. */
static int
buffer_take_any(Buffer *buffer)
{
    PyObject *list = buffer_list(buffer);
    if (list == NULL) {
        PyErr_Clear();
        return -1;
    }
    for (Py_ssize_t i = 0; i < buffer->count; i++) {
        buffer->slots[i].any = Py_NewRef(PyList_GET_ITEM(list, i));
    }
    buffer->sort = ANY;
    Py_DECREF(list);
    return 0;
}

/* Say what a value is, and read it into the slot. A `True` is added up as 1, so it is one. */
static Sort
sort_of(PyObject *value, Slot *slot)
{
    if (PyFloat_CheckExact(value)) {
        slot->real = PyFloat_AS_DOUBLE(value);
        return REALS;
    }
    if (PyLong_CheckExact(value) || PyBool_Check(value)) {
        int overflow;
        slot->whole = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (!overflow) {
            return WHOLES;
        }
    }
    slot->any = value;
    return ANY;
}

static int
buffer_append(Buffer *buffer, PyObject *value)
{
    Slot slot;
    Sort sort = sort_of(value, &slot);
    if (buffer->count == buffer->room && buffer_grow(buffer) < 0) {
        return -1;
    }
    if (buffer->count == 0) {
        buffer->sort = sort;
    } else if (sort != buffer->sort && buffer->sort != ANY && buffer_take_any(buffer) < 0) {
        return -1;
    }
    if (buffer->sort == ANY) {
        slot.any = Py_NewRef(value);
    }
    buffer->slots[buffer->count++] = slot;
    return 0;
}

/* --- the type --------------------------------------------------------------------------------- */

int
pending_add(Pending *self, PyObject *value)
{
    if (buffer_append(&self->buffer, value) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (self->buffer.count <= self->limit) {
        return 0;
    }
    PyObject *done = PyObject_CallMethodNoArgs((PyObject *)self, names.crowded);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* The one value of a call, which may be named and may be left out; borrowed, NULL if it is not so. */
static PyObject *
only_value(PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (count == 1 && named == 0) {
        return args[0];
    }
    if (count == 0 && named == 0) {
        return names.one;
    }
    if (count == 0 && named == 1 && PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, 0), names.value) == 0) {
        return args[0];
    }
    PyErr_SetString(PyExc_TypeError, "add() takes one argument, 'value'");
    return NULL;
}

static PyObject *
pending_add_method(Pending *self, PyObject *const *args, Py_ssize_t count, PyObject *kwnames)
{
    PyObject *value = only_value(args, count, kwnames);
    if (value == NULL || pending_add(self, value) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *
pending_forget(Pending *self, PyObject *Py_UNUSED(none))
{
    buffer_free(&self->buffer);
    Py_RETURN_NONE;
}

static PyObject *
pending_latest(Pending *self, PyObject *Py_UNUSED(none))
{
    Buffer *buffer = &self->buffer;
    if (buffer->count == 0) {
        Py_RETURN_NONE;
    }
    return slot_object(buffer->slots[buffer->count - 1], buffer->sort);
}

static PyObject *
pending_taken(Pending *self, PyObject *kind)
{
    if (!PyUnicode_Check(kind)) {
        return PyErr_Format(PyExc_TypeError, "a kind is a text, not %R", kind);
    }
    /* Taken out at once: while a list is being folded others may add, and begin a new buffer. */
    Buffer buffer = self->buffer;
    self->buffer = (Buffer){.sort = REALS};
    PyObject *part = fold_buffer(&buffer, kind);
    buffer_free(&buffer);
    return part;
}

static Py_ssize_t
pending_length(Pending *self)
{
    return self->buffer.count;
}

static int
pending_traverse(Pending *self, visitproc visit, void *arg)
{
    if (self->buffer.sort == ANY) {
        for (Py_ssize_t i = 0; i < self->buffer.count; i++) {
            Py_VISIT(self->buffer.slots[i].any);
        }
    }
    return 0;
}

static int
pending_clear(Pending *self)
{
    buffer_free(&self->buffer);
    return 0;
}

static void
pending_dealloc(Pending *self)
{
    PyObject_GC_UnTrack(self);
    buffer_free(&self->buffer);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef pending_methods[] = {
    {"add", (PyCFunction)(void (*)(void))pending_add_method, METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("add($self, value=1)\n--\n\nTake one value; what is no finite number is counted and "
               "left out later.")},
    {"forget", (PyCFunction)pending_forget, METH_NOARGS,
     PyDoc_STR("forget($self)\n--\n\nForget every value.")},
    {"latest", (PyCFunction)pending_latest, METH_NOARGS,
     PyDoc_STR("latest($self)\n--\n\nLook at the value that was added last; `None` where there is "
               "none.")},
    {"taken", (PyCFunction)pending_taken, METH_O,
     PyDoc_STR("taken($self, kind, /)\n--\n\nRemove all values, and fold them: the fields of a part, "
               "or a list of them if they are no plain numbers.")},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef pending_members[] = {
    {"limit", T_PYSSIZET, offsetof(Pending, limit), 0,
     PyDoc_STR("Values that may be here before `crowded` is called.")},
    {NULL, 0, 0, 0, NULL},
};

static PySequenceMethods pending_as_sequence = {.sq_length = (lenfunc)pending_length};

PyTypeObject PendingType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Pending",
    .tp_doc = PyDoc_STR("Values that are not folded yet, added from any thread."),
    .tp_basicsize = sizeof(Pending),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)pending_dealloc,
    .tp_traverse = (traverseproc)pending_traverse,
    .tp_clear = (inquiry)pending_clear,
    .tp_methods = pending_methods,
    .tp_members = pending_members,
    .tp_as_sequence = &pending_as_sequence,
};
