/* The notes of a flight ring: entries that are small, and lost to later ones when there are many.
 *
 * What `PureNotes` does under a lock is one step here: no Python runs between the first store and
 * the last. The stores come in its order, since the process may be killed between any two.
 */

#include "speedups.h"

typedef struct {
    PyObject_HEAD
    Memory buf;
    uint64_t end;
} Notes;

/* Write an entry, and return its position; 0 if it found no place. */
uint64_t
notes_write(PyObject *any, unsigned kind, const char *payload, size_t length)
{
    Notes *self = (Notes *)any;
    size_t size = NOTE_BYTES + ((length + 7) & ~(size_t)7);
    uint64_t position = self->end, place = position % NOTES_BYTES;
    if (length > NOTES_BYTES / 8) {
        return 0;
    }
    if (place + size > NOTES_BYTES) { /* an entry lies in one piece */
        position += NOTES_BYTES - place;
        place = 0;
    }
    char *at = memory_at(&self->buf, NOTES_AT + place, size);
    char *noted = memory_at(&self->buf, NOTED, 8);
    if (at == NULL || noted == NULL) {
        return 0;
    }
    self->end = position + size;
    /* First what is overwritten stops to count, then what is new begins to. */
    publish(noted, self->end);
    order_stores();
    memcpy(at + NOTE_BYTES, payload, length);
    uint64_t about[] = {(uint64_t)length | (uint64_t)kind << 32};
    put(at + 8, about, 1);
    publish(at, position);
    return position;
}

static PyObject *
notes_add(Notes *self, PyObject *args)
{
    unsigned int kind;
    Py_buffer payload;
    if (!PyArg_ParseTuple(args, "Iy*:add", &kind, &payload)) {
        return NULL;
    }
    uint64_t position = notes_write((PyObject *)self, kind, payload.buf, (size_t)payload.len);
    PyBuffer_Release(&payload);
    return PyLong_FromUnsignedLongLong(position);
}

/* Write the bytes of a signal, with the library's help where that is needed, and give what waits of
 * it: of an event its bytes, which `event_block` reads, of others themselves. */
static PyObject *
pack_signal(Out *out, unsigned kind, PyObject *signal)
{
    int written = pack_fields(out, signal);
    if (written == 0) {
        written = out_packed(out, signal) < 0 ? -1 : 0;
    }
    return written < 0 ? NULL : written && kind == NOTE_EVENT ? out_object(out) : Py_NewRef(signal);
}

/* Put a signal among those waiting, in the order of their notes: no Python runs in here. */
int
notes_wait(PyObject *any, unsigned kind, const Out *bytes, PyObject *entry, PyObject *waiting)
{
    PyObject *position =
        PyLong_FromUnsignedLongLong(notes_write(any, kind, bytes->bytes, bytes->size));
    if (position == NULL) {
        return -1;
    }
    PyTuple_SET_ITEM(entry, 0, position);
    return PyList_Append(waiting, entry);
}

static PyObject *
notes_keep(Notes *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 3 || !PyList_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "keep(kind, signal, waiting): a number, a signal, a list");
        return NULL;
    }
    unsigned long kind = PyLong_AsUnsignedLong(args[0]);
    Out bytes = {0};
    PyObject *kept = PyErr_Occurred() ? NULL : pack_signal(&bytes, (unsigned)kind, args[1]);
    if (kept == NULL) {
        out_free(&bytes);
        return NULL;
    }
    PyObject *size = PyLong_FromSize_t(bytes.size), *entry = PyTuple_New(3);
    if (size != NULL && entry != NULL) {
        PyTuple_SET_ITEM(entry, 1, Py_NewRef(size));
        PyTuple_SET_ITEM(entry, 2, Py_NewRef(kept));
        if (notes_wait((PyObject *)self, (unsigned)kind, &bytes, entry, args[2]) < 0) {
            Py_CLEAR(size);
        }
    } else {
        Py_CLEAR(size);
    }
    Py_XDECREF(entry);
    Py_DECREF(kept);
    out_free(&bytes);
    return size;
}

/* --- the type ------------------------------------------------------------------------------------- */

static PyObject *
notes_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *buf;
    if (!PyArg_ParseTuple(args, "O:Notes", &buf)) {
        return NULL;
    }
    Notes *self = (Notes *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->end = 8; /* position 0 means "none" */
        if (memory_set(&self->buf, buf) < 0) {
            Py_CLEAR(self);
        }
    }
    return (PyObject *)self;
}

static int
notes_traverse(Notes *self, visitproc visit, void *arg)
{
    Py_VISIT(self->buf.owner);
    return 0;
}

static int
notes_clear(Notes *self)
{
    memory_free(&self->buf);
    return 0;
}

static void
notes_dealloc(Notes *self)
{
    PyObject_GC_UnTrack(self);
    memory_free(&self->buf);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef notes_methods[] = {
    {"add", (PyCFunction)notes_add, METH_VARARGS,
     PyDoc_STR("add($self, kind, payload, /)\n--\n\nWrite an entry, and return its position; 0 if "
               "it found no place.")},
    {"keep", (PyCFunction)(void (*)(void))notes_keep, METH_FASTCALL,
     PyDoc_STR("keep($self, kind, signal, waiting, /)\n--\n\nWrite a signal, put it among those "
               "waiting, and return the bytes it takes.")},
    {NULL, NULL, 0, NULL},
};

PyTypeObject NotesType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Notes",
    .tp_doc = PyDoc_STR("Entries that are small and may be lost to later ones."),
    .tp_basicsize = sizeof(Notes),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = notes_new,
    .tp_dealloc = (destructor)notes_dealloc,
    .tp_traverse = (traverseproc)notes_traverse,
    .tp_clear = (inquiry)notes_clear,
    .tp_methods = notes_methods,
};
