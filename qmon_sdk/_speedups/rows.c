/* Rows of finished spans as columns of bytes: what `recorder/rows.py` does to all rows of a frame. */

#include "speedups.h"

enum { WIDTH = ROW_BYTES / 8, ROWS = (CHUNK_BYTES - CHUNK_HEAD) / ROW_BYTES };

/* A page of rows, held while it is looked at. */
typedef struct {
    Py_buffer view;
    char *page;
} Page;

static int
page_open(Page *page, PyObject *chunk)
{
    PyObject *buf = PyObject_GetAttr(chunk, names.buf), *place = NULL;
    page->page = NULL;
    if (buf == NULL || PyObject_GetBuffer(buf, &page->view, PyBUF_WRITABLE) < 0) {
        Py_XDECREF(buf);
        return -1;
    }
    Py_DECREF(buf);
    place = PyObject_GetAttr(chunk, names.at);
    uint64_t at = place == NULL ? 0 : PyLong_AsUnsignedLongLong(place), size = page->view.len;
    Py_XDECREF(place);
    if (!PyErr_Occurred() && (size < CHUNK_BYTES || at > size - CHUNK_BYTES || at % 8)) {
        PyErr_SetString(PyExc_ValueError, "a page is not inside of its memory");
    }
    if (PyErr_Occurred()) {
        PyBuffer_Release(&page->view);
        return -1;
    }
    page->page = (char *)page->view.buf + at;
    return 0;
}

static const char *
row_at(const Page *page, Py_ssize_t row)
{
    return page->page + CHUNK_HEAD + row * ROW_BYTES;
}

/* Has a row its last word? */
static int
is_whole(const char *row)
{
    static const char nothing[8];
    return memcmp(row + ROW_SPAN, nothing, 8) != 0;
}

/* Up to where the rows of a page have their last word. */
static Py_ssize_t
written(const Page *page, Py_ssize_t row)
{
    if (is_whole(row_at(page, ROWS - 1))) { /* a thread fills its page from the start */
        return ROWS;
    }
    while (is_whole(row_at(page, row))) {
        row++;
    }
    return row;
}

/* --- reading: rows of pages as columns ------------------------------------------------------------ */

typedef struct {
    char *columns[WIDTH];
    Py_ssize_t count;
} Cut;

static void
cut_rows(Cut *cut, const Page *page, Py_ssize_t start, Py_ssize_t end)
{
    for (; start < end; start++) {
        const char *row = row_at(page, start);
        if (!is_whole(row)) { /* begun, and never finished */
            continue;
        }
        for (int column = 0; column < WIDTH; column++) {
            memcpy(cut->columns[column] + 8 * cut->count, row + 8 * column, 8);
        }
        cut->count++;
    }
}

/* Read the pages, one after the other, until one is not full; -1 with an exception. */
static int
cut_pages(Cut *cut, PyObject *chunks, Py_ssize_t start, Py_ssize_t most, PyObject *ends)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(chunks) && most > 0; i++, start = 0) {
        Page page;
        if (page_open(&page, PyList_GET_ITEM(chunks, i)) < 0) {
            return -1;
        }
        Py_ssize_t end = i + 1 < PyList_GET_SIZE(chunks) ? ROWS : written(&page, start);
        end = end < start + most ? end : start + most;
        cut_rows(cut, &page, start, end);
        PyBuffer_Release(&page.view);
        PyObject *number = end == start ? NULL : PyLong_FromSsize_t(end);
        int done = number == NULL ? -1 : PyList_Append(ends, number);
        Py_XDECREF(number);
        if (done < 0) {
            return PyErr_Occurred() ? -1 : 0;
        }
        most -= end - start;
        if (end < ROWS) {
            break;
        }
    }
    return 0;
}

static int
cut_begin(Cut *cut, PyObject *columns, Py_ssize_t most)
{
    cut->count = 0;
    for (int column = 0; column < WIDTH; column++) {
        PyObject *bytes = PyBytes_FromStringAndSize(NULL, 8 * most);
        if (bytes == NULL) {
            return -1;
        }
        PyList_SET_ITEM(columns, column, bytes);
        cut->columns[column] = PyBytes_AS_STRING(bytes);
    }
    return 0;
}

static int
cut_end(const Cut *cut, PyObject *columns)
{
    for (int column = 0; column < WIDTH; column++) {
        PyObject *bytes = PyList_GET_ITEM(columns, column);
        PyList_SET_ITEM(columns, column, NULL);
        if (_PyBytes_Resize(&bytes, 8 * cut->count) < 0) {
            return -1;
        }
        PyList_SET_ITEM(columns, column, bytes);
    }
    return 0;
}

/* Read up to `most` rows of pages, from a row of the first on: columns, and where each page ends. */
PyObject *
rows_gather(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *chunks, *gathered = NULL;
    Py_ssize_t start, most;
    Cut cut;
    if (!PyArg_ParseTuple(args, "O!nn:gather", &PyList_Type, &chunks, &start, &most)) {
        return NULL;
    }
    Py_ssize_t room = PyList_GET_SIZE(chunks) * ROWS;
    if (start < 0 || start > ROWS || most < 0) {
        PyErr_SetString(PyExc_ValueError, "there are no such rows");
        return NULL;
    }
    PyObject *columns = PyList_New(WIDTH), *ends = PyList_New(0);
    if (columns != NULL && ends != NULL && cut_begin(&cut, columns, most < room ? most : room) == 0 &&
        cut_pages(&cut, chunks, start, most, ends) == 0 && cut_end(&cut, columns) == 0) {
        gathered = PyTuple_Pack(2, columns, ends);
    }
    Py_XDECREF(columns);
    Py_XDECREF(ends);
    return gathered;
}

/* --- letting go: what is in frames ----------------------------------------------------------------- */

/* Say how many rows of a page are in frames; a page that is done is made ready for others. */
static int
let_go(PyObject *chunk, PyObject *number)
{
    Page page;
    Py_ssize_t end = PyLong_AsSsize_t(number);
    if ((end < 0 && PyErr_Occurred()) || page_open(&page, chunk) < 0) {
        return -1;
    }
    publish(page.page + CHUNK_TAKEN, (uint64_t)end);
    if (end == ROWS) {
        order_stores();
        memset(page.page + CHUNK_HEAD, 0, CHUNK_BYTES - CHUNK_HEAD);
    }
    PyBuffer_Release(&page.view);
    return 0;
}

PyObject *
rows_let_go(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *chunks, *ends;
    if (!PyArg_ParseTuple(args, "O!O!:let_go", &PyList_Type, &chunks, &PyList_Type, &ends)) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(chunks) && i < PyList_GET_SIZE(ends); i++) {
        if (let_go(PyList_GET_ITEM(chunks, i), PyList_GET_ITEM(ends, i)) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

/* --- columns of one number -------------------------------------------------------------------------- */

/* Say whether all words of a column are the same. */
PyObject *
words_alike(PyObject *Py_UNUSED(module), PyObject *column)
{
    Py_buffer view;
    if (PyObject_GetBuffer(column, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const char *bytes = view.buf;
    int alike = view.len < 16 || memcmp(bytes, bytes + 8, view.len - 8) == 0;
    PyBuffer_Release(&view);
    return PyBool_FromLong(alike);
}

/* --- numbers, by their place among those that are different ------------------------------------- */

/* Open addressing; a seat is a place and one, 0 where nobody sits. */
typedef struct {
    uint32_t *seats;
    size_t mask;
    uint64_t *values;
    uint32_t count, last;
} Table;

/* Make room for twice as many, or for the first. */
static int
table_grow(Table *table)
{
    size_t room = table->seats == NULL ? 64 : 4 * (table->mask + 1);
    PyMem_Free(table->seats);
    table->mask = room - 1;
    table->seats = PyMem_Calloc(room, sizeof(uint32_t));
    uint64_t *values = PyMem_Realloc(table->values, room / 2 * sizeof(uint64_t));
    table->values = values == NULL ? table->values : values;
    if (table->seats == NULL || values == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* The seat of a value, or the one that it would have. */
static uint32_t *
table_seat(const Table *table, uint64_t value)
{
    size_t seat = (size_t)(value * 0x9E3779B97F4A7C15u >> 32) & table->mask;
    while (table->seats[seat] && table->values[table->seats[seat] - 1] != value) {
        seat = (seat + 1) & table->mask;
    }
    return &table->seats[seat];
}

/* Put a new value in. */
static int
table_new(Table *table, uint64_t value)
{
    if (2 * (size_t)table->count > table->mask) {
        if (table_grow(table) < 0) {
            return -1;
        }
        for (uint32_t place = 0; place < table->count; place++) {
            *table_seat(table, table->values[place]) = place + 1;
        }
    }
    table->last = table->count;
    table->values[table->count++] = value;
    *table_seat(table, value) = table->count;
    return 0;
}

/* Find a value's place, as `last`. */
static int
table_place(Table *table, uint64_t value)
{
    if (table->count && value == table->values[table->last]) { /* rows of a site come in runs */
        return 0;
    }
    uint32_t place = table->count ? *table_seat(table, value) : 0;
    if (place == 0) {
        return table_new(table, value);
    }
    table->last = place - 1;
    return 0;
}

static uint64_t
word_at(const char *at)
{
    uint64_t value;
    memcpy(&value, at, 8);
    return little(value);
}

static PyObject *
table_list(const Table *table)
{
    PyObject *distinct = PyList_New(table->count);
    for (uint32_t place = 0; distinct != NULL && place < table->count; place++) {
        PyObject *number = PyLong_FromUnsignedLongLong(table->values[place]);
        if (number == NULL) {
            Py_CLEAR(distinct);
            break;
        }
        PyList_SET_ITEM(distinct, place, number);
    }
    return distinct;
}

static PyObject *
places_of(const char *column, Py_ssize_t rows)
{
    Table table = {0};
    PyObject *places = PyBytes_FromStringAndSize(NULL, 4 * rows), *answer = NULL;
    int ok = places != NULL && (rows == 0 || table_grow(&table) == 0);
    for (Py_ssize_t i = 0; ok && i < rows; i++) {
        ok = table_place(&table, word_at(column + 8 * i)) == 0;
        put_u32(PyBytes_AS_STRING(places) + 4 * i, table.last);
    }
    if (ok) {
        answer = Py_BuildValue("(NO)", table_list(&table), places);
    }
    Py_XDECREF(places);
    PyMem_Free(table.seats);
    PyMem_Free(table.values);
    return answer;
}

/* The different numbers of a column, in the order they come, and each row's place among them. */
PyObject *
rows_places(PyObject *Py_UNUSED(module), PyObject *column)
{
    Py_buffer view;
    if (PyObject_GetBuffer(column, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *answer = NULL;
    if (view.len % 8) {
        PyErr_SetString(PyExc_ValueError, "this is no column of words");
    } else {
        answer = places_of(view.buf, view.len / 8);
    }
    PyBuffer_Release(&view);
    return answer;
}
