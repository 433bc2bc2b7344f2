/* The writers of columns and what they write to; `speedups.h` includes it. */

#ifndef QMON_COLUMNS_H
#define QMON_COLUMNS_H

#include <Python.h>

/* --- bytes_out.c: bytes that grow while numbers are written to them ----------------------------- */

typedef struct {
    char *bytes;
    size_t size, room;
} Out;

int out_byte(Out *out, uint8_t value);
int out_u32(Out *out, uint32_t value);
int out_u64(Out *out, uint64_t value);
int out_bytes(Out *out, const char *bytes, size_t size);
int out_f64(Out *out, double value);
PyObject *out_object(const Out *out);
void out_free(Out *out);

/* --- columns.c, label_columns.c: the writers of columns, as `protocol/columns.py` has them ----------------------- */

/* Texts by their place in the list of those that are different. */
typedef struct {
    PyObject *known, *distinct;
    PyObject *last; /* borrowed, and the place it has */
    uint32_t last_place;
    Out out;
} Places;

int is_labels(PyObject *value);
int same_text(PyObject *one, PyObject *other);
int places_begin(Places *places);
int places_add(Places *places, PyObject *text);
void places_free(Places *places);

/* Maps whose keys differ: the keys by their places, all texts, and how many pairs each map has. */
typedef struct {
    Places keys;
    Out lengths;
    PyObject *texts;
} Maps;

int maps_begin(Maps *maps);
/* The column, or NULL unless all went well; what it was made of is let go in any case. */
PyObject *maps_end(Maps *maps, int is_well);

int every(PyObject *values, int (*is_right)(PyObject *));
int is_text(PyObject *value);
int maps_alike(PyObject *values);
PyObject *columns_words(PyObject *module, PyObject *values);
PyObject *columns_labels(PyObject *module, PyObject *values);
PyObject *columns_wholes(PyObject *module, PyObject *values);
PyObject *columns_reals(PyObject *module, PyObject *values);
PyObject *columns_flags(PyObject *module, PyObject *values);
PyObject *columns_buckets(PyObject *module, PyObject *values);

#endif
