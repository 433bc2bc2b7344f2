"""Every series of StatsD, added up in place between two frames, within a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec.structs import replace

from qmon_agent.ingest.statsd_lines import LineError, Meaning, read_check, read_event, read_meaning
from qmon_agent.ingest.statsd_series import SERIES, GaugeSeries, Series
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Signal

OVERFLOW = {"otel.metric.overflow": "true"}
SignedGauges = Literal["by_line", "differences", "values"]
Speaker = tuple[str, ...]
Drained = dict[Speaker, list[Signal]]

_SILENT = 60  # intervals without a value after which a series makes room
_SILENT_GAUGE = 3_600  # a gauge is what differences are added to
_MOST_WAITING = 10_000  # events and checks of one interval
_MOST_SPEAKERS = 256  # each has a frame of its own
_NOBODY = ("", "", "", "")

Add = Callable[[bytes, float], None]


class StatsdFold:
    """Lines in, points out. Called on the loop; reading a line costs about two microseconds."""

    def __init__(self, vitals: Vitals, *, max_series: int, signed: SignedGauges) -> None:
        self._vitals = vitals
        self._max_series = max_series
        self._signed = signed
        self._known: dict[tuple[bytes, bytes], tuple[Add, float]] = {}
        self._series: dict[tuple[object, ...], Series] = {}
        self._overflowing: dict[tuple[object, ...], Series] = {}
        self._dated: dict[tuple[object, ...], Series] = {}
        self._speakers: set[Speaker] = set()
        self._waiting: Drained = {}
        self._waiting_count = 0

    def __len__(self) -> int:
        return len(self._series) + len(self._overflowing)

    def take(self, data: bytes) -> None:
        """Adds the lines of one datagram; what cannot be read is counted with its reason."""
        known = self._known
        lines = data.split(b"\n")
        for line in lines:
            name, _, rest = line.partition(b":")
            text, _, ending = rest.partition(b"|")
            try:
                add, weight = known[name, ending]
                add(text, weight)
            except (KeyError, ValueError):
                if line.strip():
                    self._take_slowly(line.rstrip(b"\r"))
        self._vitals.add("statsd_lines", len(lines) - lines.count(b""))

    def drain(self, now: int) -> Drained:
        """What was added since the last time, by who speaks."""
        drained, self._waiting, self._waiting_count = self._waiting, {}, 0
        for series in self._all():
            had = series.count
            point = series.drain(now)
            if point is not None:
                drained.setdefault(series.meaning.speaker, []).append(point)
            elif had:
                self._refuse("not_finite")
        self._dated.clear()
        self._forget_silent()
        return drained

    def _all(self) -> Iterator[Series]:
        yield from self._series.values()
        yield from self._overflowing.values()
        yield from self._dated.values()

    def _forget_silent(self) -> None:
        for held in (self._series, self._overflowing):
            silent = [key for key, series in held.items() if _is_silent(series)]
            for key in silent:
                del held[key]
            if silent:
                self._known.clear()
                self._speakers = {series.meaning.speaker for series in self._all()}
        if len(self._known) > 4 * self._max_series:
            self._known.clear()

    def _take_slowly(self, line: bytes) -> None:
        try:
            if line.startswith(b"_e{"):
                self._wait(*read_event(line))
            elif line.startswith(b"_sc|"):
                self._wait(*read_check(line))
            else:
                self._take_values(line)
        except LineError as problem:
            self._refuse(problem.reason)

    def _take_values(self, line: bytes) -> None:
        """A line with a name that is new, with several values, or with a value that is none."""
        name, _, rest = line.partition(b":")
        texts, _, ending = rest.partition(b"|")
        meaning = read_meaning(name, ending)
        if self._speaker(meaning.speaker) != meaning.speaker:
            meaning = replace(meaning, speaker=_NOBODY)
        add, is_its_own = self._way(meaning)
        if is_its_own and len(self._known) <= 4 * self._max_series:
            self._known[name, ending] = add, meaning.weight
        for text in texts.split(b":"):
            try:
                add(text, meaning.weight)
            except ValueError:
                self._refuse("bad_value")

    def _way(self, meaning: Meaning) -> tuple[Add, bool]:
        """How a value is added, and whether the next one like it is added so as well."""
        labels = dict(meaning.labels)
        key = (meaning.kind, meaning.metric, meaning.speaker, *sorted(labels.items()))
        if meaning.time:
            return self._dated_series(key, meaning).add, False
        series = self._series.get(key)
        if series is None and len(self._series) >= self._max_series:
            return self._overflow(meaning).add, False
        if series is None:
            series = self._series[key] = SERIES[meaning.kind](meaning, labels)
        return self._adder(series, meaning), True

    def _adder(self, series: Series, meaning: Meaning) -> Add:
        differs = self._signed == "differences" or (
            self._signed == "by_line" and not meaning.is_dogstatsd
        )
        return series.add_signed if isinstance(series, GaugeSeries) and differs else series.add

    def _dated_series(self, key: tuple[object, ...], meaning: Meaning) -> Series:
        key = (*key, meaning.time)
        series = self._dated.get(key)
        if series is None:
            if len(self._dated) >= self._max_series:
                raise LineError("too_many_dated")
            series = self._dated[key] = SERIES[meaning.kind](meaning, dict(meaning.labels))
        return series

    def _overflow(self, meaning: Meaning) -> Series:
        """The series that stands in for those of a metric there is no room for."""
        self._vitals.add("statsd_overflow")
        key = (meaning.kind, meaning.metric, meaning.speaker)
        series = self._overflowing.get(key)
        if series is None:
            if len(self._overflowing) >= self._max_series:
                raise LineError("too_many_series")
            series = self._overflowing[key] = SERIES[meaning.kind](meaning, OVERFLOW)
        return series

    def _wait(self, signal: Signal, speaker: Speaker) -> None:
        if self._waiting_count >= _MOST_WAITING:
            raise LineError("too_many_events")
        self._waiting_count += 1
        self._waiting.setdefault(self._speaker(speaker), []).append(signal)

    def _speaker(self, speaker: Speaker) -> Speaker:
        """Who speaks, or nobody, where more speak than are told apart."""
        if speaker not in self._speakers:
            if len(self._speakers) >= _MOST_SPEAKERS:
                self._vitals.add("statsd_speakers_overflow")
                return _NOBODY
            self._speakers.add(speaker)
        return speaker

    def _refuse(self, reason: str) -> None:
        self._vitals.add("statsd_lines_rejected", reason=reason)


def _is_silent(series: Series) -> bool:
    return series.idle > (_SILENT_GAUGE if series.kind == "gauge" else _SILENT)
