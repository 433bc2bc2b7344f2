"""Rules that ask questions: the samples they are asked of, and when each is due."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

import msgspec

from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.point_columns import metrics_of, points_of
from qmon_agent.vitals import Vitals

from .answers import Asked, Recording
from .inquiry import NOTE, SAMPLES
from .observed import Observed
from .promql import Expressions, Settings, Window, labels_of
from .promql.evaluation import Moment
from .rules import Fact
from .samples import may_be, samples_of
from .watch import Watch

MILLI = 1_000_000
MOST_MISSED = 20
"""How many times that have passed are asked for again, as after a standstill."""
SET_BACK = 3_600 * SECOND
"""A clock that was set back by more than this begins anew; by less, it is waited for."""
DUMP_EVERY = 60 * SECOND
MOST_FRESH = 50_000
_REMEMBERED = 10_000


class Group(msgspec.Struct, kw_only=True):
    """All that is asked at one interval."""

    interval: int
    recordings: dict[str, Recording] = {}
    questions: list[Asked] = []


class Noted(msgspec.Struct, kw_only=True):
    """What a restart brings back, beside the samples."""

    asked: dict[int, int] = {}
    fresh: str = ""


class Questions:
    """Those of all watches; called by whoever holds the service's lock."""

    def __init__(self, *, vitals: Vitals) -> None:
        self._vitals = vitals
        self._window = Window()
        self._groups: list[Group] = []
        self._asked: dict[int, int] = {}
        self._wanted: dict[str, bool] = {}
        self._now = self._dumped_at = 0
        self._told: dict[str, int] = {}

    @property
    def troubles(self) -> dict[str, str]:
        """Alerts whose question has no answer, and why."""
        return {
            asked.watch.alert.name: asked.trouble
            for group in self._groups
            for asked in group.questions
            if asked.trouble
        }

    @property
    def unmatched(self) -> list[str]:
        """Alerts that ask for series of which there is none: misspelt, or not there now."""
        return [
            asked.watch.alert.name
            for group in self._groups
            for asked in group.questions
            if asked.wants and not any(map(self._window.selected, asked.wants))
        ]

    @property
    def names(self) -> set[str]:
        """The names of series that somebody asks for; an empty one is every name."""
        return self._window.names

    def next_due(self) -> int | None:
        """When the next question is to be asked; none where there is none."""
        return min((at + interval for interval, at in self._asked.items()), default=None)

    def forget_fresh(self) -> None:
        """Remember nothing for a restart, as there is none."""
        self._window.forget_fresh()

    def take_up(self, watches: Iterable[Watch]) -> None:
        """Ask what these watches ask, and keep the samples that takes."""
        expressions, groups = Expressions(), dict[int, Group]()
        for watch in watches:
            question = watch.about.question
            if question is None:
                continue
            interval = question.interval_ns
            group = groups.setdefault(interval, Group(interval=interval))
            for record in question.records:
                key = msgspec.json.encode(record, order="sorted").decode()
                if key not in group.recordings:
                    group.recordings[key] = Recording(record, expressions)
            group.questions.append(Asked(watch, expressions))
        self._groups = sorted(groups.values(), key=lambda group: group.interval)
        self._asked = {each: self._asked.get(each, 0) for each in groups}
        parts: list[Asked | Recording] = []
        for group in self._groups:
            parts += [*group.recordings.values(), *group.questions]
        self._window.watch(wanted for part in parts for wanted in part.node.walk())
        self._wanted.clear()

    def hear(self, batch: Observed) -> None:
        """Keep what somebody asks for."""
        if not self._groups:
            return
        for metric in metrics_of(batch.points):
            if self._is_wanted(metric):
                for point in points_of(batch.points, metric):
                    time = (point.time or batch.time) // MILLI
                    for sample in samples_of(point, batch):
                        self._keep(sample.labels, time, sample.value, grows=sample.grows)
        self._count({"no_room": self._window.left_out, "late": self._window.late})

    def answers(self, now: int) -> Iterator[tuple[Watch, Fact, int]]:
        """Of every question that is due by now, in order: whose, what, and of which moment."""
        for at, group in self._due(now):
            yield from self._ask(group, at)
        if self._groups:
            self._now = now
            self._window.tidy((min(self._asked.values()) or now) // MILLI)

    def notes(self) -> dict[str, str]:
        """What a restart needs: all samples now and then, and since then those that came."""
        if not self._groups:
            return {}
        notes = {}
        is_old = not 0 <= self._now - self._dumped_at < DUMP_EVERY
        if is_old or self._window.fresh > MOST_FRESH:
            notes[SAMPLES] = b64encode(self._window.dump()).decode()
            self._dumped_at = self._now
        fresh = b64encode(self._window.dump_fresh()).decode()
        noted = Noted(asked=self._asked, fresh=fresh)
        return notes | {NOTE: msgspec.json.encode(noted).decode()}

    def restore(self, noted: str, samples: str) -> None:
        """Go on from what was noted; call it after the watches were taken up."""
        if not self._groups or not noted:
            return
        before = msgspec.json.decode(noted, type=Noted)
        self._asked |= {key: at for key, at in before.asked.items() if key in self._asked}
        if samples:
            self._window.load(b64decode(samples))
        if before.fresh:
            self._window.load_fresh(b64decode(before.fresh))

    def _count(self, left_out: dict[str, int]) -> None:
        for reason, number in left_out.items():
            if new := number - self._told.get(reason, 0):
                self._vitals.add("alert_samples_left_out", new, reason=reason)
                self._told[reason] = number

    def _is_wanted(self, metric: str) -> bool:
        if metric not in self._wanted:
            if len(self._wanted) >= _REMEMBERED:
                self._wanted.clear()
            self._wanted[metric] = may_be(metric, self._window.names)
        return self._wanted[metric]

    def _keep(self, said: dict[str, str], time: int, value: float, *, grows: bool) -> None:
        if not self._window.is_watched(said["__name__"]):
            return
        labels = labels_of(said)
        if grows:
            self._window.grow(labels, time, by=value)
        else:
            self._window.add(labels, time, value)

    def _due(self, now: int) -> list[tuple[int, Group]]:
        found = []
        for group in self._groups:
            interval, last = group.interval, self._asked[group.interval]
            newest = now // interval * interval
            if not last or newest < last - SET_BACK:
                last = newest - interval
            first = max(last + interval, newest - (MOST_MISSED - 1) * interval)
            found += [(at, group) for at in range(first, newest + 1, interval)]
            self._asked[interval] = max(newest, last)
        return sorted(found, key=lambda pair: (pair[0], pair[1].interval))

    def _ask(self, group: Group, at: int) -> Iterator[tuple[Watch, Fact, int]]:
        self._window.go_on(at // MILLI)
        settings = Settings(step_ms=group.interval // MILLI or 1)
        moment = Moment(self._window, at // MILLI, settings=settings)
        for recording in group.recordings.values():
            recording.keep(moment)
            moment.known.clear()
        for asked in group.questions:
            for fact in self._facts(asked, moment):
                yield asked.watch, fact, at

    def _facts(self, asked: Asked, moment: Moment) -> list[Fact]:
        try:
            facts = list(asked.facts(moment))
        except Exception as problem:  # noqa: BLE001 - a question that fails must leave every other one alone
            asked.trouble, facts = f"{type(problem).__name__}: {problem}", []
        if asked.trouble:
            self._vitals.add("alert_rule_failures", alert=asked.watch.alert.name)
        return facts
