/* Looking at a text for what may be a secret, in one pass where Python would need one for each word.
 *
 * All of it only says whether a closer look is worth while; what is a secret, patterns decide.
 */

#include "speedups.h"

/* --- Needles: whether a text holds one of some words --------------------------------------------- */

enum { ASCII = 128, MOST_NEEDLES = 128 };

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *words;                   /* a tuple of texts in ASCII */
    uint8_t begins[ASCII * ASCII / 8]; /* which two characters one of them begins with */
} Needles;

static void
mark(Needles *self, unsigned first, unsigned second)
{
    unsigned pair = first * ASCII + second;
    self->begins[pair / 8] |= (uint8_t)(1U << pair % 8);
}

static int
begins(const Needles *self, Py_UCS4 first, Py_UCS4 second)
{
    Py_UCS4 pair = first * ASCII + second;
    return first < ASCII && (self->begins[pair / 8] >> pair % 8 & 1);
}

/* Say whether one of the words stands at a place. */
static int
stands_at(const Needles *self, PyObject *text, Py_ssize_t at)
{
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t left = PyUnicode_GET_LENGTH(text) - at;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->words); i++) {
        PyObject *word = PyTuple_GET_ITEM(self->words, i);
        Py_ssize_t length = PyUnicode_GET_LENGTH(word), same = 0;
        const Py_UCS1 *letters = PyUnicode_1BYTE_DATA(word);
        while (length <= left && same < length && PyUnicode_READ(kind, data, at + same) == letters[same]) {
            same++;
        }
        if (same == length) {
            return 1;
        }
    }
    return 0;
}

/* What is no ASCII, or behind the end, counts as 0: it may follow a word of one character.
 * The same loop for each width of characters: compilers make a quick one of each. */
#define LOOK(TYPE) \
    do { \
        const TYPE *letters = PyUnicode_DATA(text); \
        for (Py_ssize_t at = 0; at < length; at++) { \
            Py_UCS4 next = at + 1 < length && letters[at + 1] < ASCII ? letters[at + 1] : 0; \
            if (begins(self, letters[at], next) && stands_at(self, text, at)) { \
                return 1; \
            } \
        } \
        return 0; \
    } while (0)

static int
are_in(const Needles *self, PyObject *text)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    switch (PyUnicode_KIND(text)) {
    case PyUnicode_1BYTE_KIND:
        LOOK(Py_UCS1);
    case PyUnicode_2BYTE_KIND:
        LOOK(Py_UCS2);
    default:
        LOOK(Py_UCS4);
    }
}

static int
is_word(PyObject *word)
{
    if (PyUnicode_CheckExact(word) && PyUnicode_IS_ASCII(word) && PyUnicode_GET_LENGTH(word)) {
        return 1;
    }
    PyErr_SetString(PyExc_TypeError, "needles are texts in ASCII");
    return 0;
}

static int
mark_word(Needles *self, PyObject *word)
{
    if (!is_word(word)) {
        return -1;
    }
    const Py_UCS1 *letters = PyUnicode_1BYTE_DATA(word);
    if (PyUnicode_GET_LENGTH(word) > 1) {
        mark(self, letters[0], letters[1]);
        return 0;
    }
    for (unsigned next = 0; next < ASCII; next++) {
        mark(self, letters[0], next);
    }
    return 0;
}

static PyObject *
needles_vectorcall(Needles *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    if (PyVectorcall_NARGS(nargsf) != 1 || kwnames != NULL || !PyUnicode_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "needles are looked for in one text");
        return NULL;
    }
    return PyBool_FromLong(are_in(self, args[0]));
}

static PyObject *
needles_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *words;
    if (!PyArg_ParseTuple(args, "O!:Needles", &PyTuple_Type, &words)) {
        return NULL;
    }
    Needles *self = (Needles *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vectorcall = (vectorcallfunc)needles_vectorcall;
    self->words = Py_NewRef(words);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(words); i++) {
        if (mark_word(self, PyTuple_GET_ITEM(words, i)) < 0) {
            Py_DECREF(self);
            return NULL;
        }
    }
    return (PyObject *)self;
}

static void
needles_dealloc(Needles *self)
{
    Py_CLEAR(self->words);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject NeedlesType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "qmon_sdk._speedups.Needles",
    .tp_doc = PyDoc_STR("Called with a text, says whether it holds one of some words."),
    .tp_basicsize = sizeof(Needles),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = needles_new,
    .tp_dealloc = (destructor)needles_dealloc,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Needles, vectorcall),
};

/* --- cards ------------------------------------------------------------------------------------------- */

enum { FEWEST_DIGITS = 13 };

static int
is_digit(Py_UCS4 letter)
{
    return letter >= '0' && letter <= '9';
}

/* The digits since one that a card may begin with, and whether there is a gap after the last. */
typedef struct {
    int met, gap;
} Digits;

static void
digits_go_on(Digits *digits, Py_UCS4 letter, Py_UCS4 next)
{
    if (is_digit(letter)) {
        int begins = letter >= '2' && letter <= '6' && is_digit(next);
        digits->met += digits->met || begins;
        digits->gap = 0;
    } else if (digits->gap || (letter != ' ' && letter != '-')) {
        *digits = (Digits){0, 0};
    } else {
        digits->gap = 1;
    }
}

/* Say whether a card number may be in a text, as the pattern `cards.HINT` does. */
int
may_hold_card(PyObject *text)
{
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    Digits digits = {0, 0};
    for (Py_ssize_t at = 0; at < length; at++) {
        Py_UCS4 next = at + 1 < length ? PyUnicode_READ(kind, data, at + 1) : 0;
        digits_go_on(&digits, PyUnicode_READ(kind, data, at), next);
        if (digits.met >= FEWEST_DIGITS) {
            return 1;
        }
    }
    return 0;
}

PyObject *
look_for_cards(PyObject *Py_UNUSED(module), PyObject *text)
{
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "cards are looked for in a text");
        return NULL;
    }
    return PyBool_FromLong(may_hold_card(text));
}

/* --- words that nobody made up ------------------------------------------------------------------------ */

typedef struct {
    Py_ssize_t length;
    int small, large, digit;
} Word;

/* Add a character to a word; 0 if it is none of a word. */
static int
word_goes_on(Word *word, Py_UCS4 letter)
{
    int small = letter >= 'a' && letter <= 'z', large = letter >= 'A' && letter <= 'Z';
    int digit = is_digit(letter);
    word->small |= small;
    word->large |= large;
    word->digit |= digit;
    word->length++;
    return small || large || digit || letter == '+' || letter == '/' || letter == '_' ||
           letter == '=' || letter == '-';
}

/* Say whether a text holds a word of at least that length with small letters, capitals and digits. */
PyObject *
look_for_mixtures(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *text;
    Py_ssize_t wanted;
    if (!PyArg_ParseTuple(args, "Un:mixtures", &text, &wanted)) {
        return NULL;
    }
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Word word = {0};
    for (Py_ssize_t at = 0; at < PyUnicode_GET_LENGTH(text); at++) {
        if (!word_goes_on(&word, PyUnicode_READ(kind, data, at))) {
            word = (Word){0};
        } else if (word.length >= wanted && word.small && word.large && word.digit) {
            Py_RETURN_TRUE;
        }
    }
    Py_RETURN_FALSE;
}
