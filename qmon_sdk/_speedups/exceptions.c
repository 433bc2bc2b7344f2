/* The exception that is being raised, as one object, in every version of the interpreter. */

#include "speedups.h"

/* Take it, so that other code can run; NULL if there is none. */
PyObject *
raised_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return error;
#endif
}

/* Raise it again; takes the reference. */
void
raise_exception(PyObject *error)
{
    if (error == NULL) {
        return;
    }
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(error);
#else
    PyObject *traceback = PyException_GetTraceback(error);
    PyErr_Restore(Py_NewRef(Py_TYPE(error)), error, traceback);
#endif
}

static int
is_alone(PyObject *error)
{
    PyObject *cause = PyException_GetCause(error), *context = PyException_GetContext(error);
    int alone = cause == NULL && context == NULL &&
                !PyType_IsSubtype(Py_TYPE(error), (PyTypeObject *)PyExc_BaseExceptionGroup);
    Py_XDECREF(cause);
    Py_XDECREF(context);
    return alone;
}

/* Name the path that an exception took by its type and the addresses of the instructions, as
 * `anatomy.key_of` does; `None` where it is not alone. */
PyObject *
path_key(PyObject *Py_UNUSED(module), PyObject *error)
{
    Out out = {0};
    if (!PyExceptionInstance_Check(error) || !is_alone(error)) {
        Py_RETURN_NONE;
    }
    PyObject *trace = PyException_GetTraceback(error), *key = NULL;
    int failed = 0;
    for (PyTracebackObject *entry = (PyTracebackObject *)trace; !failed && entry != NULL;
         entry = entry->tb_next) {
        PyCodeObject *code = PyFrame_GetCode(entry->tb_frame);
        failed = out_u64(&out, (uint64_t)(uintptr_t)code + (uint64_t)(int64_t)entry->tb_lasti);
        Py_DECREF(code); /* its frame has it too */
    }
    if (!failed) {
        key = Py_BuildValue("(ON)", (PyObject *)Py_TYPE(error), out_object(&out));
    }
    Py_XDECREF(trace);
    out_free(&out);
    return key;
}
