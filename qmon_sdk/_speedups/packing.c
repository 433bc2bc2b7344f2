/* msgpack of what notes hold: maps of text to text, and the fields of signals.
 *
 * The bytes are those that the library writes, in the shortest form of each value. What it would
 * write and this does not (other types, half characters) is answered with 0: the library is asked.
 */

#include "speedups.h"

/* --- heads of texts, maps and arrays ------------------------------------------------------------- */

/* The codes of one sort of value that has a length: short, and with 8, 16 or 32 bits of it. */
typedef struct {
    uint8_t few;
    int8_t most_few;
    uint8_t in_8, in_16, in_32; /* `in_8` is 0 where there is no such form */
} Sizes;

static const Sizes TEXTS = {0xa0, 31, 0xd9, 0xda, 0xdb};
static const Sizes MAPS = {0x80, 15, 0, 0xde, 0xdf};
static const Sizes ARRAYS = {0x90, 15, 0, 0xdc, 0xdd};
static const Sizes BYTES = {0, -1, 0xc4, 0xc5, 0xc6};

/* Write a code and the low `bits` of a number, the highest first. */
static int
out_code(Out *out, uint8_t code, uint64_t value, int bits)
{
    char bytes[9] = {(char)code};
    int size = 1;
    while (bits > 0) {
        bits -= 8;
        bytes[size++] = (char)(value >> bits);
    }
    return out_bytes(out, bytes, (size_t)size);
}

static int
out_size(Out *out, const Sizes *sizes, Py_ssize_t size)
{
    if (size <= sizes->most_few) {
        return out_byte(out, (uint8_t)(sizes->few | size));
    }
    if (sizes->in_8 && size <= UINT8_MAX) {
        return out_code(out, sizes->in_8, (uint64_t)size, 8);
    }
    return size <= UINT16_MAX ? out_code(out, sizes->in_16, (uint64_t)size, 16)
                              : out_code(out, sizes->in_32, (uint64_t)size, 32);
}

/* --- values: 1 if it is written, 0 if the library has to, -1 with an exception -------------------- */

static int
done(int failed)
{
    return failed < 0 ? -1 : 1;
}

int
pack_text(Out *out, PyObject *text)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    if (bytes == NULL) {
        PyErr_Clear();
        return 0;
    }
    return size > INT32_MAX ? 0 : done(out_size(out, &TEXTS, size) | out_bytes(out, bytes, (size_t)size));
}

/* Write a text of ASCII. */
int
pack_ascii(Out *out, const char *text, size_t size)
{
    return done(out_size(out, &TEXTS, (Py_ssize_t)size) | out_bytes(out, text, size));
}

/* Write the head of an array of so many values, which follow. */
int
pack_array(Out *out, size_t values)
{
    return done(out_size(out, &ARRAYS, (Py_ssize_t)values));
}

/* Write bytes. */
int
pack_bytes(Out *out, const Out *bytes)
{
    return done(out_size(out, &BYTES, (Py_ssize_t)bytes->size) |
                out_bytes(out, bytes->bytes, bytes->size));
}

static uint64_t
high_first(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Pass the head of a map that was written here, and say how many pairs follow. */
size_t
packed_pairs(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    int wide = bytes[0] == MAPS.in_16 ? 2 : bytes[0] == MAPS.in_32 ? 4 : 0;
    *at += 1 + wide;
    return wide ? high_first(bytes + 1, wide) : bytes[0] & 0x0f;
}

/* Pass a text that was written here: how many bytes its head has, and how many follow. */
size_t
packed_text(const char **at, size_t *head)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    int wide = bytes[0] == TEXTS.in_8 ? 1 : bytes[0] == TEXTS.in_16 ? 2 : bytes[0] == TEXTS.in_32 ? 4 : 0;
    size_t size = wide ? high_first(bytes + 1, wide) : bytes[0] & 0x1f;
    *head = 1 + (size_t)wide;
    *at += *head + size;
    return size;
}

int
pack_positive(Out *out, uint64_t value)
{
    if (value < 128) {
        return out_byte(out, (uint8_t)value);
    }
    if (value <= UINT8_MAX) {
        return out_code(out, 0xcc, value, 8);
    }
    if (value <= UINT16_MAX) {
        return out_code(out, 0xcd, value, 16);
    }
    return value <= UINT32_MAX ? out_code(out, 0xce, value, 32) : out_code(out, 0xcf, value, 64);
}

static int
out_negative(Out *out, int64_t value)
{
    if (value >= -32) {
        return out_byte(out, (uint8_t)value);
    }
    if (value >= INT8_MIN) {
        return out_code(out, 0xd0, (uint64_t)value, 8);
    }
    if (value >= INT16_MIN) {
        return out_code(out, 0xd1, (uint64_t)value, 16);
    }
    return value >= INT32_MIN ? out_code(out, 0xd2, (uint64_t)value, 32)
                              : out_code(out, 0xd3, (uint64_t)value, 64);
}

int
pack_whole(Out *out, PyObject *number)
{
    int overflow = 0;
    int64_t value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow) {
        return 0;
    }
    return done(value < 0 ? out_negative(out, value) : pack_positive(out, (uint64_t)value));
}

static int
pack_real(Out *out, PyObject *number)
{
    double value = PyFloat_AS_DOUBLE(number);
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return done(out_code(out, 0xcb, bits, 64));
}

static int
pack_map(Out *out, PyObject *map)
{
    PyObject *key, *text;
    Py_ssize_t at = 0;
    int written = done(out_size(out, &MAPS, PyDict_GET_SIZE(map)));
    while (written == 1 && PyDict_Next(map, &at, &key, &text)) {
        if (!PyUnicode_CheckExact(key) || !PyUnicode_CheckExact(text)) {
            return 0;
        }
        written = pack_text(out, key);
        if (written == 1) {
            written = pack_text(out, text);
        }
    }
    return written;
}

static int
pack_value(Out *out, PyObject *value)
{
    if (PyUnicode_CheckExact(value)) {
        return pack_text(out, value);
    }
    if (PyLong_CheckExact(value)) {
        return pack_whole(out, value);
    }
    if (PyBool_Check(value)) {
        return done(out_byte(out, value == Py_True ? 0xc3 : 0xc2));
    }
    if (PyFloat_CheckExact(value)) {
        return pack_real(out, value);
    }
    return PyDict_CheckExact(value) ? pack_map(out, value) : 0;
}

/* --- what is written as a whole ------------------------------------------------------------------- */

/* Write the fields of a signal. */
int
pack_fields(Out *out, PyObject *signal)
{
    if (!PyTuple_Check(signal)) {
        return 0;
    }
    int written = done(out_size(out, &ARRAYS, PyTuple_GET_SIZE(signal)));
    for (Py_ssize_t i = 0; written == 1 && i < PyTuple_GET_SIZE(signal); i++) {
        written = pack_value(out, PyTuple_GET_ITEM(signal, i));
    }
    return written;
}

/* Write a map of text to text that is given as `pairs` pairs of texts. */
int
pack_pairs(Out *out, PyObject *const *texts, Py_ssize_t pairs)
{
    int written = done(out_size(out, &MAPS, pairs));
    for (Py_ssize_t i = 0; written == 1 && i < 2 * pairs; i++) {
        written = pack_text(out, texts[i]);
    }
    return written;
}
