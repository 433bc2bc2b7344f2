"""What comes of one question: facts about its instances, or a series for the next questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qmon_agent.domain.incidents import State

from .evaluation import Cell
from .promql import Expressions, Labels, Node, evaluate, labels_of
from .promql.evaluation import Moment, Vector, gathered
from .promql.instants import Absent
from .promql.labels import NAME, NAMELESS
from .promql.series import STALE
from .promql.templates import Template, TemplateError
from .promql.tree import PromqlError
from .rules import Fact, Question, Record
from .rules._series import name_of
from .watch import Watch

QUIET: State = "inactive"


class Recording:
    """A recording rule: its result is a series like any other, which ends where it has none."""

    def __init__(self, record: Record, expressions: Expressions) -> None:
        self.node = expressions.parse(record.expr)
        self._labels = {**record.labels, NAME: record.record}
        self._there: set[Labels] = set()

    def keep(self, moment: Moment) -> None:
        """Work it out, and put it into the window; an error leaves the series as they are."""
        try:
            vector = gathered(
                (labels_of({**labels.mapping(), **self._labels}), value)
                for labels, value in evaluate(self.node, moment).items()
            )
        except PromqlError:
            return
        for labels, value in vector.items():
            moment.window.add(labels, moment.at, value)
        for labels in self._there - vector.keys():
            moment.window.add(labels, moment.at, STALE)
        self._there = set(vector)


class Asked:
    """A watch with a question."""

    def __init__(self, watch: Watch, expressions: Expressions) -> None:
        question = watch.about.question or Question(expression="", interval_ns=0)
        self.watch = watch
        self.node = expressions.parse(question.expression)
        self._certain = self.node.certain()
        self.wants = [] if _tells_absence(self.node) else [each for each, _ in self.node.walk()]
        """The series it looks at, unless it tells that there are none."""
        self._labels = {name: Template(text) for name, text in question.labels.items()}
        self._text = Template(question.text)
        self.trouble = ""
        """Why it has no answer; nothing while it has one."""

    def facts(self, moment: Moment) -> Iterator[Fact]:
        """Of each instance it has now, and of each that it had."""
        self.trouble = ""
        try:
            found = _by_name(evaluate(self.node, moment))
        except PromqlError as problem:
            self.trouble = str(problem)
            for instance, cell in self._active():
                yield _unchanged(instance, cell, found="error", text=str(problem))
            return
        for instance, (labels, value) in found.items():
            yield self._breach(instance, labels, value=value, at=moment.at)
        gone = [(instance, cell) for instance, cell in self._active() if instance not in found]
        if gone:
            known = self._known(moment)
            for instance, cell in gone:
                is_known = known is None or instance in known
                yield _unchanged(instance, cell, found="clear" if is_known else "no_data")

    def _active(self) -> list[tuple[str, Cell]]:
        return [
            (instance, cell)
            for instance, cell in self.watch.cells.items()
            if cell.episode.state != QUIET
        ]

    def _known(self, moment: Moment) -> Mapping[str, object] | None:
        """The instances of which there is data; none where that cannot be told."""
        try:
            return _by_name(evaluate(self._certain, moment))
        except PromqlError:
            return None

    def _breach(self, instance: str, labels: dict[str, str], *, value: float, at: int) -> Fact:
        own = {name: _filled(each, labels, value=value) for name, each in self._labels.items()}
        return Fact(
            instance=instance,
            value=value,
            event_time=at * 1_000_000,
            text=_filled(self._text, {**labels, **own}, value=value),
            labels={**labels, **{name: text for name, text in own.items() if text}},
            detail={"found": "breach"},
        )


def _tells_absence(node: Node) -> bool:
    return isinstance(node, Absent) or any(map(_tells_absence, node.children))


def _filled(template: Template, labels: dict[str, str], *, value: float) -> str:
    """An alert whose text cannot be filled in is an alert all the same."""
    try:
        return template.render(labels, value)
    except TemplateError as problem:
        return f"<{problem}>"


def _unchanged(instance: str, cell: Cell, *, found: str, text: str = "") -> Fact:
    return Fact(
        instance=instance,
        value=cell.value,
        event_time=cell.event_time,
        text=text or cell.text,
        labels=cell.labels,
        severity=cell.severity,
        detail={"found": found},
    )


def _by_name(vector: Vector) -> dict[str, tuple[dict[str, str], float]]:
    """By the name of the instance; raises PromqlError where two have the same."""
    nameless = gathered((labels.cut(NAMELESS), value) for labels, value in vector.items())
    mappings = ((labels.mapping(), value) for labels, value in nameless.items())
    return {name_of(labels): (labels, value) for labels, value in mappings}
