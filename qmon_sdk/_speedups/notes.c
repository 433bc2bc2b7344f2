/* The ring of notes, as `recorder/byte_rings.py` has it; here no lock is needed, since nothing else
 * of the interpreter runs while an entry is written. */

#include "speedups.h"

typedef struct {
    PyObject_HEAD
    Memory buf;
    uint64_t end;
} Notes;

/* Write an entry, and return its position; 0 if it found no place. */
static uint64_t
notes_write(Notes *self, uint64_t kind, const char *payload, size_t length)
{
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
    publish(at, 0);
    memcpy(at + NOTE_BYTES, payload, length);
    uint64_t word = (uint64_t)length | kind << 32;
    put(at + 8, &word, 1);
    publish(at, position);
    return position;
}

/* The same for any object: 0 where it is none of ours. */
uint64_t
note(PyObject *any, uint64_t kind, const Out *payload)
{
    return Py_IS_TYPE(any, &NotesType) ? notes_write((Notes *)any, kind, payload->bytes, payload->size)
                                       : 0;
}

static PyObject *
notes_add(Notes *self, PyObject *args)
{
    unsigned short kind;
    Py_buffer payload;
    if (!PyArg_ParseTuple(args, "Hy*:add", &kind, &payload)) {
        return NULL;
    }
    uint64_t position = notes_write(self, kind, payload.buf, (size_t)payload.len);
    PyBuffer_Release(&payload);
    return PyLong_FromUnsignedLongLong(position);
}

static PyObject *
notes_keep(Notes *self, PyObject *args)
{
    unsigned short kind;
    Py_buffer payload;
    PyObject *signal, *waiting;
    if (!PyArg_ParseTuple(args, "Hy*OO!:keep", &kind, &payload, &signal, &PyList_Type, &waiting)) {
        return NULL;
    }
    uint64_t position = notes_write(self, kind, payload.buf, (size_t)payload.len);
    PyObject *entry = Py_BuildValue("(KnO)", position, payload.len, signal);
    PyBuffer_Release(&payload);
    int done = entry == NULL ? -1 : PyList_Append(waiting, entry);
    Py_XDECREF(entry);
    return done < 0 ? NULL : Py_NewRef(Py_None);
}

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

static void
notes_dealloc(Notes *self)
{
    memory_free(&self->buf);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef notes_methods[] = {
    {"add", (PyCFunction)notes_add, METH_VARARGS,
     PyDoc_STR("add($self, kind, payload, /)\n--\n\nWrite an entry, and return its position; 0 if it "
               "found no place.")},
    {"keep", (PyCFunction)notes_keep, METH_VARARGS,
     PyDoc_STR("keep($self, kind, payload, signal, waiting, /)\n--\n\nWrite a signal, and put it "
               "among those waiting for a frame in the same order.")},
    {NULL, NULL, 0, NULL},
};

PyTypeObject NotesType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Notes",
    .tp_doc = PyDoc_STR("Entries that are small and may be lost to later ones."),
    .tp_basicsize = sizeof(Notes),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = notes_new,
    .tp_dealloc = (destructor)notes_dealloc,
    .tp_methods = notes_methods,
};
