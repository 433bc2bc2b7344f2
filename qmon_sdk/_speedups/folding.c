/* Folds the values of a series into one part: the same sums, bounds and buckets as `series.py`.
 *
 * Only plain numbers with a finite sum are folded here. Anything else comes back as a list, and is
 * folded by the one place that knows about it, in Python.
 */

#include "speedups.h"

#include <float.h>
#include <math.h>

/* The formula's constants, from `protocol/buckets.py`, so that there is one place to change them. */
static double log_gamma;
static long bucket_zero;
static PyObject *builtin_sum;

static int
constant(PyObject *module, const char *name, double *value)
{
    PyObject *found = PyObject_GetAttrString(module, name);
    *value = found == NULL ? -1 : PyFloat_AsDouble(found);
    Py_XDECREF(found);
    return PyErr_Occurred() ? -1 : 0;
}

int
folding_setup(void)
{
    double zero;
    PyObject *buckets = PyImport_ImportModule("qmon_sdk.protocol.buckets");
    if (buckets == NULL) {
        return -1;
    }
    int done = constant(buckets, "_LOG_GAMMA", &log_gamma) | constant(buckets, "ZERO", &zero);
    Py_DECREF(buckets);
    bucket_zero = (long)zero;
    builtin_sum = PyDict_GetItemString(PyEval_GetBuiltins(), "sum");
    Py_XINCREF(builtin_sum);
    return done | (builtin_sum == NULL ? -1 : 0);
}

/* --- buckets --------------------------------------------------------------------------------- */

static long
bucket_of(double value)
{
    if (value >= DBL_MIN) {
        return (long)ceil(log(value) / log_gamma);
    }
    if (value > -DBL_MIN) {
        return bucket_zero;
    }
    return 2 * bucket_zero - (long)ceil(log(-value) / log_gamma);
}

/* Count one bucket; a dictionary keeps the order in which buckets first came, as `Counter` does. */
static int
count_bucket(PyObject *counts, long index, long many)
{
    PyObject *key = PyLong_FromLong(index);
    PyObject *before = key == NULL ? NULL : PyDict_GetItemWithError(counts, key);
    PyObject *after = NULL;
    if (key != NULL && !PyErr_Occurred()) {
        after = PyLong_FromLong(many + (before == NULL ? 0 : PyLong_AsLong(before)));
    }
    int done = after == NULL ? -1 : PyDict_SetItem(counts, key, after);
    Py_XDECREF(key);
    Py_XDECREF(after);
    return done;
}

enum { SEATS = 256 };

/* Counters for most of the buckets a fold meets, each at the seat of its index. */
typedef struct {
    long index[SEATS];
    long count[SEATS];
} Seats;

/* A seat that is taken by another index is emptied into the dictionary first. The dictionary knows
 * every index from its first value on, so that the order in it is the order of first values. */
static int
seat(PyObject *counts, Seats *seats, long index)
{
    size_t place = (size_t)index % SEATS;
    if (seats->count[place] && seats->index[place] == index) {
        seats->count[place]++;
        return 0;
    }
    long many = seats->count[place];
    seats->count[place] = 0;
    if (many && count_bucket(counts, seats->index[place], many) < 0) {
        return -1;
    }
    seats->index[place] = index;
    seats->count[place] = 1;
    return count_bucket(counts, index, 0);
}

static PyObject *
buckets_of(const double *numbers, Py_ssize_t count)
{
    Seats seats = {.count = {0}};
    PyObject *counts = PyDict_New();
    for (Py_ssize_t i = 0; counts != NULL && i < count; i++) {
        if (seat(counts, &seats, bucket_of(numbers[i])) < 0) {
            Py_CLEAR(counts);
        }
    }
    for (int i = 0; counts != NULL && i < SEATS; i++) {
        if (seats.count[i] && count_bucket(counts, seats.index[i], seats.count[i]) < 0) {
            Py_CLEAR(counts);
        }
    }
    return counts;
}

/* --- sums ------------------------------------------------------------------------------------ */

/* What `sum` makes of floats: since 3.12 it keeps what rounding loses (Neumaier's way). */
static double
sum_of_reals(const Slot *slots, Py_ssize_t count)
{
    double total = 0.0 + slots[0].real;
#if PY_VERSION_HEX >= 0x030C0000
    double lost = 0.0;
    for (Py_ssize_t i = 1; i < count; i++) {
        double next = slots[i].real, sum = total + next;
        lost += fabs(total) >= fabs(next) ? (total - sum) + next : (next - sum) + total;
        total = sum;
    }
    return lost && isfinite(lost) ? total + lost : total;
#else
    for (Py_ssize_t i = 1; i < count; i++) {
        total += slots[i].real;
    }
    return total;
#endif
}

/* The sum of whole numbers, or NaN where it is too large to be sure of every digit. */
static double
sum_of_wholes(const Slot *slots, Py_ssize_t count)
{
    long long total = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        long long next = slots[i].whole;
        if (next > 0 ? total > LLONG_MAX - next : total < LLONG_MIN - next) {
            return NAN;
        }
        total += next;
    }
    return (double)total;
}

/* The sum of any objects, or NaN unless they are all plain numbers. */
static double
sum_of_any(const Slot *slots, Py_ssize_t count, PyObject *list)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = slots[i].any;
        if (!PyFloat_CheckExact(value) && !PyLong_CheckExact(value) && !PyBool_Check(value)) {
            return NAN;
        }
    }
    PyObject *total = PyObject_CallOneArg(builtin_sum, list);
    double read = total == NULL ? NAN : PyFloat_AsDouble(total);
    Py_XDECREF(total);
    if (PyErr_Occurred()) { /* too large for a float */
        PyErr_Clear();
        return NAN;
    }
    return read;
}

/* --- parts ----------------------------------------------------------------------------------- */

static double
number_in(Slot slot, Sort sort)
{
    switch (sort) {
    case REALS: return slot.real;
    case WHOLES: return (double)slot.whole;
    default: return PyFloat_AsDouble(slot.any);
    }
}

/* The fields of `series.Part`; minimum and maximum are the first of equals, as `min` has it. */
static PyObject *
part_of(const double *numbers, Py_ssize_t count, double total, PyObject *buckets)
{
    double minimum = numbers[0], maximum = numbers[0];
    for (Py_ssize_t i = 1; i < count; i++) {
        minimum = numbers[i] < minimum ? numbers[i] : minimum;
        maximum = numbers[i] > maximum ? numbers[i] : maximum;
    }
    double last = numbers[count - 1];
    return Py_BuildValue("(nddddNi)", count, total, last, minimum, maximum, buckets, 0);
}

static PyObject *
counter_part(Py_ssize_t count, double total)
{
    PyObject *none = PyDict_New();
    return none == NULL ? NULL : Py_BuildValue("(nddddNi)", count, total, 0., 0., 0., none, 0);
}

/* The part of a gauge or a distribution; NULL with `OverflowError` if one value is no double. */
static PyObject *
bounded_part(const Buffer *buffer, double total, int is_distribution)
{
    Py_ssize_t count = buffer->count;
    double *numbers = PyMem_Malloc(count * sizeof(double));
    if (numbers == NULL) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        numbers[i] = number_in(buffer->slots[i], buffer->sort);
    }
    PyObject *part = NULL;
    if (!PyErr_Occurred()) {
        PyObject *buckets = is_distribution ? buckets_of(numbers, count) : PyDict_New();
        part = buckets == NULL ? NULL : part_of(numbers, count, total, buckets);
    }
    PyMem_Free(numbers);
    return part;
}

/* Fold, or hand back a list that has to be folded in Python; `None` of nothing. */
PyObject *
fold_buffer(const Buffer *buffer, PyObject *kind)
{
    if (buffer->count == 0) {
        Py_RETURN_NONE;
    }
    PyObject *list = NULL, *part;
    double total;
    if (buffer->sort == ANY) {
        list = buffer_list(buffer);
        total = list == NULL ? NAN : sum_of_any(buffer->slots, buffer->count, list);
    } else {
        total = (buffer->sort == REALS ? sum_of_reals : sum_of_wholes)(buffer->slots, buffer->count);
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (!isfinite(total)) {
        return list != NULL ? list : buffer_list(buffer);
    }
    if (PyUnicode_Compare(kind, names.counter) == 0) {
        part = counter_part(buffer->count, total);
    } else {
        part = bounded_part(buffer, total, PyUnicode_Compare(kind, names.distribution) == 0);
    }
    if (part == NULL && list != NULL && PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear();
        return list;
    }
    Py_XDECREF(list);
    return part;
}
