/* Product events: what `events.c` and `event_block.c` have in common with others. */

#ifndef QMON_EVENTS_H
#define QMON_EVENTS_H

#include "speedups.h"

/* A value as it is packed, in bytes that somebody else holds. */
typedef struct {
    const char *bytes;
    size_t size;
} Slice;

extern PyTypeObject EventsType;

PyObject *event_block(PyObject *module, PyObject *rows);
PyObject *packed_maps(const char *const *maps, Py_ssize_t count);

#endif
