/* Bytes that grow while numbers are written to them, little-endian whatever the machine. */

#include "speedups.h"

enum { FIRST_BYTES = 256 };

static int
make_room(Out *out, size_t more)
{
    size_t room = out->room ? out->room : FIRST_BYTES;
    if (out->size + more <= out->room) {
        return 0;
    }
    while (room < out->size + more) {
        room *= 2;
    }
    char *bytes = PyMem_Realloc(out->bytes, room);
    if (bytes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    out->bytes = bytes;
    out->room = room;
    return 0;
}

/* Compilers make one store of this where the machine is little-endian itself. */
static void
store(char *at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        at[i] = (char)(value >> (8 * i));
    }
}

int
out_bytes(Out *out, const char *bytes, size_t size)
{
    if (size == 0 || make_room(out, size) < 0) {
        return size == 0 ? 0 : -1;
    }
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
    return 0;
}

int
out_byte(Out *out, uint8_t value)
{
    if (make_room(out, 1) < 0) {
        return -1;
    }
    out->bytes[out->size++] = (char)value;
    return 0;
}

int
out_u32(Out *out, uint32_t value)
{
    if (make_room(out, 4) < 0) {
        return -1;
    }
    store(out->bytes + out->size, value, 4);
    out->size += 4;
    return 0;
}

int
out_u64(Out *out, uint64_t value)
{
    if (make_room(out, 8) < 0) {
        return -1;
    }
    store(out->bytes + out->size, value, 8);
    out->size += 8;
    return 0;
}

int
out_f64(Out *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return out_u64(out, bits);
}

PyObject *
out_object(const Out *out)
{
    return PyBytes_FromStringAndSize(out->bytes, (Py_ssize_t)out->size);
}

void
out_free(Out *out)
{
    PyMem_Free(out->bytes);
    *out = (Out){0};
}
