"""The series of remote write's messages, known again by the bytes that they are told with.

Of 1.0 a series is its labels, then its samples, nearly always one. That sample has one of two
lengths; when the bytes before it have been read once, and were whole fields that say labels and
nothing else, then whatever sample follows the same bytes is one of the same series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Any

import msgspec

from qmon_agent.ingest.recollection import Recollection, Recollections
from qmon_agent.ingest.remote_messages import BARE, V1, MessageError, message_class

TYPES = ("", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")
_MOST_LABELS = 8192  # are remembered, of which each is some 300 bytes
_KNOWN_BYTES = 700  # what is remembered of a series, beside its texts, which are there twice

# A sample with a value of eight bytes and a time of six, which milliseconds have until 2109.
_SAMPLE = Struct("<3sdB6s")
_NOUGHT = Struct("<3s6s")  # one whose value is nought does not say it
_SAMPLE_BEGINS, _TIME, _NOUGHT_BEGINS = b"\x12\x10\x09", 0x10, b"\x12\x07\x10"
_MORE, _BITS = 0x80, 0x7F

Known = tuple[str, ...]
"""What a series of 2.0 is known by: its labels, type, unit, and since when it has been counting."""


class Series(msgspec.Struct, kw_only=True):
    """One series, the same whichever version it came by."""

    name: str
    job: str
    attributes: dict[str, str]
    """Its other labels."""
    type: str = ""
    unit: str = ""
    created: int = 0
    """Milliseconds; what samples say of themselves goes first."""
    key: bytes = b""
    """What its growth is remembered by, once somebody has asked for it."""
    is_read_as: tuple[int, int] = (0, 0)
    """What its samples are, and as of which state of knowledge."""

    @property
    def labels(self) -> dict[str, str]:
        """All of them."""
        labels = {"__name__": self.name, **self.attributes}
        return {**labels, "job": self.job} if self.job else labels


Reading = tuple[int, Series, Any, int]
"""Time in milliseconds, series, a number or a native histogram, and since when it was counting."""


class Message(msgspec.Struct, kw_only=True):
    """All that is said, and how much of it nobody can make sense of."""

    readings: list[Reading] = []
    """The older ones first, else in the order of the message."""
    fresh: list[tuple[bytes | Known, Series]] = []
    """Series that were not known, and what they are to be known by; nothing, if they cannot be."""
    exemplars: int = 0
    types: dict[str, str] = {}
    """Metric → type, where a message says that apart from the series."""
    problems: list[str] = []

    def take(self, series: Series, samples: Sequence[Any], natives: Sequence[Any]) -> None:
        """Samples and histograms of one series."""
        created, readings = series.created, self.readings
        for one in samples:
            readings.append((one.timestamp, series, one.value, one.start_timestamp or created))
        for one in natives:
            readings.append((one.timestamp, series, one, one.start_timestamp or created))


def read_message(data: bytes, kind: str) -> Message:
    """Of `V1` or `V2`, by itself; raises MessageError for what is no such message."""
    return MessageReader().read(data, kind)


class MessageReader:
    """Reads messages, and remembers the series; used by one thread at a time."""

    def __init__(self, budget: Recollections | None = None) -> None:
        budget = budget or Recollections()
        self._by_bytes: Recollection[bytes, Series] = budget.new(_size_of_bytes)
        self._by_texts: Recollection[Known, Series] = budget.new(_size_of_texts)

    def __len__(self) -> int:
        return len(self._by_bytes) + len(self._by_texts)

    def forget(self) -> None:
        """All series: nobody will ask for them."""
        self._by_bytes.forget()
        self._by_texts.forget()

    def read(self, data: bytes, kind: str) -> Message:
        """Of `V1` or `V2`; raises MessageError for what is no such message."""
        request = _parsed(BARE if kind == V1 else kind, "", data)
        message = Message(readings=[], fresh=[], types={}, problems=[])
        if kind == V1:
            self._read_v1(request, message)
        else:
            self._read_v2(request, message)
        message.readings.sort(key=itemgetter(0))
        self._remember(message)
        return message

    def _remember(self, message: Message) -> None:
        """Once all of it was read: of what raises, nobody has seen any series."""
        for known, series in message.fresh:
            if isinstance(known, tuple):
                self._by_texts.add(known, series)
            elif known:
                self._by_bytes.add(known, series)

    def _read_v1(self, request: Any, message: Message) -> None:
        for told in request.metadata:
            message.types[told.metric_family_name] = _type(told.type)
        get, add, times = self._by_bytes.fresh.get, message.readings.append, _Times()
        split, before = _SAMPLE.unpack_from, -_SAMPLE.size
        for raw in request.timeseries:
            series = get(raw[:before])
            if series is None:
                self._read_one(raw, message, times)
                continue
            begins, value, then, time = split(raw, before)
            if begins == _SAMPLE_BEGINS and then == _TIME and (at := times[time]):
                add((at, series, value, 0))
            else:
                self._read_one(raw, message, times)

    def _read_one(self, raw: bytes, message: Message, times: _Times) -> None:
        """What is not a number of a series that was heard of a moment ago."""
        known = self._by_bytes
        for head, value, time in _cut(raw):
            series = known.fresh.get(head) or known.again(head)
            if series is not None and (at := times[time]):
                message.readings.append((at, series, value, 0))
                return
        self._parse(raw, message)

    def _parse(self, raw: bytes, message: Message) -> None:
        one = _parsed(BARE, "TimeSeries", raw)
        labels = _labels([*map(_label, one.labels)], message)
        if labels is None:
            return
        series = _series_of(labels)
        message.fresh.append((_head_of(raw, one), series))
        message.exemplars += len(one.exemplars)
        message.take(series, one.samples, one.histograms)

    def _read_v2(self, request: Any, message: Message) -> None:
        symbols = [*request.symbols]
        for one in request.timeseries:
            try:
                texts = [symbols[place] for place in one.labels_refs]
                about = one.metadata
                unit = symbols[about.unit_ref] if about.unit_ref else ""
                series = self._series_v2(
                    (*texts, _type(about.type), unit, str(one.created_timestamp)), message
                )
            except IndexError:
                message.problems.append("a reference to a symbol that is not there")
                continue
            if series is not None:
                message.exemplars += len(one.exemplars)
                message.take(series, one.samples, one.histograms)

    def _series_v2(self, known: Known, message: Message) -> Series | None:
        series = self._by_texts.fresh.get(known) or self._by_texts.again(known)
        if series is None:
            *texts, kind, unit, created = known
            pairs = [(texts[place], texts[place + 1]) for place in range(0, len(texts), 2)]
            labels = _labels(pairs, message)
            if labels is None:
                return None
            series = _series_of(labels, type=kind, unit=unit, created=int(created))
            message.fresh.append((known, series))
        return series


class _Times(dict[bytes, int]):
    """The times of one message, which are few; 0 for bytes that say none of our days."""

    def __missing__(self, raw: bytes) -> int:
        *first, last = raw
        time = 0
        if last < _MORE and all(byte >= _MORE for byte in first):
            for byte in reversed(raw):
                time = time << 7 | byte & _BITS
        self[raw] = time
        return time


def _cut(raw: bytes) -> Iterator[tuple[bytes, float, bytes]]:
    """What may be the bytes of the labels, and the value and time of one sample after them."""
    if len(raw) > _SAMPLE.size:
        begins, value, then, time = _SAMPLE.unpack_from(raw, -_SAMPLE.size)
        if begins == _SAMPLE_BEGINS and then == _TIME:
            yield raw[: -_SAMPLE.size], value, time
    if len(raw) > _NOUGHT.size:
        begins, time = _NOUGHT.unpack_from(raw, -_NOUGHT.size)
        if begins == _NOUGHT_BEGINS:
            yield raw[: -_NOUGHT.size], 0.0, time


def _head_of(raw: bytes, one: Any) -> bytes:
    """The bytes before the sample, if they are whole fields by themselves; else none.

    Where they are, what follows begins a field: it is the one sample that there is.
    """
    if len(one.samples) == 1 and not one.histograms and not one.exemplars:
        for head, _, _ in _cut(raw):
            with suppress(MessageError):
                _parsed(BARE, "TimeSeries", head)
                return head
    return b""


def _parsed(kind: str, part: str, data: bytes) -> Any:
    made = message_class(kind, part)()
    try:
        made.ParseFromString(data)
    except Exception:  # noqa: BLE001 - whatever it raises, the bytes are at fault
        raise MessageError(f"this is no {V1 if kind == BARE else kind}") from None
    return made


@lru_cache(_MOST_LABELS)
def _label(data: bytes) -> tuple[str, str]:
    """Name and value of a label; raises MessageError."""
    label = _parsed(V1, "Label", data)
    return label.name, label.value


def _labels(pairs: list[tuple[str, str]], message: Message) -> dict[str, str] | None:
    labels = dict(pairs)
    if len(labels) != len(pairs):
        message.problems.append("a series with the same label twice")
        return None
    if not labels.get("__name__"):
        message.problems.append("a series without a name")
        return None
    return {name: value for name, value in labels.items() if value}


def _series_of(labels: dict[str, str], **told: Any) -> Series:
    name, job = labels.pop("__name__"), labels.pop("job", "")
    return Series(name=name, job=job, attributes=labels, **told)


def _type(number: int) -> str:
    return TYPES[number] if 0 <= number < len(TYPES) else ""


def _size_of_bytes(head: bytes) -> int:
    return _KNOWN_BYTES + 2 * len(head)


def _size_of_texts(texts: Known) -> int:
    return _KNOWN_BYTES + 2 * sum(map(len, texts)) + 60 * len(texts)
