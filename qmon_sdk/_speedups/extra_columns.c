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

/* Take what is kept under a number, away; NULL if there is nothing, or with an exception. */
static PyObject *
take(Extras *self, uint64_t number)
{
    PyObject *key = PyLong_FromUnsignedLongLong(number);
    PyObject *entry = key == NULL ? NULL : PyDict_GetItemWithError(self->kept, key);
    Py_XINCREF(entry);
    if (entry != NULL && PyDict_DelItem(self->kept, key) < 0) {
        Py_CLEAR(entry);
    }
    Py_XDECREF(key);
    return entry;
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

/* Put a row's pairs in; takes the entry's reference. */
static int
set_entry(Said *said, Py_ssize_t row, PyObject *entry)
{
    if (PyTuple_CheckExact(entry)) {
        PyTuple_SET_ITEM(said->rows, row, entry);
        return 0;
    }
    int failed = set_text(&said->events, said->count, row, PyList_GET_ITEM(entry, 1)) |
                 set_text(&said->links, said->count, row, PyList_GET_ITEM(entry, 2));
    PyTuple_SET_ITEM(said->rows, row, Py_NewRef(PyList_GET_ITEM(entry, 0)));
    Py_DECREF(entry);
    return failed;
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
    PyObject *entry = number ? take(self, number) : NULL;
    if (entry == NULL && (PyErr_Occurred() || (entry = PyTuple_New(0)) == NULL)) {
        return -1;
    }
    return set_entry(said, row, entry);
}

static int
merge_row(Said *said, Py_ssize_t row, PyObject *site)
{
    PyObject *pairs = merged(site, Py_NewRef(PyTuple_GET_ITEM(said->rows, row)));
    if (pairs == NULL) {
        return -1;
    }
    Py_DECREF(PyTuple_GET_ITEM(said->rows, row));
    PyTuple_SET_ITEM(said->rows, row, pairs);
    return 0;
}

/* --- the column ---------------------------------------------------------------------------------------- */

static int
same_text(PyObject *one, PyObject *other)
{
    return one == other || PyUnicode_Compare(one, other) == 0;
}

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
flatten(PyObject *row, Places *keys, PyObject *texts, Out *lengths)
{
    Py_ssize_t size = PyTuple_GET_SIZE(row);
    for (Py_ssize_t i = 0; i < size; i += 2) {
        if (places_add(keys, PyTuple_GET_ITEM(row, i)) < 0 ||
            PyList_Append(texts, PyTuple_GET_ITEM(row, i + 1)) < 0) {
            return -1;
        }
    }
    return out_u32(lengths, (uint32_t)(size / 2));
}

static PyObject *
different_rows(PyObject *rows)
{
    Places keys;
    Out lengths = {0};
    PyObject *texts = PyList_New(0), *column = NULL;
    int ok = places_begin(&keys) == 0 && texts != NULL;
    for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(rows); i++) {
        ok = flatten(PyTuple_GET_ITEM(rows, i), &keys, texts, &lengths) == 0;
    }
    if (ok) {
        column = Py_BuildValue("[sNNOO]", "k", out_object(&lengths), out_object(&keys.out),
                               keys.distinct, texts);
    }
    Py_XDECREF(texts);
    out_free(&lengths);
    places_free(&keys);
    return column;
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
} Asked;

static PyObject *
site_at(const Asked *asked, Py_ssize_t row)
{
    Py_ssize_t place = asked->places.len ? (Py_ssize_t)word(asked->places.buf, row, 4) : 0;
    return place < PyList_GET_SIZE(asked->sites) ? PyList_GET_ITEM(asked->sites, place) : NULL;
}

static int
are_texts(PyObject *map)
{
    PyObject *key, *text;
    Py_ssize_t at = 0;
    if (!PyDict_CheckExact(map)) {
        return 0;
    }
    while (PyDict_Next(map, &at, &key, &text)) {
        if (!PyUnicode_CheckExact(key) || !PyUnicode_CheckExact(text)) {
            return 0;
        }
    }
    return 1;
}

static int
is_sound(const Asked *asked)
{
    Py_ssize_t rows = asked->numbers.len / 8;
    if (asked->numbers.len % 8 || (asked->places.len && asked->places.len != rows * 4)) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(asked->sites); i++) {
        if (!are_texts(PyList_GET_ITEM(asked->sites, i))) {
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

static PyObject *
columns_of(Extras *self, const Asked *asked)
{
    Said said = {.count = asked->numbers.len / 8};
    PyObject *column = NULL;
    said.rows = PyTuple_New(said.count);
    int failed = said.rows == NULL;
    for (Py_ssize_t i = 0; !failed && i < said.count; i++) {
        failed = take_row(self, &said, i, word(asked->numbers.buf, i, 8)) < 0 ||
                 merge_row(&said, i, site_at(asked, i)) < 0;
    }
    if (!failed && (column = rows_column(said.rows)) != NULL) {
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
    Asked asked;
    PyObject *columns = NULL;
    if (!PyArg_ParseTuple(args, "O!y*y*:columns", &PyList_Type, &asked.sites, &asked.places,
                          &asked.numbers)) {
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
    PyObject *entry = PyErr_Occurred() ? NULL : take(self, wanted);
    if (entry == NULL) {
        return PyErr_Occurred() ? NULL : PyDict_New();
    }
    PyObject *pairs = PyTuple_CheckExact(entry) ? entry : PyList_GET_ITEM(entry, 0);
    PyObject *map = pairs_dict(&PyTuple_GET_ITEM(pairs, 0), PyTuple_GET_SIZE(pairs) / 2);
    if (map != NULL && pairs != entry &&
        (PyDict_SetItem(map, names.events, PyList_GET_ITEM(entry, 1)) < 0 ||
         PyDict_SetItem(map, names.links, PyList_GET_ITEM(entry, 2)) < 0)) {
        Py_CLEAR(map);
    }
    Py_DECREF(entry);
    return map;
}
