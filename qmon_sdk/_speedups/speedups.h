/* What the files of the accelerator know of each other. `module.c` joins them. */

#ifndef QMON_SPEEDUPS_H
#define QMON_SPEEDUPS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* Raised by one whenever Python code of another generation would not fit: `accelerator.py` looks. */
#define GENERATION 2

/* Names that are looked up or compared again and again, interned once. */
typedef struct {
    PyObject *name, *value, *unit, *attributes, *crowded, *missed, *key_of;
    PyObject *counter, *distribution;
    PyObject *one;
} Names;

extern Names names;

/* --- pending.c: the values of a series that are not folded yet -------------------------------- */

typedef union {
    double real;
    long long whole;
    PyObject *any;
} Slot;

/* What all values of a buffer are: it is as small as that allows, and takes any object at last. */
typedef enum { REALS, WHOLES, ANY } Sort;

typedef struct {
    Slot *slots;
    Py_ssize_t count, room;
    Sort sort;
} Buffer;

typedef struct {
    PyObject_HEAD
    Buffer buffer;
    Py_ssize_t limit;
} Pending;

extern PyTypeObject PendingType;

int pending_add(Pending *self, PyObject *value);
PyObject *buffer_list(const Buffer *buffer);
void buffer_free(Buffer *buffer);

/* --- folding.c -------------------------------------------------------------------------------- */

int folding_setup(void);
PyObject *fold_buffer(const Buffer *buffer, PyObject *kind);

/* --- bytes_out.c: bytes that grow while numbers are written to them ----------------------------- */

typedef struct {
    char *bytes;
    size_t size, room;
} Out;

int out_byte(Out *out, uint8_t value);
int out_u32(Out *out, uint32_t value);
int out_u64(Out *out, uint64_t value);
int out_f64(Out *out, double value);
PyObject *out_object(const Out *out);
void out_free(Out *out);

/* --- columns.c: the writers of columns, as `protocol/columns.py` has them ----------------------- */

/* Texts by their place in the list of those that are different. */
typedef struct {
    PyObject *known, *distinct;
    PyObject *last; /* borrowed, and the place it has */
    uint32_t last_place;
    Out out;
} Places;

PyObject *columns_words(PyObject *module, PyObject *values);
PyObject *columns_labels(PyObject *module, PyObject *values);
PyObject *columns_wholes(PyObject *module, PyObject *values);
PyObject *columns_reals(PyObject *module, PyObject *values);
PyObject *columns_flags(PyObject *module, PyObject *values);
PyObject *columns_buckets(PyObject *module, PyObject *values);

/* --- shelf.c: the series of one kind, by what the application says ----------------------------- */

extern PyTypeObject ShelfType;

#endif
