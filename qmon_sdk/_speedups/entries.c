/* Objects by the number they are known by: put in once, and taken out once. */

#include "speedups.h"

enum { FIRST_SEATS = 64 };

static size_t
seat_of(const Entries *entries, uint64_t number)
{
    return (size_t)(number * 0x9E3779B97F4A7C15u >> 32) & entries->mask;
}

/* Where a number sits, or would. */
static size_t
find(const Entries *entries, uint64_t number)
{
    size_t seat = seat_of(entries, number);
    while (entries->seats[seat].value != NULL && entries->seats[seat].number != number) {
        seat = (seat + 1) & entries->mask;
    }
    return seat;
}

static int
grow(Entries *entries)
{
    Entries more = {.count = entries->count};
    size_t seats = entries->seats == NULL ? FIRST_SEATS : 2 * (entries->mask + 1);
    more.seats = PyMem_Calloc(seats, sizeof(Entry));
    more.mask = seats - 1;
    if (more.seats == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; entries->seats != NULL && i <= entries->mask; i++) {
        if (entries->seats[i].value != NULL) {
            more.seats[find(&more, entries->seats[i].number)] = entries->seats[i];
        }
    }
    PyMem_Free(entries->seats);
    *entries = more;
    return 0;
}

/* Put an object in, held from now on. */
int
entries_put(Entries *entries, uint64_t number, PyObject *value)
{
    if ((entries->seats == NULL || 2 * entries->count > entries->mask) && grow(entries) < 0) {
        return -1;
    }
    size_t seat = find(entries, number);
    PyObject *before = entries->seats[seat].value;
    entries->seats[seat] = (Entry){number, Py_NewRef(value)};
    entries->count += before == NULL;
    Py_XDECREF(before);
    return 0;
}

/* Take an object out; NULL, without an exception, where there is none. */
PyObject *
entries_take(Entries *entries, uint64_t number)
{
    if (entries->count == 0) {
        return NULL;
    }
    size_t hole = find(entries, number), seat = hole;
    PyObject *value = entries->seats[hole].value;
    if (value == NULL) {
        return NULL;
    }
    /* Who sits behind, and is looked for from before the hole, moves into it. */
    for (;;) {
        seat = (seat + 1) & entries->mask;
        if (entries->seats[seat].value == NULL) {
            break;
        }
        size_t home = seat_of(entries, entries->seats[seat].number);
        if (((seat - home) & entries->mask) >= ((seat - hole) & entries->mask)) {
            entries->seats[hole] = entries->seats[seat];
            hole = seat;
        }
    }
    entries->seats[hole].value = NULL;
    entries->count--;
    return value;
}

/* Let all go. */
void
entries_free(Entries *entries)
{
    Entries all = *entries;
    *entries = (Entries){0};
    for (size_t i = 0; all.seats != NULL && i <= all.mask; i++) {
        Py_XDECREF(all.seats[i].value);
    }
    PyMem_Free(all.seats);
}
