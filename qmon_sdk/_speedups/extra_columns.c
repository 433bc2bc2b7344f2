/* What was kept of spans, taken for a flush: a column of attributes, and those of events and links. */

#include "speedups.h"

/* What a column of attributes is made of: the rows' pairs; events and links where there are any. */
typedef struct {
    Py_ssize_t count;
    PyObject *rows, *events, *links; /* tuples; the latter two NULL as long as nobody needs them */
} Said;

static void
said_free(Said *said)
{
    Py_CLEAR(said->rows);
    Py_CLEAR(said->events);
    Py_CLEAR(said->links);
}

static int
set_text(PyObject **column, Py_ssize_t count, Py_ssize_t row, PyObject *text)
{
    if (*column == NULL) {
        *column = PyTuple_New(count);
        for (Py_ssize_t i = 0; *column != NULL && i < count; i++) {
            PyTuple_SET_ITEM(*column, i, Py_NewRef(names.nothing));
        }
    }
    if (*column == NULL) {
        return -1;
    }
    Py_DECREF(PyTuple_GET_ITEM(*column, row));
    PyTuple_SET_ITEM(*column, row, Py_NewRef(text));
    return 0;
}

/* Put a row's packed pairs in; takes the entry's reference. */
static int
set_entry(Said *said, Py_ssize_t row, PyObject *entry)
{
    if (PyBytes_CheckExact(entry)) {
        PyTuple_SET_ITEM(said->rows, row, entry);
        return 0;
    }
    int failed = set_text(&said->events, said->count, row, PyList_GET_ITEM(entry, 1)) |
                 set_text(&said->links, said->count, row, PyList_GET_ITEM(entry, 2));
    PyTuple_SET_ITEM(said->rows, row, Py_NewRef(PyList_GET_ITEM(entry, 0)));
    Py_DECREF(entry);
    return failed;
}

/* Packed pairs as texts: keys and texts in turns. */
PyObject *
packed_tuple(PyObject *packed)
{
    const char *at = PyBytes_AS_STRING(packed);
    size_t texts = 2 * packed_pairs(&at), head;
    PyObject *tuple = PyTuple_New((Py_ssize_t)texts);
    for (size_t i = 0; tuple != NULL && i < texts; i++) {
        size_t size = packed_text(&at, &head);
        PyObject *text = PyUnicode_DecodeUTF8(at - size, (Py_ssize_t)size, NULL);
        if (text == NULL) {
            Py_CLEAR(tuple);
            break;
        }
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, text);
    }
    return tuple;
}

static PyObject *
dict_tuple(PyObject *map)
{
    PyObject *key, *text, *pairs = PyTuple_New(2 * PyDict_GET_SIZE(map));
    Py_ssize_t at = 0, place = 0;
    while (pairs != NULL && PyDict_Next(map, &at, &key, &text)) {
        PyTuple_SET_ITEM(pairs, place++, Py_NewRef(key));
        PyTuple_SET_ITEM(pairs, place++, Py_NewRef(text));
    }
    return pairs;
}

/* The attributes of a site, and over them those of one of its spans; takes the pairs' reference. */
static PyObject *
merged(PyObject *site, PyObject *pairs)
{
    if (PyDict_GET_SIZE(site) == 0) {
        return pairs;
    }
    PyObject *both = PyDict_Copy(site), *flat = NULL;
    for (Py_ssize_t i = 0; both != NULL && i < PyTuple_GET_SIZE(pairs); i += 2) {
        if (PyDict_SetItem(both, PyTuple_GET_ITEM(pairs, i), PyTuple_GET_ITEM(pairs, i + 1)) < 0) {
            Py_CLEAR(both);
        }
    }
    if (both != NULL) {
        flat = dict_tuple(both);
    }
    Py_XDECREF(both);
    Py_DECREF(pairs);
    return flat;
}

/* Take what is kept of one row. */
static int
take_row(Extras *self, Said *said, Py_ssize_t row, uint64_t number)
{
    PyObject *entry = number ? entries_take(&self->kept, number) : NULL;
    return set_entry(said, row, entry == NULL ? Py_NewRef(names.no_pairs) : entry);
}

static int
merge_row(Said *said, Py_ssize_t row, PyObject *site)
{
    PyObject *own = packed_tuple(PyTuple_GET_ITEM(said->rows, row));
    PyObject *pairs = own == NULL ? NULL : merged(site, own);
    if (pairs == NULL) {
        return -1;
    }
    Py_DECREF(PyTuple_GET_ITEM(said->rows, row));
    PyTuple_SET_ITEM(said->rows, row, pairs);
    return 0;
}

/* --- the column ---------------------------------------------------------------------------------------- */

/* Is a pair among those of a row? At its own place, most likely. */
static int
holds(PyObject *row, Py_ssize_t at, PyObject *key, PyObject *text)
{
    if (same_text(PyTuple_GET_ITEM(row, at), key)) {
        return same_text(PyTuple_GET_ITEM(row, at + 1), text);
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(row); i += 2) {
        if (same_text(PyTuple_GET_ITEM(row, i), key)) {
            return same_text(PyTuple_GET_ITEM(row, i + 1), text);
        }
    }
    return 0;
}

static int
rows_alike(PyObject *rows)
{
    PyObject *first = PyTuple_GET_ITEM(rows, 0);
    Py_ssize_t texts = PyTuple_GET_SIZE(first);
    for (Py_ssize_t i = PyTuple_GET_SIZE(rows) - 1; i > 0; i--) {
        PyObject *row = PyTuple_GET_ITEM(rows, i);
        if (PyTuple_GET_SIZE(row) != texts) {
            return 0;
        }
        for (Py_ssize_t at = 0; row != first && at < texts; at += 2) {
            if (!holds(row, at, PyTuple_GET_ITEM(first, at), PyTuple_GET_ITEM(first, at + 1))) {
                return 0;
            }
        }
    }
    return 1;
}

/* Write one row: its keys as places, its texts as they are, and how many pairs it has. */
static int
flatten(PyObject *row, Maps *maps)
{
    Py_ssize_t size = PyTuple_GET_SIZE(row);
    for (Py_ssize_t i = 0; i < size; i += 2) {
        if (places_add(&maps->keys, PyTuple_GET_ITEM(row, i)) < 0 ||
            PyList_Append(maps->texts, PyTuple_GET_ITEM(row, i + 1)) < 0) {
            return -1;
        }
    }
    return out_u32(&maps->lengths, (uint32_t)(size / 2));
}

static PyObject *
different_rows(PyObject *rows)
{
    Maps maps;
    int ok = maps_begin(&maps) == 0;
    for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(rows); i++) {
        ok = flatten(PyTuple_GET_ITEM(rows, i), &maps) == 0;
    }
    return maps_end(&maps, ok);
}

static PyObject *
rows_column(PyObject *rows)
{
    if (PyTuple_GET_SIZE(rows) == 0 || rows_alike(rows)) {
        PyObject *first = PyTuple_GET_SIZE(rows) ? PyTuple_GET_ITEM(rows, 0) : NULL;
        return first == NULL ? PyDict_New()
                             : pairs_dict(&PyTuple_GET_ITEM(first, 0), PyTuple_GET_SIZE(first) / 2);
    }
    return different_rows(rows);
}

static uint64_t
word(const char *bytes, Py_ssize_t at, int width)
{
    uint64_t value = 0;
    for (int i = width - 1; i >= 0; i--) {
        value = value << 8 | (unsigned char)bytes[at * width + i];
    }
    return value;
}

/* What `columns` is asked with: each site's attributes, each row's site among them, and number. */
typedef struct {
    PyObject *sites;
    Py_buffer places, numbers;
    int packed; /* bytes of the column will do */
} Asked;

static PyObject *
site_at(const Asked *asked, Py_ssize_t row)
{
    Py_ssize_t place = asked->places.len ? (Py_ssize_t)word(asked->places.buf, row, 4) : 0;
    return place < PyList_GET_SIZE(asked->sites) ? PyList_GET_ITEM(asked->sites, place) : NULL;
}

static int
is_sound(const Asked *asked)
{
    Py_ssize_t rows = asked->numbers.len / 8;
    if (asked->numbers.len % 8 || (asked->places.len && asked->places.len != rows * 4)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(asked->sites); i++) {
        if (!is_labels(PyList_GET_ITEM(asked->sites, i))) {
            return 0;
        }
    }
    for (Py_ssize_t i = 0; i < rows; i++) {
        if (site_at(asked, i) == NULL) {
            return 0;
        }
    }
    return 1;
}

/* The column by texts, for rows that cannot be written as they are packed. */
static PyObject *
slow_column(Said *said, const Asked *asked)
{
    for (Py_ssize_t i = 0; i < said->count; i++) {
        if (merge_row(said, i, site_at(asked, i)) < 0) {
            return NULL;
        }
    }
    return rows_column(said->rows);
}

static PyObject *
columns_of(Extras *self, const Asked *asked)
{
    Said said = {.count = asked->numbers.len / 8};
    PyObject *column = NULL;
    said.rows = PyTuple_New(said.count);
    int failed = said.rows == NULL;
    for (Py_ssize_t i = 0; !failed && i < said.count; i++) {
        failed = take_row(self, &said, i, word(asked->numbers.buf, i, 8)) < 0;
    }
    if (!failed) {
        column = asked->packed ? packed_column(asked->sites, &asked->places, said.rows) : NULL;
        column = column != NULL || PyErr_Occurred() ? column : slow_column(&said, asked);
    }
    if (column != NULL) {
        PyObject *events = said.events == NULL ? Py_None : said.events;
        PyObject *links = said.links == NULL ? Py_None : said.links;
        column = Py_BuildValue("(NOO)", column, events, links);
    }
    said_free(&said);
    return column;
}

PyObject *
extras_columns(Extras *self, PyObject *args)
{
    Asked asked = {.packed = 0};
    PyObject *columns = NULL;
    if (!PyArg_ParseTuple(args, "O!y*y*|p:columns", &PyList_Type, &asked.sites, &asked.places,
                          &asked.numbers, &asked.packed)) {
        return NULL;
    }
    if (is_sound(&asked)) {
        columns = columns_of(self, &asked);
    } else {
        columns = Py_NewRef(Py_NotImplemented);
    }
    PyBuffer_Release(&asked.places);
    PyBuffer_Release(&asked.numbers);
    return columns;
}

PyObject *
extras_take(Extras *self, PyObject *number)
{
    uint64_t wanted = PyLong_AsUnsignedLongLong(number);
    PyObject *entry = PyErr_Occurred() ? NULL : entries_take(&self->kept, wanted);
    if (entry == NULL) {
        return PyErr_Occurred() ? NULL : PyDict_New();
    }
    int is_more = PyList_CheckExact(entry);
    PyObject *pairs = packed_tuple(is_more ? PyList_GET_ITEM(entry, 0) : entry), *map = NULL;
    if (pairs != NULL) {
        map = pairs_dict(&PyTuple_GET_ITEM(pairs, 0), PyTuple_GET_SIZE(pairs) / 2);
    }
    if (map != NULL && is_more &&
        (PyDict_SetItem(map, names.events, PyList_GET_ITEM(entry, 1)) < 0 ||
         PyDict_SetItem(map, names.links, PyList_GET_ITEM(entry, 2)) < 0)) {
        Py_CLEAR(map);
    }
    Py_XDECREF(pairs);
    Py_DECREF(entry);
    return map;
}
