/* What C calls, and looks at, of the Python around it; given once, by `recorder/wrappers.py`. */

#include "speedups.h"

static int
hold(PyObject **place, PyObject *value)
{
    Py_XSETREF(*place, Py_NewRef(value));
    return 0;
}

static int
are_context_variables(PyObject *one, PyObject *other)
{
    if (PyContextVar_CheckExact(one) && PyContextVar_CheckExact(other)) {
        return 1;
    }
    PyErr_SetString(PyExc_TypeError, "cell and scope are context variables");
    return 0;
}

PyObject *
join(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"cell", "scope", "cell_type", "who_place", "adopt", "draw",
                               "told", "failed", "trouble", "forked", NULL};
    PyObject *cell, *scope, *cell_type, *adopt, *draw, *told, *failed, *trouble, *forked;
    Py_ssize_t who_place;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "$OOO!nOOOOOO:join", keywords, &cell, &scope,
                                     &PyType_Type, &cell_type, &who_place, &adopt, &draw, &told, &failed,
                                     &trouble, &forked) ||
        !are_context_variables(cell, scope)) {
        return NULL;
    }
    hold(&joined.cell, cell);
    hold(&joined.scope, scope);
    hold(&joined.adopt, adopt);
    hold(&joined.draw, draw);
    hold(&joined.told, told);
    hold(&joined.failed, failed);
    hold(&joined.trouble, trouble);
    hold(&joined.forked, forked);
    joined.cell_type = (PyTypeObject *)Py_NewRef(cell_type);
    joined.who_place = who_place;
    watch_forks();
    Py_RETURN_NONE;
}

/* Write a value as the library does, in place of what was written so far. */
int
out_packed(Out *out, PyObject *value)
{
    char *bytes;
    Py_ssize_t size;
    PyObject *library = PyImport_ImportModule("qmon_sdk.recorder.packing");
    PyObject *packed = library == NULL ? NULL : PyObject_CallMethod(library, "packed", "(O)", value);
    Py_XDECREF(library);
    int failed = packed == NULL ? -1 : PyBytes_AsStringAndSize(packed, &bytes, &size);
    if (!failed) {
        out->size = 0;
        failed = out_bytes(out, bytes, (size_t)size);
    }
    Py_XDECREF(packed);
    return failed;
}

/* How the bytes of a ring lie is written down twice, here and in Python: hold them to each other. */
int
check_layout(void)
{
    struct { const char *name; long value; } said[] = {
        {"OPENS_AT", NO_SLOT},       {"OPEN_BYTES", OPEN_BYTES}, {"OPEN_INSIDE_AT", OPEN_INSIDE_AT},
        {"OPEN_SPAN", OPEN_SPAN},    {"ROW_BYTES", ROW_BYTES},   {"ROW_SPAN", ROW_SPAN},
        {"EXTRA", NOTE_EXTRA},       {"EVENT", NOTE_EVENT},
        {"OPEN_TEXT", OPEN_TEXT},    {"OPEN_TEXT_BYTES", OPEN_TEXT_BYTES},
        {"CHUNK_BYTES", CHUNK_BYTES}, {"CHUNK_HEAD", CHUNK_HEAD}, {"CHUNK_TAKEN", CHUNK_TAKEN},
        {"NOTED", NOTED},            {"NOTES_AT", NOTES_AT},     {"NOTES_BYTES", NOTES_BYTES},
    };
    PyObject *flight = PyImport_ImportModule("qmon_sdk.protocol.flight");
    int done = flight == NULL ? -1 : 0;
    for (size_t i = 0; done == 0 && i < sizeof(said) / sizeof(said[0]); i++) {
        PyObject *found = PyObject_GetAttrString(flight, said[i].name);
        if (found == NULL || PyLong_AsLong(found) != said[i].value) {
            PyErr_Format(PyExc_ImportError, "a ring's %s is another by now", said[i].name);
            done = -1;
        }
        Py_XDECREF(found);
    }
    Py_XDECREF(flight);
    return done;
}
