/* One thread's lane, as far as C must know it: the memory that its rows and open spans are in. */

#include "speedups.h"

int
memory_set(Memory *memory, PyObject *owner)
{
    Py_buffer view;
    if (owner == NULL) {
        PyErr_SetString(PyExc_AttributeError, "a lane's memory may be replaced, not removed");
        return -1;
    }
    if (PyObject_GetBuffer(owner, &view, PyBUF_WRITABLE) < 0) {
        return -1;
    }
    Py_buffer old_view = memory->view;
    PyObject *old = memory->owner;
    memory->view = view;
    memory->owner = Py_NewRef(owner);
    if (old != NULL) {
        PyBuffer_Release(&old_view);
        Py_DECREF(old);
    }
    return 0;
}

void
memory_free(Memory *memory)
{
    if (memory->owner != NULL) {
        Memory old = *memory;
        *memory = (Memory){.owner = NULL};
        PyBuffer_Release(&old.view);
        Py_DECREF(old.owner);
    }
}

/* Where `bytes` bytes at an offset are, or NULL where they are not all inside. */
char *
memory_at(const Memory *memory, uint64_t at, size_t bytes)
{
    uint64_t size = memory->owner == NULL ? 0 : (uint64_t)memory->view.len;
    if (size < bytes || at > size - bytes || at % 8) {
        return NULL;
    }
    return (char *)memory->view.buf + at;
}

static PyObject *
memory_get(const Memory *memory, const char *name)
{
    if (memory->owner == NULL) {
        PyErr_SetString(PyExc_AttributeError, name);
        return NULL;
    }
    return Py_NewRef(memory->owner);
}

static PyObject *
lane_get_buf(Lane *self, void *Py_UNUSED(closure))
{
    return memory_get(&self->buf, "buf");
}

static int
lane_set_buf(Lane *self, PyObject *value, void *Py_UNUSED(closure))
{
    return memory_set(&self->buf, value);
}

static PyObject *
lane_get_rows(Lane *self, void *Py_UNUSED(closure))
{
    return memory_get(&self->rows, "rows");
}

static int
lane_set_rows(Lane *self, PyObject *value, void *Py_UNUSED(closure))
{
    return memory_set(&self->rows, value);
}

static int
lane_traverse(Lane *self, visitproc visit, void *arg)
{
    Py_VISIT(self->buf.owner);
    Py_VISIT(self->rows.owner);
    Py_VISIT(self->opens);
    Py_VISIT(self->wasting);
    Py_VISIT(self->extras);
    return 0;
}

static int
lane_clear(Lane *self)
{
    memory_free(&self->buf);
    memory_free(&self->rows);
    Py_CLEAR(self->opens);
    Py_CLEAR(self->wasting);
    Py_CLEAR(self->extras);
    return 0;
}

static void
lane_dealloc(Lane *self)
{
    PyObject_GC_UnTrack(self);
    lane_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyGetSetDef lane_getset[] = {
    {"buf", (getter)lane_get_buf, (setter)lane_set_buf, PyDoc_STR("The ring."), NULL},
    {"rows", (getter)lane_get_rows, (setter)lane_set_rows,
     PyDoc_STR("What the page is in that rows are written to."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef lane_members[] = {
    {"opens", T_OBJECT_EX, offsetof(Lane, opens), 0, PyDoc_STR("Free slots of open spans.")},
    {"wasting", T_OBJECT_EX, offsetof(Lane, wasting), 0,
     PyDoc_STR("Places of rows that are counted only.")},
    {"extras", T_OBJECT_EX, offsetof(Lane, extras), 0, PyDoc_STR("Where attributes are kept.")},
    {"wasted", T_ULONGLONG, offsetof(Lane, wasted), 0, PyDoc_STR("Rows that were counted only.")},
    {"thread", T_ULONGLONG, offsetof(Lane, thread), 0, PyDoc_STR("The thread's number.")},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject LaneType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Lane",
    .tp_doc = PyDoc_STR("One thread's memory for rows."),
    .tp_basicsize = sizeof(Lane),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)lane_dealloc,
    .tp_traverse = (traverseproc)lane_traverse,
    .tp_clear = (inquiry)lane_clear,
    .tp_getset = lane_getset,
    .tp_members = lane_members,
};
