/* A column of attributes, made of the bytes that were noted, without a text in between.
 *
 * It is what the texts would be packed as. Where that is not certain (rows that may all be alike, keys
 * that a site has too, very many keys) there is no such column, and the texts are looked at.
 */

#include "events.h"

enum { MOST_KEYS = 64, MOST_SITES = 64, MOST_IN_ROW = 32 };

/* What all rows of a site have. */
typedef struct {
    Out texts;
    uint32_t keys[MOST_IN_ROW];
    size_t count;
} Prefix;

typedef struct {
    Slice keys[MOST_KEYS];
    uint32_t count;
    Out key_texts; /* of sites, which are packed here */
    Prefix *prefixes;
    Py_ssize_t sites;
    Out lengths, places, texts;
    size_t values;
    uint32_t first[MOST_IN_ROW], row[MOST_IN_ROW]; /* keys of the first row, and of this one */
    size_t first_count;
    int is_different; /* two rows are not alike, for certain */
} Column;

/* The place of a key among those of the column, or -1 where there are too many. */
static int
key_place(Column *it, Slice key, uint32_t guess)
{
    if (guess < it->count && it->keys[guess].size == key.size &&
        memcmp(it->keys[guess].bytes, key.bytes, key.size) == 0) {
        return (int)guess;
    }
    for (uint32_t i = 0; i < it->count; i++) {
        if (it->keys[i].size == key.size && memcmp(it->keys[i].bytes, key.bytes, key.size) == 0) {
            return (int)i;
        }
    }
    if (it->count == MOST_KEYS) {
        return -1;
    }
    it->keys[it->count] = key;
    return (int)it->count++;
}

/* Pass a packed text. */
static Slice
slice_at(const char **at)
{
    size_t head;
    const char *start = *at;
    (void)packed_text(at, &head);
    return (Slice){start, (size_t)(*at - start)};
}

/* --- sites ------------------------------------------------------------------------------------------ */

/* Pack the attributes of all sites: 1, or 0 if they are not so few and plain. */
static int
pack_sites(Column *it, PyObject *sites)
{
    for (Py_ssize_t i = 0; i < it->sites; i++) {
        PyObject *key, *text, *map = PyList_GET_ITEM(sites, i);
        Py_ssize_t at = 0;
        if (PyDict_GET_SIZE(map) > MOST_IN_ROW / 2) {
            return 0;
        }
        while (PyDict_Next(map, &at, &key, &text)) {
            if (pack_text(&it->key_texts, key) != 1 || pack_text(&it->prefixes[i].texts, text) != 1) {
                return 0;
            }
            it->prefixes[i].count++;
        }
    }
    return 1;
}

/* Number a site's keys when its first row comes, so that keys are in the order in which they come. */
static int
number_keys(Column *it, Py_ssize_t site)
{
    const char *at = it->key_texts.bytes;
    for (Py_ssize_t i = 0; i < site; i++) {
        for (size_t key = 0; key < it->prefixes[i].count; key++) {
            (void)slice_at(&at);
        }
    }
    for (size_t i = 0; i < it->prefixes[site].count; i++) {
        int place = key_place(it, slice_at(&at), it->count);
        if (place < 0) {
            return 0;
        }
        it->prefixes[site].keys[i] = (uint32_t)place;
    }
    return 1;
}

/* --- rows ------------------------------------------------------------------------------------------- */

/* Pass a row's pairs, keeping the places of its keys and its texts: 1, or 0 if it is not so plain. */
static int
pass_row(Column *it, size_t count, const char *at, size_t pairs)
{
    for (size_t i = 0; i < pairs; i++) {
        int place = key_place(it, slice_at(&at), it->row[count + i]);
        if (place < 0) {
            return 0;
        }
        for (size_t k = 0; k < count; k++) {
            if (it->row[k] == (uint32_t)place) { /* said of the site too */
                return 0;
            }
        }
        it->row[count + i] = (uint32_t)place;
        Slice text = slice_at(&at);
        if (out_bytes(&it->texts, text.bytes, text.size) < 0) {
            return -1;
        }
    }
    return 1;
}

/* Find out whether this row is another than the first, if only that. */
static void
compare(Column *it, size_t count, int is_same)
{
    int same_keys = count == it->first_count;
    it->is_different |= !same_keys;
    for (size_t i = 0; same_keys && i < count; i++) {
        it->is_different |= it->row[i] >= it->first_count; /* a key that the first has not */
        same_keys &= it->row[i] == it->first[i];
    }
    it->is_different |= same_keys && !is_same;
}

static int
add_row(Column *it, Py_ssize_t site, const char *at, const Slice *first)
{
    Prefix *prefix = &it->prefixes[site];
    size_t start = it->texts.size, pairs = packed_pairs(&at), count = prefix->count + pairs;
    if (count > MOST_IN_ROW || (prefix->count && prefix->keys[0] == UINT32_MAX && !number_keys(it, site))) {
        return 0;
    }
    memcpy(it->row, prefix->keys, prefix->count * sizeof(uint32_t));
    if (out_bytes(&it->texts, prefix->texts.bytes, prefix->texts.size) < 0) {
        return -1;
    }
    int passed = pass_row(it, prefix->count, at, pairs);
    if (passed != 1) {
        return passed;
    }
    for (size_t i = 0; i < count; i++) {
        if (out_u32(&it->places, it->row[i]) < 0) {
            return -1;
        }
    }
    it->values += count;
    if (first == NULL) {
        memcpy(it->first, it->row, sizeof(it->first));
        it->first_count = count;
    } else if (!it->is_different) {
        size_t size = it->texts.size - start;
        int is_same = size == first->size &&
                      (size == 0 || memcmp(it->texts.bytes, it->texts.bytes + start, size) == 0);
        compare(it, count, is_same);
    }
    return out_u32(&it->lengths, (uint32_t)count) < 0 ? -1 : 1;
}

static Py_ssize_t
site_of(const Py_buffer *places, Py_ssize_t row)
{
    uint32_t place = 0;
    if (places->len) {
        memcpy(&place, (const char *)places->buf + 4 * row, 4);
        place = (uint32_t)(little((uint64_t)place) >> (PY_BIG_ENDIAN ? 32 : 0));
    }
    return (Py_ssize_t)place;
}

static int
add_rows(Column *it, const Py_buffer *places, PyObject *rows)
{
    Slice first = {NULL, 0};
    int added = 1;
    for (Py_ssize_t i = 0; added == 1 && i < PyTuple_GET_SIZE(rows); i++) {
        added = add_row(it, site_of(places, i), PyBytes_AS_STRING(PyTuple_GET_ITEM(rows, i)), i ? &first : NULL);
        first.size = i ? first.size : it->texts.size;
    }
    return added == 1 && !it->is_different ? 0 : added;
}

/* --- the column -------------------------------------------------------------------------------------- */

static PyObject *
write_column(const Column *it)
{
    Out out = {0};
    int failed = pack_array(&out, 5) < 0 || pack_ascii(&out, "k", 1) < 0 ||
                 pack_bytes(&out, &it->lengths) < 0 || pack_bytes(&out, &it->places) < 0 ||
                 pack_array(&out, it->count) < 0;
    for (uint32_t i = 0; !failed && i < it->count; i++) {
        failed = out_bytes(&out, it->keys[i].bytes, it->keys[i].size) < 0;
    }
    failed = failed || pack_array(&out, it->values) < 0 ||
             out_bytes(&out, it->texts.bytes, it->texts.size) < 0;
    PyObject *column = failed ? NULL : out_object(&out);
    out_free(&out);
    return column;
}

static void
column_free(Column *it)
{
    for (Py_ssize_t i = 0; it->prefixes != NULL && i < it->sites; i++) {
        out_free(&it->prefixes[i].texts);
    }
    PyMem_Free(it->prefixes);
    out_free(&it->key_texts);
    out_free(&it->lengths);
    out_free(&it->places);
    out_free(&it->texts);
}

/* Write rows of packed pairs, each over the attributes of its site; NULL without an exception where
 * that takes a look at the texts. */
PyObject *
packed_column(PyObject *sites, const Py_buffer *places, PyObject *rows)
{
    Column it = {.sites = PyList_GET_SIZE(sites)};
    PyObject *column = NULL;
    if (it.sites > MOST_SITES || PyTuple_GET_SIZE(rows) < 2) {
        return NULL;
    }
    it.prefixes = PyMem_Calloc((size_t)it.sites + 1, sizeof(Prefix));
    if (it.prefixes == NULL) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < it.sites; i++) {
        it.prefixes[i].keys[0] = UINT32_MAX;
    }
    if (pack_sites(&it, sites) == 1 && add_rows(&it, places, rows) == 1) {
        column = write_column(&it);
    }
    column_free(&it);
    return column;
}

/* The same of maps that belong to no site, wherever they lie. */
PyObject *
packed_maps(const char *const *maps, Py_ssize_t count)
{
    Prefix none = {.keys = {UINT32_MAX}};
    Column it = {.prefixes = &none, .sites = 0};
    Slice first = {NULL, 0};
    int added = 1;
    for (Py_ssize_t i = 0; added == 1 && i < count; i++) {
        added = add_row(&it, 0, maps[i], i ? &first : NULL);
        first.size = i ? first.size : it.texts.size;
    }
    PyObject *column = added == 1 && it.is_different ? write_column(&it) : NULL;
    it.prefixes = NULL;
    column_free(&it);
    return column;
}
