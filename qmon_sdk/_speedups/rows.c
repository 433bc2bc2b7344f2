/* Rows of finished spans as columns of bytes: what `recorder/rows.py` does to all rows of a frame. */

#include "speedups.h"

enum { WIDTH = ROW_BYTES / 8, SPAN = ROW_SPAN / 8 };

static Py_ssize_t
count_whole(const char *rows, Py_ssize_t count)
{
    static const char nothing[8];
    Py_ssize_t whole = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        whole += memcmp(rows + i * ROW_BYTES + ROW_SPAN, nothing, 8) != 0;
    }
    return whole;
}

/* Copy one word of every whole row. */
static void
copy_column(char *to, const char *rows, Py_ssize_t count, int column)
{
    static const char nothing[8];
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *row = rows + i * ROW_BYTES;
        if (memcmp(row + ROW_SPAN, nothing, 8) != 0) {
            memcpy(to, row + 8 * column, 8);
            to += 8;
        }
    }
}

static PyObject *
columns_of(const char *rows, Py_ssize_t count)
{
    Py_ssize_t whole = count_whole(rows, count);
    PyObject *columns = PyList_New(WIDTH);
    for (int column = 0; columns != NULL && column < WIDTH; column++) {
        PyObject *bytes = PyBytes_FromStringAndSize(NULL, 8 * whole);
        if (bytes == NULL) {
            Py_CLEAR(columns);
            break;
        }
        copy_column(PyBytes_AS_STRING(bytes), rows, count, column);
        PyList_SET_ITEM(columns, column, bytes);
    }
    return columns;
}

/* Columns of the rows that were finished: one that has no last word never will be. */
PyObject *
rows_split(PyObject *Py_UNUSED(module), PyObject *rows)
{
    Py_buffer view;
    if (PyObject_GetBuffer(rows, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *columns = NULL;
    if (view.len % ROW_BYTES) {
        PyErr_SetString(PyExc_ValueError, "these are no rows");
    } else {
        columns = columns_of(view.buf, view.len / ROW_BYTES);
    }
    PyBuffer_Release(&view);
    return columns;
}

/* --- numbers, by their place among those that are different ------------------------------------- */

/* Open addressing; a seat is a place and one, 0 where nobody sits. */
typedef struct {
    uint32_t *seats;
    size_t mask;
    PyObject *distinct;
    Out places;
    uint64_t *values;
    uint32_t count;
} Table;

static int
table_begin(Table *table, Py_ssize_t rows)
{
    size_t room = 16;
    while (room < 2 * (size_t)rows) {
        room *= 2;
    }
    *table = (Table){.mask = room - 1};
    table->seats = PyMem_Calloc(room, sizeof(uint32_t));
    table->values = PyMem_Calloc(rows ? rows : 1, sizeof(uint64_t));
    table->distinct = PyList_New(0);
    if (table->seats == NULL || table->values == NULL || table->distinct == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static void
table_free(Table *table)
{
    PyMem_Free(table->seats);
    PyMem_Free(table->values);
    Py_XDECREF(table->distinct);
    out_free(&table->places);
}

static int
table_new(Table *table, uint64_t value)
{
    PyObject *number = PyLong_FromUnsignedLongLong(value);
    int done = number == NULL ? -1 : PyList_Append(table->distinct, number);
    Py_XDECREF(number);
    table->values[table->count++] = value;
    return done;
}

static int
table_place(Table *table, uint64_t value)
{
    size_t seat = (size_t)(value * 0x9E3779B97F4A7C15u >> 32) & table->mask;
    while (table->seats[seat] && table->values[table->seats[seat] - 1] != value) {
        seat = (seat + 1) & table->mask;
    }
    if (!table->seats[seat]) {
        if (table_new(table, value) < 0) {
            return -1;
        }
        table->seats[seat] = table->count;
    }
    return out_u32(&table->places, table->seats[seat] - 1);
}

static uint64_t
word_at(const char *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | (uint8_t)at[i];
    }
    return value;
}

static PyObject *
places_of(const char *column, Py_ssize_t rows)
{
    Table table;
    PyObject *answer = NULL;
    int ok = table_begin(&table, rows) == 0;
    for (Py_ssize_t i = 0; ok && i < rows; i++) {
        ok = table_place(&table, word_at(column + 8 * i)) == 0;
    }
    if (ok) {
        answer = Py_BuildValue("(ON)", table.distinct, out_object(&table.places));
    }
    table_free(&table);
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
