/* A span from its beginning to its end: what the wrappers of functions have in common. */

#include "speedups.h"

#ifndef _WIN32
#include <pthread.h>
#endif

Joined joined;

/* --- what is so just now ------------------------------------------------------------------------ */

static int64_t
clock_now(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyTime_t now = 0;
    (void)PyTime_PerfCounter(&now);
    return now;
#else
    return _PyTime_GetPerfCounter();
#endif
}

/* Set by a fork that told nobody, as uWSGI's can be; the next span tells. */
static volatile int forked;
static volatile unsigned long forks;

#ifndef _WIN32
static void
note_fork(void)
{
    forked = 1;
    forks++;
}
#endif

/* How many forks led here: to ask for the pid costs more than all else that an event costs. */
unsigned long
forks_now(void)
{
    return forks;
}

PyObject *
count_forks(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    return PyLong_FromUnsignedLong(forks);
}

void
watch_forks(void)
{
#ifndef _WIN32
    static int is_watching;
    if (!is_watching) {
        is_watching = pthread_atfork(NULL, NULL, note_fork) == 0;
    }
#endif
}

/* Count a failure of ours and go on; -1 where failures are to be heard, and then it is raised. */
int
trouble(const char *where)
{
    PyObject *error = raised_exception();
    if (error == NULL || joined.trouble == NULL) {
        Py_XDECREF(error);
        return 0;
    }
    PyObject *done = PyObject_CallFunction(joined.trouble, "sO", where, error);
    Py_DECREF(error);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int
tell_of_fork(void)
{
    forked = 0;
    PyObject *done = PyObject_CallNoArgs(joined.forked);
    Py_XDECREF(done);
    return done == NULL ? trouble("instrument") : 0;
}

/* --- beginning ---------------------------------------------------------------------------------- */

static int
is_cell(PyObject *found)
{
    return Py_TYPE(found) == joined.cell_type || PyObject_TypeCheck(found, &CellType);
}

/* A cell of this thread, which records, in this context; and 0 instead of it if nobody does. */
static int
adopted(Cell **cell, uint64_t *span)
{
    PyObject *found = PyObject_CallNoArgs(joined.adopt);
    *cell = NULL;
    if (found == NULL) {
        return trouble("instrument");
    }
    if (!is_cell(found) || ((Cell *)found)->ids == NULL) { /* `None`: nobody records */
        Py_DECREF(found);
        return 0;
    }
    *span = 1;
    *cell = (Cell *)found;
    if (next_number((*cell)->ids, span) < 0) {
        Py_CLEAR(*cell);
        return trouble("instrument");
    }
    return 1;
}

/* Find the cell to begin in, and the new span's id: 1, or 0 if nobody records, or -1. */
static int
cell_now(Cell **cell, uint64_t *span)
{
    PyObject *found = NULL;
    if (forked && tell_of_fork() < 0) {
        return -1;
    }
    if (PyContextVar_Get(joined.cell, NULL, &found) < 0) {
        return trouble("instrument");
    }
    *cell = (Cell *)found;
    if (found != NULL && is_cell(found) && (*cell)->thread == PyThread_get_thread_ident() &&
        (*cell)->ids != NULL) {
        int got = next_number((*cell)->ids, span);
        if (got == 1 && *span != 0) {
            return 1;
        }
        if (got < 0 && trouble("instrument") < 0) {
            Py_CLEAR(*cell);
            return -1;
        }
    }
    Py_XDECREF(found);
    return adopted(cell, span);
}

/* Ask whether this one span is left out: 1 if so, 0 if not, -1 with an exception. */
static int
is_skipped(PyObject *skip, Cell *cell)
{
    if (skip == NULL) {
        return 0;
    }
    PyObject *answer = PyObject_CallOneArg(skip, (PyObject *)cell);
    int skipped = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return skipped < 0 ? trouble("instrument") : skipped;
}

/* Draw the id of a new trace, all of which are kept. */
static int
draw_trace(Cell *cell)
{
    PyObject *drawn = PyObject_CallOneArg(joined.draw, names.word_bits);
    if (drawn != NULL) {
        cell->trace_lo = PyLong_AsUnsignedLongLong(drawn);
        Py_DECREF(drawn);
    }
    return PyErr_Occurred() ? trouble("instrument") : 0;
}

/* Draw the id of a new trace, and decide whether it is kept. */
static int
begin_trace(Cell *cell, PyObject *site)
{
    if (cell->always) {
        return draw_trace(cell);
    }
    PyObject *name = PyObject_GetAttr(site, names.name), *drawn = NULL;
    if (name != NULL) {
        drawn = PyObject_CallMethodOneArg((PyObject *)cell, names.begin_trace, name);
    }
    Py_XDECREF(name);
    Py_XDECREF(drawn);
    return drawn == NULL ? trouble("instrument") : 0;
}

static uint64_t
free_slot(Lane *lane)
{
    uint64_t slot = lane->opens == NULL ? 0 : stack_pop(lane->opens);
    return slot ? slot : NO_SLOT;
}

/* Take the place inside of a call: no other code of this thread can run in between. */
static int
enter_in_place(Opening *it)
{
    Cell *cell = it->cell;
    it->parent_said = cell->said; /* which the cell gets back at the end */
    cell->said = NULL;
    cell->span = it->span;
    if (it->parent && cell->slot > NO_SLOT) {
        it->start = clock_now();
        write_inside(it);
        return 0;
    }
    if (!it->parent) {
        cell->slot = it->slot;
        if (begin_trace(cell, it->site) < 0) {
            return -1;
        }
    }
    it->start = clock_now();
    write_open(it);
    return 0;
}

/* Take the place in a cell of its own: other code runs while a coroutine waits. */
static int
enter_in_child(Opening *it)
{
    Cell *outer = it->cell, *cell = cell_child(outer);
    it->outer = outer;
    if (cell == NULL) {
        it->cell = NULL;
        return -1;
    }
    it->cell = cell;
    cell->span = it->span;
    cell->slot = it->slot;
    if (!it->parent && begin_trace(cell, it->site) < 0) {
        return -1;
    }
    PyObject *token = PyContextVar_Set(joined.cell, (PyObject *)cell);
    if (token == NULL) {
        return -1;
    }
    Py_DECREF(token);
    it->start = clock_now();
    write_open(it);
    return 0;
}

static void
opening_forget(Opening *it)
{
    Py_CLEAR(it->cell);
    Py_CLEAR(it->outer);
    Py_CLEAR(it->lane);
    Py_CLEAR(it->parent_said);
}

/* Begin a span: 1 if it did, 0 if the call is not recorded, -1 with an exception. */
int
opening_begin(Opening *it, const Place *place)
{
    *it = (Opening){.site = place->site, .what = place->what, .slot = NO_SLOT};
    int found = cell_now(&it->cell, &it->span);
    if (found != 1) {
        return found;
    }
    if (it->cell->lane == NULL || !PyObject_TypeCheck(it->cell->lane, &LaneType)) {
        opening_forget(it);
        return 0;
    }
    int skipped = is_skipped(place->skip, it->cell);
    if (skipped != 0) {
        opening_forget(it);
        return skipped < 0 ? -1 : 0;
    }
    it->lane = (Lane *)Py_NewRef(it->cell->lane);
    it->parent = it->cell->span;
    it->slot = free_slot(it->lane);
    if ((place->waits ? enter_in_child : enter_in_place)(it) < 0) {
        PyObject *error = raised_exception();
        opening_leave(it);
        raise_exception(error);
        return -1;
    }
    return 1;
}

/* --- the end ------------------------------------------------------------------------------------ */

/* The same in Python, for spans that there is more to say about. */
static int
tell(Opening *it, PyObject *how, int64_t took, const Given *given, PyObject *error)
{
    PyObject *parent = span_object(it->parent, it->parent_said), *done = NULL;
    PyObject *kept = given == NULL ? Py_NewRef(Py_None) : said_dict(given);
    PyObject *start = PyLong_FromLongLong(it->start), *length = PyLong_FromLongLong(took);
    if (parent != NULL && start != NULL && length != NULL && kept != NULL) {
        done = PyObject_CallFunctionObjArgs(how, (PyObject *)it->cell, it->site, parent, start, length,
                                            kept, error, NULL);
    }
    Py_XDECREF(kept);
    Py_XDECREF(parent);
    Py_XDECREF(start);
    Py_XDECREF(length);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* Note the end of a span that ended well; -1 where a failure of ours is to be heard. */
int
opening_end(Opening *it, const Given *kept)
{
    int64_t took = clock_now() - it->start;
    const Cell *cell = it->cell;
    int is_plain = cell->said == NULL && cell->span == it->span &&
                   (kept == NULL || kept->map == NULL || PyDict_CheckExact(kept->map)) &&
                   (it->outer == NULL || cell->thread == PyThread_get_thread_ident());
    return is_plain ? write_row(it, took, kept) : tell(it, joined.told, took, kept, NULL);
}

/* Note the end of a span that an exception left. */
int
opening_fail(Opening *it, const Given *kept, PyObject *error)
{
    return tell(it, joined.failed, clock_now() - it->start, kept, error);
}

static int
go_back(Opening *it)
{
    PyObject *here = NULL, *token = NULL;
    int done = PyContextVar_Get(joined.cell, NULL, &here);
    if (done == 0 && here == (PyObject *)it->cell) { /* else another context by now: leave that */
        token = PyContextVar_Set(joined.cell, (PyObject *)it->outer);
        done = token == NULL ? -1 : 0;
    }
    Py_XDECREF(token);
    Py_XDECREF(here);
    return done;
}

/* Leave the place, however it went; -1 with an exception. */
int
opening_leave(Opening *it)
{
    int done = 0;
    if (it->slot > NO_SLOT) {
        write_closed(it);
        done = stack_push(it->lane->opens, it->slot);
    }
    if (it->outer != NULL) {
        done |= it->cell == NULL ? 0 : go_back(it);
    } else if (it->cell != NULL) {
        it->cell->span = it->parent;
        PyObject *old = it->cell->said;
        it->cell->said = it->parent_said;
        it->parent_said = NULL;
        Py_XDECREF(old);
    }
    opening_forget(it);
    return done;
}
