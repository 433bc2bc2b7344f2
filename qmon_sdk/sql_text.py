"""The text of a statement without its data: literals become `?`, comments go, long lists shrink."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match, Pattern
    from typing import Any

MAX_STATEMENT = 16_384  # characters that are read
MAX_TEXT = 2048  # characters that are written
_REMEMBERED = 1024
_SHORT = 4096  # characters of a statement worth remembering

HIDDEN = "?"

STANDARD = frozenset(
    ("postgresql", "cockroachdb", "oracle.db", "microsoft.sql_server", "ibm.db2", "trino")
)
"""Where a backslash is only a backslash, and what stands in double quotes is always a name."""

LENIENT = frozenset(("sqlite",))
"""Where double quotes hold a name, or a text if there is no such name."""

ESCAPING = frozenset(("mysql", "mariadb"))
"""Where a backslash escapes, double quotes hold a text, and `#` begins a comment."""

_NAMING = frozenset(("from", "join", "into", "update", "table", "exists", "as", "set"))
"""After these comes a name."""

# Where a text may be read in two ways, neither may show what is a literal in the other: the pattern
# then does not match, and `rest` hides all that follows.
_TEXTS = {
    "standard": r"'(?:[^']|'')*+'",
    "escaping": r"'(?:[^'\\]|''|\\[\s\S])*+'",
    "unknown": r"'(?:[^'\\]|''|\\[^'])*+'",
}
_LINES = {"standard": "(?!)", "escaping": r"\#[^\n]*+", "unknown": "(?!)"}
_QUOTED = {mode: pattern.replace("'", '"') for mode, pattern in _TEXTS.items()}

_TOKENS = r"""
(?P<gap>      \s++ | /\*(?:[^*/]|\*(?!/)|/(?!\*))*+\*/ | {line} )
|(?P<remark>  --[^\r\n]*+ )
|(?P<literal> [eE]'(?:[^'\\]|''|\\[\s\S])*+' | (?:[xXbBnNrR]|[uU]&|_[A-Za-z]\w{{0,31}})?{text}
            | (?P<tag>\$(?:[^\W\d]\w*+)?\$)[\s\S]*?(?P=tag) | \d[\w.]*+(?:(?<=[eE])[+-]\d++)?
            | \.\d[\w.]*+(?:(?<=[eE])[+-]\d++)? )
|(?P<quoted>  {quoted} )
|(?P<rest>    /\* | [nN]?[qQ]' | ['"] | `(?![^`]*`) | \$(?:[^\W\d]\w*+)?\$ )
|(?P<name>    `[^`]*` | \[[^\W\d][\w\ ]*+\] )
|(?P<held>    \?\d*+ | \$\d++ | %s(?!\w) | %\([^\W\d]\w*+\)s(?!\w) | (?<!:):[^\W\d]\w*+ )
|(?P<word>    [^\W\d][\w$]*+ )
|(?P<mark>    [\s\S] )
"""
"""Every text is a row of these."""

_patterns: dict[str, Pattern[str]] = {}
_known: dict[tuple[str, str], str] = {}


def sanitized(query: Any, system: str = "") -> str:
    """Write a statement so that it tells what was asked but not about whom.

    Strings, numbers and dollar quotes become `?`, comments and line breaks a space, lists of `IN`
    and `VALUES` one `?`; placeholders stay. `system` is OpenTelemetry's `db.system.name`: it says
    what double quotes and backslashes mean. Where that is not known, what may be a literal counts
    as one. Sanitizing twice is sanitizing once; never raises; what is no text reads as empty.
    """
    text = _text_of(query)
    key = (text, system)
    found = _known.get(key)
    if found is None:
        found = _written(text, system)
        if len(text) <= _SHORT:
            if len(_known) >= _REMEMBERED:
                _known.clear()
            _known[key] = found
    return found


def _text_of(query: Any) -> str:
    """Take as much of the statement as is read."""
    if type(query) is str:
        return query if len(query) <= MAX_STATEMENT else query[:MAX_STATEMENT]
    if isinstance(query, str):
        return str.__getitem__(query, slice(MAX_STATEMENT))
    if isinstance(query, bytes):
        return bytes.__getitem__(query, slice(MAX_STATEMENT)).decode("utf-8", "replace")
    return ""


def _written(text: str, system: str) -> str:
    mode = "standard" if system in STANDARD or system in LENIENT else "unknown"
    mode = "escaping" if system in ESCAPING else mode
    statement = _Statement(text, system, last_quote=_last_quote(text) if mode == "unknown" else -1)
    for match in _pattern(mode).finditer(text):
        if not statement.take(match):
            break
    return "".join(statement.parts)


def _last_quote(text: str) -> int:
    return max(map(text.rfind, "'\"`$"))


def _pattern(mode: str) -> Pattern[str]:
    pattern = _patterns.get(mode)
    if pattern is None:
        import re  # imported by the first statement

        source = _TOKENS.format(line=_LINES[mode], text=_TEXTS[mode], quoted=_QUOTED[mode])
        pattern = _patterns[mode] = re.compile(source, re.VERBOSE)
    return pattern


class _Statement:
    """One statement being written, a token at a time."""

    def __init__(self, text: str, system: str, *, last_quote: int) -> None:
        self.parts: list[str] = []
        self._text = text
        self._is_strict = system in STANDARD
        self._is_lenient = system in LENIENT
        self._is_vague = system not in STANDARD and system not in LENIENT
        self._last_quote = last_quote
        self._size = 0
        self._gap = False
        self._word = ""  # the last word, if nothing came after it
        self._list = ""  # `in` or `values`, while inside what follows them
        self._columns = 0  # after INTO: 1 a name comes, 2 it has come, 3 its columns

    def take(self, match: Match[str]) -> bool:
        """Write one token; `False` when nothing of what follows may or can be written."""
        kind, token = self._kind(match), match[0]
        if kind == "gap":
            self._gap = True
            return True
        if kind == "rest":
            self._add(HIDDEN)
            return False
        if kind in {"literal", "held"}:
            return self._value(HIDDEN if kind == "literal" or token[0] == HIDDEN else token)
        return self._plain(kind, token)

    def _kind(self, match: Match[str]) -> str:
        kind, text = match.lastgroup or "", match[0]
        if kind == "remark":
            return "rest" if self._may_be_minus(text) else "gap"
        if kind == "quoted":
            return "name" if self._is_name(match) else "literal"
        if kind == "mark" and text == "#" and match.start() < self._last_quote:
            return "rest"  # for MySQL, a remark that may end before a text
        return "literal" if kind == "tag" else kind

    def _may_be_minus(self, remark: str) -> bool:
        """Say whether MySQL, which wants a space after `--`, would read on and find a text."""
        glued = len(remark) > len("--") and not remark[2].isspace()
        return glued and self._is_vague and _last_quote(remark) >= 0

    def _is_name(self, match: Match[str]) -> bool:
        """Say whether double quotes hold a name: they do beside a dot, and where one must come."""
        if self._is_strict or self._text[match.end() : match.end() + 1] == ".":
            return True
        before = self.parts[-1].strip() if self.parts else ""
        if before == "." and not self._gap:
            return True
        return self._is_lenient and (self._word in _NAMING or self._columns == 3)  # noqa: PLR2004 - see above

    def _plain(self, kind: str, token: str) -> bool:
        if kind == "word":
            self._word = token.lower()
            self._list = self._word if self._word in {"in", "values"} else ""
            is_name = self._columns == 1
            self._columns = 1 if self._word == "into" else 2 * is_name
        elif kind == "name":
            self._word = self._list = ""
            self._columns = {1: 2, 3: 3}.get(self._columns, 0)
        else:
            self._mark(token)
        # A name is only written if the dot that makes it one can be.
        return self._add(token, spare=1 if kind == "name" else 0) and self._rows()

    def _mark(self, mark: str) -> None:
        if mark not in "(),":
            self._list = ""
        self._word = ""
        if mark == ".":
            self._columns = 1 if self._columns == 2 else 0  # noqa: PLR2004
        elif mark == "(":
            self._columns = 3 if self._columns == 2 else 0  # noqa: PLR2004
        elif mark != "," or self._columns != 3:  # noqa: PLR2004
            self._columns = 0

    def _value(self, token: str) -> bool:
        """Write a literal or a placeholder; the second of a list takes the place of the first."""
        self._word, self._columns = "", 0
        before = self.parts[-2:]
        if self._list and len(before) == 2 and before[1].strip() == "," and _is_value(before[0]):  # noqa: PLR2004
            self._drop(2)
            self._gap = before[0][0] == " "
            token = HIDDEN
        return self._add(token)

    def _rows(self) -> bool:
        """Let the second of two rows of `VALUES` that are alike take the first one's place."""
        last = [part.strip() for part in self.parts[-7:]]
        if self._list == "values" and last == ["(", HIDDEN, ")", ",", "(", HIDDEN, ")"]:
            self._drop(4)
        return True

    def _drop(self, number: int) -> None:
        self._size -= sum(map(len, self.parts[-number:]))
        del self.parts[-number:]

    def _add(self, token: str, spare: int = 0) -> bool:
        """Write a token, and the space before it; `False` when there is no room for it."""
        part = " " + token if self._gap and self.parts else token
        if self._size + len(part) + spare > MAX_TEXT:
            return False
        self.parts.append(part)
        self._size += len(part)
        self._gap = False
        return True


def _is_value(part: str) -> bool:
    return part.lstrip()[0] in "?$%:" and part.strip() not in {"$", "%", ":"}
