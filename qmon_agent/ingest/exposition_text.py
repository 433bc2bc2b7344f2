"""Prometheus's text format, each line known again by what stands before its value.

Families are those that `prometheus_client` reads of the same text: it reads every line that was not
there the last time, and whole pages in which anything is unusual.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from qmon_agent.ingest.growth import series_key
from qmon_agent.ingest.recollection import Recollection, Recollections

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = r'([a-zA-Z][a-zA-Z0-9_]*)="([^"\\{}\n]*)"'
_PAIR = re.compile(_LABEL)
_PLAIN = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{((?:{_LABEL},)*{_LABEL})\}})?\Z")
"""A name and labels in which nothing is escaped, and nothing else could be meant."""
_ENDINGS = {
    "counter": ("",),
    "gauge": ("",),
    "untyped": ("",),
    "summary": ("_count", "_sum", ""),
    "histogram": ("_count", "_sum", "_bucket"),
}
_LINE_BYTES = 800  # what is remembered of a line, beside its text, which is there twice
_MOST_DIGITS = 40

Labels = dict[str, str]


class Line(msgspec.Struct):
    """What stands before a value: a name and labels."""

    name: str
    labels: Labels
    attributes: Labels
    """The labels, with those of the target."""
    key: bytes
    total: Line | None = None
    """The same, called as counters are."""


Told = tuple[Line, float]
"""A sample that says no time."""


class Family(msgspec.Struct):
    """As those of `prometheus_client`, but for samples that say no time."""

    name: str
    type: str
    samples: list[Any]
    """`Told`, or a sample of theirs."""
    unit: str = ""


class _UnusualError(Exception):
    """A page that is read by them."""


class TextReader:
    """Reads the pages of one target, one after the other."""

    def __init__(
        self, budget: Recollections, labelled: Callable[[Mapping[str, str]], Labels]
    ) -> None:
        """`labelled` adds the labels of the target."""
        self._lines: Recollection[str, Line] = budget.new(_size_of)
        self._labelled = labelled

    def families(self, text: str, *, most: int) -> Iterable[Any]:
        """All of a page, or more than `most` samples of it; raises ValueError, and whatever
        `prometheus_client` raises.
        """
        page = _Page(self)
        try:
            page.read(text, most)
        except _UnusualError:
            from prometheus_client import parser

            return parser.text_string_to_metric_families(text)
        return page.families

    def sample(self, line: str) -> Any:
        """Of one line that has neither comment nor blanks around it."""
        head, _, value = line.rpartition(" ")
        known = self._lines.fresh.get(head) or self._lines.again(head)
        if known is not None and (number := _number(value)) is not None:
            return known, number
        number = _number(value)
        if number is None or (found := _plain(head)) is None:
            from prometheus_client import parser

            (family,) = parser.text_string_to_metric_families(line)
            (sample,) = family.samples
            if number is None or sample.timestamp is not None:
                return sample
            found = sample.name, sample.labels
        known = self.line(*found)
        self._lines.add(head, known)
        return known, number

    def line(self, name: str, labels: Labels) -> Line:
        key = series_key({"__name__": name, **labels})
        return Line(name, labels, self._labelled(labels), key)

    def get(self) -> Callable[[str], Line | None]:
        """Looks among the lines of the last page, for who is in a hurry."""
        return self._lines.fresh.get

    def forget(self) -> None:
        self._lines.forget()


class _Page:
    """A page while it is read: the family whose samples come."""

    def __init__(self, reader: TextReader) -> None:
        self.families: list[Family] = []
        self._reader = reader
        self._family = Family("", "", [])
        self._allowed: tuple[str, ...] = ()

    def read(self, text: str, most: int) -> None:
        get, count = self._reader.get(), 0
        for line in text.split("\n"):
            head, _, value = line.rpartition(" ")
            known = get(head)
            if known is not None and (number := _number(value)) is not None:
                self._sample((known, number))
            elif line := line.strip():
                if line[0] == "#":
                    self._comment(line)
                    continue
                self._sample(self._reader.sample(line))
            else:
                continue
            count += 1
            if count > most:
                break
        self._end()

    def _comment(self, line: str) -> None:
        what = line.split(None, 3)
        if '"' in "".join(what[:3]):
            raise _UnusualError
        if len(what) < 2 or what[1] not in {"HELP", "TYPE"}:  # noqa: PLR2004 - a mark and a word
            return
        if what[0] != "#" or len(what) == 2 or not _NAME.match(what[2]):  # noqa: PLR2004 - no name
            raise _UnusualError
        self._begin(what[2])
        if what[1] == "TYPE":
            kind = what[3] if len(what) > 3 else ""  # noqa: PLR2004 - and a type
            if kind not in _ENDINGS or what[2].endswith("_created"):
                raise _UnusualError
            self._family.type = kind
            self._allowed = tuple([what[2] + ending for ending in _ENDINGS[kind]])

    def _begin(self, name: str) -> None:
        if name != self._family.name:
            self._end()
            self._family, self._allowed = Family(name, "untyped", []), (name,)

    def _end(self) -> None:
        family = self._family
        if family.name:
            if family.type == "counter":
                family.samples = [*map(self._as_total, family.samples)]
            self.families.append(family)

    def _sample(self, sample: Any) -> None:
        name = sample[0].name if isinstance(sample[0], Line) else sample.name
        if name in self._allowed:
            self._family.samples.append(sample)
            return
        self._end()
        self._family, self._allowed = Family("", "", []), ()
        self.families.append(Family(name, "untyped", [sample]))

    def _as_total(self, sample: Any) -> Any:
        """A counter's sample by the name that all counters have."""
        if self._family.name.endswith("_total"):
            return sample
        if not isinstance(sample[0], Line):
            return sample._replace(name=sample.name + "_total")
        line, value = sample
        if line.total is None:
            line.total = self._reader.line(line.name + "_total", line.labels)
        return line.total, value


def _plain(head: str) -> tuple[str, Labels] | None:
    """Name and labels of most lines."""
    told = _PLAIN.match(head)
    if told is None:
        return None
    pairs = _PAIR.findall(told[2] or "")
    labels = dict(pairs)
    return (told[1], labels) if len(labels) == len(pairs) else None


def _number(text: str) -> float | None:
    """What is so short and plain that nobody reads it otherwise."""
    if len(text) > _MOST_DIGITS or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _size_of(head: str) -> int:
    return _LINE_BYTES + 3 * len(head)
