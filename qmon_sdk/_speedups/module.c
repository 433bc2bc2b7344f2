/* The accelerator's front door: what Python finds in `qmon_sdk._speedups`. */

#include "events.h"

#ifndef QMON_SOURCES
#define QMON_SOURCES "unknown"
#endif

Names names;

static int
intern_names(void)
{
    struct { PyObject **place; const char *text; } wanted[] = {
        {&names.name, "name"}, {&names.value, "value"}, {&names.unit, "unit"},
        {&names.attributes, "attributes"}, {&names.crowded, "crowded"}, {&names.missed, "missed"},
        {&names.key_of, "key_of"}, {&names.counter, "counter"},
        {&names.distribution, "distribution"}, {&names.number, "number"}, {&names.buf, "buf"}, {&names.at, "at"},
        {&names.begin_trace, "begin_trace"}, {&names.who, "who"}, {&names.met, "_met"}, {&names.is_true, "true"},
        {&names.is_false, "false"}, {&names.sequence, "sequence"}, {&names.nothing, ""},
    };
    Py_XSETREF(names.events, PyUnicode_FromStringAndSize("\0events", 7));
    Py_XSETREF(names.links, PyUnicode_FromStringAndSize("\0links", 6));
    Py_XSETREF(names.no_pairs, PyBytes_FromStringAndSize("\x80", 1));
    if (names.events == NULL || names.links == NULL || names.no_pairs == NULL) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        Py_XSETREF(*wanted[i].place, PyUnicode_InternFromString(wanted[i].text));
        if (*wanted[i].place == NULL) {
            return -1;
        }
    }
    Py_XSETREF(names.one, PyLong_FromLong(1));
    Py_XSETREF(names.word_bits, PyLong_FromLong(64));
    return PyErr_Occurred() ? -1 : 0;
}

/* What is kept outside of objects belongs to one interpreter: a second one goes without. */
static int
refuse_other_interpreters(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) {
        return 0;
    }
    PyErr_SetString(PyExc_ImportError, "qmon's accelerator serves the main interpreter only");
    return -1;
}

static int
module_exec(PyObject *module)
{
    if (refuse_other_interpreters() < 0 || intern_names() < 0 || folding_setup() < 0 ||
        check_layout() < 0) {
        return -1;
    }
    PyTypeObject *types[] = {&PendingType, &ShelfType, &SupplyType, &StackType, &LaneType,
                             &CellType, &WrapperType, &StayType, &EntranceType,
                             &NotesType, &LabelsType, &EventsType, &ExtrasType, &VerbType, &NeedlesType};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (PyModule_AddType(module, types[i]) < 0) {
            return -1;
        }
    }
    if (PyModule_AddIntConstant(module, "GENERATION", GENERATION) < 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "SOURCES", QMON_SOURCES);
}

#define COLUMN(name) \
    {#name, columns_##name, METH_O, \
     PyDoc_STR(#name "(values, /)\n--\n\nWrite a column, or answer `NotImplemented`.")}

static PyMethodDef module_functions[] = {
    {"join", (PyCFunction)(void (*)(void))join, METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("join(**around)\n--\n\nTell what is called, and looked at, of the Python around.")},
    {"aim", (PyCFunction)(void (*)(void))verbs_aim, METH_FASTCALL,
     PyDoc_STR("aim(counters, gauges, distributions, /)\n--\n\nAim the verbs at shelves.")},
    {"gather", rows_gather, METH_VARARGS,
     PyDoc_STR("gather(chunks, start, most, /)\n--\n\nRead up to `most` finished rows of pages: "
               "columns, and where each page ends.")},
    {"let_go", rows_let_go, METH_VARARGS,
     PyDoc_STR("let_go(chunks, ends, /)\n--\n\nSay that the rows of pages are in frames.")},
    {"alike", words_alike, METH_O,
     PyDoc_STR("alike(column, /)\n--\n\nSay whether all words of a column are the same.")},
    {"places", rows_places, METH_O,
     PyDoc_STR("places(column, /)\n--\n\nList the different numbers of a column, and each row's "
               "place among them.")},
    {"forks", count_forks, METH_NOARGS,
     PyDoc_STR("forks()\n--\n\nHow many forks led to this process since `join` was called.")},
    {"cards", look_for_cards, METH_O,
     PyDoc_STR("cards(text, /)\n--\n\nSay whether a card number may be in a text.")},
    {"mixtures", look_for_mixtures, METH_VARARGS,
     PyDoc_STR("mixtures(text, length, /)\n--\n\nSay whether a text holds a word of that length with "
               "small letters, capitals and digits.")},
    {"plain", (PyCFunction)(void (*)(void))write_plain, METH_FASTCALL,
     PyDoc_STR("plain(value, limit, keys, hidden, /)\n--\n\nWrite a value, or answer `None` if it is "
               "not plain.")},
    {"variables", write_variables, METH_VARARGS,
     PyDoc_STR("variables(items, limit, keys, hidden, /)\n--\n\nWrite the variables of a frame, and "
               "list those that are not plain.")},
    {"write_row", (PyCFunction)(void (*)(void))write_ordinary_row, METH_FASTCALL,
     PyDoc_STR("write_row(cell, row, statuses, /)\n--\n\nWrite one finished span, or answer `False`: it "
               "is out of the ordinary.")},
    {"path_key", path_key, METH_O,
     PyDoc_STR("path_key(error, /)\n--\n\nName the path that an exception took, or answer `None`.")},
    {"event_block", event_block, METH_O,
     PyDoc_STR("event_block(rows, /)\n--\n\nWrite a block of events that are packed, or answer "
               "`NotImplemented`.")},
    COLUMN(words), COLUMN(labels), COLUMN(wholes), COLUMN(reals), COLUMN(flags), COLUMN(buckets),
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "qmon_sdk._speedups",
    .m_doc = PyDoc_STR("The hot paths of qmon, in C; `qmon_sdk.accelerator` decides whether."),
    .m_methods = module_functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    return PyModuleDef_Init(&module_def);
}
