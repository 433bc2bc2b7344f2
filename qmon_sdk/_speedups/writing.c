/* What is written to the flight ring: open spans, and rows of those that have ended.
 *
 * How the bytes lie is `protocol/flight.py`'s to say. The word that makes an entry count is stored
 * last, with everything before it in place: a kill in between leaves all of an entry, or nothing.
 */

#include "speedups.h"

/* --- memory ------------------------------------------------------------------------------------- */

uint64_t
little(uint64_t value)
{
#if PY_BIG_ENDIAN
    return __builtin_bswap64(value);
#else
    return value;
#endif
}

void
put_u32(char *at, uint32_t value)
{
#if PY_BIG_ENDIAN
    value = __builtin_bswap32(value);
#endif
    memcpy(at, &value, 4);
}

void
put(char *at, const uint64_t *words, int count)
{
    for (int i = 0; i < count; i++) {
        uint64_t word = little(words[i]);
        memcpy(at + 8 * i, &word, 8);
    }
}

/* Store a word that others act on, after everything that was stored before it. */
void
publish(char *at, uint64_t value)
{
#ifdef _MSC_VER
    *(volatile uint64_t *)at = little(value); /* which MSVC orders as a release */
#else
    __atomic_store_n((uint64_t *)at, little(value), __ATOMIC_RELEASE);
#endif
}

/* Let what was stored be seen before anything that is stored after. */
void
order_stores(void)
{
#ifndef _MSC_VER
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* The number of who the work in hand is for. */
uint64_t
who_now(void)
{
    PyObject *scope = NULL;
    uint64_t who = 0;
    if (joined.scope != NULL && PyContextVar_Get(joined.scope, NULL, &scope) < 0) {
        PyErr_Clear();
    }
    if (scope != NULL && PyTuple_Check(scope) && PyTuple_GET_SIZE(scope) > joined.who_place) {
        PyObject *number = PyTuple_GET_ITEM(scope, joined.who_place);
        who = PyLong_Check(number) ? PyLong_AsUnsignedLongLongMask(number) : 0;
    }
    Py_XDECREF(scope);
    return who;
}

/* --- open spans --------------------------------------------------------------------------------- */

void
write_open(const Opening *it)
{
    char *at = memory_at(&it->lane->buf, it->slot, OPEN_BYTES);
    const Cell *cell = it->cell;
    if (at == NULL) {
        return;
    }
    uint64_t words[] = {cell->trace_hi, cell->trace_lo, who_now(),        it->what,
                        it->parent,     it->lane->thread, (uint64_t)it->start};
    put(at, words, 7);
    publish(at + OPEN_SPAN, it->span);
}

/* The trace, and who it is for, are those of the open span around. */
void
write_inside(const Opening *it)
{
    char *at = memory_at(&it->lane->buf, it->slot, OPEN_BYTES);
    if (at == NULL) {
        return;
    }
    uint64_t words[] = {it->what | INHERITS, it->parent, it->lane->thread, (uint64_t)it->start};
    put(at + OPEN_INSIDE_AT, words, 4);
    publish(at + OPEN_SPAN, it->span);
}

/* Take an open span's word back: it has ended. */
void
write_closed(const Opening *it)
{
    char *at = memory_at(&it->lane->buf, it->slot, OPEN_BYTES);
    if (at != NULL) {
        publish(at + OPEN_SPAN, 0);
    }
}

/* --- rows --------------------------------------------------------------------------------------- */

/* Keep what was said of a span; where that fails, the span goes without. */
static int
keep_extra(const Opening *it, const Given *extra, uint64_t *number)
{
    PyObject *extras = it->lane->extras;
    *number = 0;
    if (extra == NULL || extras == NULL || !PyObject_TypeCheck(extras, &ExtrasType)) {
        return 0;
    }
    Py_INCREF(extras);
    int failed = extras_keep(extras, extra, NULL, number);
    Py_DECREF(extras);
    return failed < 0 ? trouble("attributes") : 0;
}

/* Write down a span that has ended, with what was said of it, if anything. */
int
write_row(Opening *it, int64_t took, const Given *extra)
{
    Cell *cell = it->cell;
    uint64_t at, number;
    if (cell->slots == it->lane->wasting) {
        it->lane->wasted++;
        return 0;
    }
    if (keep_extra(it, extra, &number) < 0) {
        return -1;
    }
    int got = cell->slots == NULL ? 0 : next_number(cell->slots, &at);
    if (got <= 0) {
        return got < 0 ? trouble("instrument") : 0;
    }
    char *row = memory_at(&it->lane->rows, at, ROW_BYTES);
    if (row == NULL) {
        return 0;
    }
    uint64_t words[] = {(uint64_t)it->start, (uint64_t)took, cell->trace_hi, cell->trace_lo,
                        it->parent,          it->what,       who_now(),      number};
    put(row, words, 8);
    publish(row + ROW_SPAN, it->span);
    return 0;
}
