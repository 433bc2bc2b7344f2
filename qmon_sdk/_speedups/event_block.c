/* A block of events, made of the bytes that were noted, without a record in between.
 *
 * It is what `block_of` and `pack_block` make of the same events. Where that is not certain, there is
 * no such block, and the records are looked at.
 */

#include "events.h"

enum { FIELDS = 8, TIME = 0, FIRST_TEXT = 1, LAST_TEXT = 5, SEQUENCE = 6, ATTRIBUTES = 7 };

typedef struct {
    Py_ssize_t count;
    Slice *cells; /* a row's fields after each other */
    uint32_t *seats, *places, *firsts;
    size_t mask;
} Table;

static const Slice *
cell(const Table *it, Py_ssize_t row, int field)
{
    return &it->cells[row * FIELDS + field];
}

static int
same_slice(const Slice *one, const Slice *other)
{
    return one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0;
}

/* --- rows: 1, or 0 for what was not written here ---------------------------------------------------- */

/* Read a whole number, and say how many bytes it has; 0 if it is none of 63 bits. */
static size_t
read_whole(const char *at, int64_t *value)
{
    const unsigned char *bytes = (const unsigned char *)at;
    size_t wide = bytes[0] >= 0xcc && bytes[0] <= 0xcf ? (size_t)1 << (bytes[0] - 0xcc) : 0;
    uint64_t read = 0;
    if (bytes[0] < 0x80) {
        *value = bytes[0];
        return 1;
    }
    for (size_t i = 1; i <= wide; i++) {
        read = read << 8 | bytes[i];
    }
    *value = (int64_t)read;
    return wide && read <= INT64_MAX ? 1 + wide : 0;
}

static int
is_text_here(const char *at)
{
    unsigned char head = (unsigned char)*at;
    return (head & 0xe0) == 0xa0 || (head >= 0xd9 && head <= 0xdb);
}

static int
is_map_here(const char *at)
{
    unsigned char head = (unsigned char)*at;
    return (head & 0xf0) == 0x80 || head == 0xde || head == 0xdf;
}

static int
read_row(Slice *cells, PyObject *row)
{
    const char *at = PyBytes_AS_STRING(row), *end = at + PyBytes_GET_SIZE(row);
    int64_t number;
    size_t head;
    if ((unsigned char)*at++ != (0x90 | FIELDS)) {
        return 0;
    }
    for (int field = 0; field < ATTRIBUTES; field++) {
        const char *start = at;
        if (field == TIME || field == SEQUENCE) {
            at += read_whole(at, &number);
        } else if (is_text_here(at)) {
            (void)packed_text(&at, &head);
        }
        if (at == start || at >= end) {
            return 0;
        }
        cells[field] = (Slice){start, (size_t)(at - start)};
    }
    cells[ATTRIBUTES] = (Slice){at, (size_t)(end - at)};
    return is_map_here(at);
}

/* --- columns: 0, or -1 with an exception --------------------------------------------------------------- */

static int
is_constant(const Table *it, int field)
{
    for (Py_ssize_t row = it->count - 1; row > 0; row--) {
        if (!same_slice(cell(it, row, field), cell(it, 0, field))) {
            return 0;
        }
    }
    return 1;
}

static int
out_slice(Out *out, const Slice *slice)
{
    return out_bytes(out, slice->bytes, slice->size);
}

static int
out_wholes(Out *out, const Table *it, int field)
{
    Out numbers = {0};
    int64_t value = 0;
    int failed = 0;
    for (Py_ssize_t row = 0; !failed && row < it->count; row++) {
        (void)read_whole(cell(it, row, field)->bytes, &value);
        failed = out_u64(&numbers, (uint64_t)value);
    }
    failed = failed || pack_bytes(out, &numbers) < 0;
    out_free(&numbers);
    return failed ? -1 : 0;
}

static size_t
seat_of(const Table *it, const Slice *slice)
{
    uint64_t hash = slice->size, part;
    size_t at = 0;
    for (; at + 8 <= slice->size; at += 8) {
        memcpy(&part, slice->bytes + at, 8);
        hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    for (; at < slice->size; at++) {
        hash = (hash ^ (unsigned char)slice->bytes[at]) * 0x9E3779B97F4A7C15u;
    }
    return (size_t)(hash ^ hash >> 32) & it->mask;
}

/* Number the different texts in the order in which they come; gives how many there are. */
static uint32_t
number_texts(Table *it, int field)
{
    uint32_t distinct = 0;
    memset(it->seats, 0xff, (it->mask + 1) * sizeof(uint32_t));
    for (Py_ssize_t row = 0; row < it->count; row++) {
        const Slice *text = cell(it, row, field);
        if (row && same_slice(text, cell(it, row - 1, field))) {
            it->places[row] = it->places[row - 1];
            continue;
        }
        size_t seat = seat_of(it, text);
        while (it->seats[seat] != UINT32_MAX &&
               !same_slice(text, cell(it, it->firsts[it->seats[seat]], field))) {
            seat = (seat + 1) & it->mask;
        }
        if (it->seats[seat] == UINT32_MAX) {
            it->firsts[distinct] = (uint32_t)row;
            it->seats[seat] = distinct++;
        }
        it->places[row] = it->seats[seat];
    }
    return distinct;
}

static int
out_all_texts(Out *out, const Table *it, int field)
{
    int failed = pack_array(out, 2) < 0 || pack_ascii(out, "t", 1) < 0 ||
                 pack_array(out, (size_t)it->count) < 0;
    for (Py_ssize_t row = 0; !failed && row < it->count; row++) {
        failed = out_slice(out, cell(it, row, field)) < 0;
    }
    return failed ? -1 : 0;
}

static int
out_texts(Out *out, Table *it, int field)
{
    uint32_t distinct = number_texts(it, field);
    if ((Py_ssize_t)distinct * 2 > it->count) {
        return out_all_texts(out, it, field);
    }
    Out places = {0};
    int failed = 0;
    for (Py_ssize_t row = 0; !failed && row < it->count; row++) {
        failed = out_u32(&places, it->places[row]);
    }
    failed = failed || pack_array(out, 3) < 0 || pack_ascii(out, "d", 1) < 0 ||
             pack_bytes(out, &places) < 0 || pack_array(out, distinct) < 0;
    for (uint32_t i = 0; !failed && i < distinct; i++) {
        failed = out_slice(out, cell(it, (Py_ssize_t)it->firsts[i], field)) < 0;
    }
    out_free(&places);
    return failed ? -1 : 0;
}

/* Write the maps: 1, or 0 where that takes a look at their texts. */
static int
out_maps(Out *out, const Table *it)
{
    const char **maps = PyMem_Malloc((size_t)it->count * sizeof(*maps));
    PyObject *column = NULL;
    for (Py_ssize_t row = 0; maps != NULL && row < it->count; row++) {
        maps[row] = cell(it, row, ATTRIBUTES)->bytes;
    }
    if (maps != NULL) {
        column = packed_maps(maps, it->count);
    } else {
        PyErr_NoMemory();
    }
    PyMem_Free(maps);
    int failed = column != NULL && out_bytes(out, PyBytes_AS_STRING(column),
                                             (size_t)PyBytes_GET_SIZE(column)) < 0;
    int written = column != NULL && !failed;
    Py_XDECREF(column);
    return PyErr_Occurred() ? -1 : written;
}

static int
out_column(Out *out, Table *it, int field)
{
    if (is_constant(it, field)) {
        return out_slice(out, cell(it, 0, field)) < 0 ? -1 : 1;
    }
    if (field == ATTRIBUTES) {
        return out_maps(out, it);
    }
    int failed = field >= FIRST_TEXT && field <= LAST_TEXT ? out_texts(out, it, field)
                                                           : out_wholes(out, it, field);
    return failed ? -1 : 1;
}

/* --- the block ------------------------------------------------------------------------------------------ */

static int
table_begin(Table *it, Py_ssize_t count)
{
    for (it->mask = 15; it->mask < 2 * (size_t)count; it->mask = it->mask * 2 + 1) {
    }
    it->count = count;
    it->cells = PyMem_Malloc((size_t)count * FIELDS * sizeof(Slice) +
                             (it->mask + 1 + 2 * (size_t)count) * sizeof(uint32_t));
    if (it->cells == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    it->seats = (uint32_t *)(it->cells + count * FIELDS);
    it->places = it->seats + it->mask + 1;
    it->firsts = it->places + count;
    return 0;
}

static int
read_rows(Table *it, PyObject *rows)
{
    for (Py_ssize_t row = 0; row < it->count; row++) {
        PyObject *packed = PyTuple_GET_ITEM(rows, row);
        if (!PyBytes_CheckExact(packed) || !read_row(&it->cells[row * FIELDS], packed)) {
            return 0;
        }
    }
    return 1;
}

PyObject *
event_block(PyObject *Py_UNUSED(module), PyObject *rows)
{
    Table it;
    Out out = {0};
    if (!PyTuple_CheckExact(rows) || PyTuple_GET_SIZE(rows) == 0) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    if (table_begin(&it, PyTuple_GET_SIZE(rows)) < 0) {
        return NULL;
    }
    int written = read_rows(&it, rows);
    if (written && (pack_array(&out, 3) < 0 || pack_ascii(&out, "event", 5) < 0 ||
                    pack_positive(&out, (uint64_t)it.count) < 0 || pack_array(&out, FIELDS) < 0)) {
        written = -1;
    }
    for (int field = 0; written == 1 && field < FIELDS; field++) {
        written = out_column(&out, &it, field);
    }
    PyObject *block = written == 1   ? out_object(&out)
                      : written == 0 ? Py_NewRef(Py_NotImplemented) : NULL;
    PyMem_Free(it.cells);
    out_free(&out);
    return block;
}
