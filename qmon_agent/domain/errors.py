"""What can go wrong in the agent.

QmonError
├── NotFoundError
│   ├── SystemNotFoundError
│   ├── MetricNotFoundError
│   ├── UnknownPluginError
│   └── UnknownQuestionError
├── InvalidMetricError
├── InvalidThresholdError
├── ConfigError
├── NotHereError
├── QueryError
└── StoreError
    ├── StateAwayError
    └── StateOwnedError
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar


class QmonError(Exception):
    """Anything the agent raises on purpose."""

    file: str = ""
    """The configuration file that is to blame, where one is."""
    path: str = ""
    """Where in it, for example `channels.pager.url`."""
    others: Sequence[QmonError] = ()
    """What else is wrong, found by the same look."""


class NotFoundError(QmonError):
    """A name nobody answers to, with the names it may have meant."""

    kind: ClassVar[str] = "thing"

    def __init__(self, name: object, nearest: Iterable[str] = ()) -> None:
        """Keep the name asked for and its likely spellings."""
        self.name = name
        self.nearest = tuple(nearest)
        super().__init__(f"no {self.kind} {name!r}{hint(self.nearest)}")


class SystemNotFoundError(NotFoundError):
    """No monitoring system has this id or name."""

    kind = "monitoring system"


class MetricNotFoundError(NotFoundError):
    """No metric has this id or name."""

    kind = "metric"


class UnknownPluginError(NotFoundError):
    """No plug-in file and no entry point has this name."""

    kind = "plug-in"

    def __init__(self, name: object, nearest: Iterable[str] = (), *, kind: str = "plug-in") -> None:
        """Say also which kind of plug-in was looked for."""
        self.plugin_kind = kind
        super().__init__(f"{kind}/{name}", nearest)


class UnknownQuestionError(NotFoundError):
    """No question has this name."""

    kind = "question named"

    def __init__(self, name: object, nearest: Iterable[str] = (), *, known: Iterable[str]) -> None:
        """Name also those that there are."""
        super().__init__(name, nearest)
        self.args = (f"{self}; there are: {', '.join(known)}".replace("?; ", "? "),)


class InvalidMetricError(QmonError):
    """A metric that cannot be stored; `problems` says why."""

    def __init__(self, problems: Iterable[object]) -> None:
        """Keep every problem found, not only the first."""
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


class InvalidThresholdError(QmonError):
    """A threshold nobody can read."""

    def __init__(self, text: object, reason: str) -> None:
        """Keep the text as it was written."""
        self.text = text
        self.reason = reason
        super().__init__(f"threshold {text!r}: {reason} (write for example '> 0.5 for 10s')")


class NotHereError(QmonError):
    """This machine has nothing of the kind; nobody's failure, and it may come later."""


class ConfigError(QmonError):
    """A setting that is wrong, named by its path in the file."""

    def __init__(self, path: str, reason: str, nearest: Iterable[str] = ()) -> None:
        """Keep the path, for example `channels.pager.url`."""
        self.path = path
        self.reason = reason
        self.nearest = tuple(nearest)
        super().__init__(f"{path}: {reason}{hint(self.nearest)}".removeprefix(": "))


class QueryError(QmonError):
    """A question the store refuses or cannot answer."""

    def __init__(self, message: object, *, field: str = "") -> None:
        """Keep which of the things that were said is to blame, where one is."""
        self.field = field
        super().__init__(message)

    @classmethod
    def about(cls, field: str, reason: object) -> QueryError:
        """One that begins with the field it is about."""
        return cls(f"{field}: {reason}", field=field)


class StoreError(QmonError):
    """A store that cannot be opened, read or written."""


class StateAwayError(StoreError):
    """The state database does not answer; it may again."""


class StateOwnedError(StoreError):
    """Another agent owns this state, or has taken it over."""

    exit_code = 3

    def __init__(self, state: str, owner: str) -> None:
        """Keep which state it is, and who owns it."""
        self.state = state
        self.owner = owner
        super().__init__(
            f"the state {state} belongs to {owner}; stop that agent, or give this one "
            "a state of its own ([store] state)"
        )


def in_full(problem: QmonError) -> str:
    """What is wrong, behind where it is: in which file, and at which path in it."""
    words = str(problem)
    said = words if words.startswith(problem.path) else f"{problem.path}: {words}"
    return f"{problem.file}: {said}" if problem.file else said


def raise_all(problems: Sequence[QmonError]) -> None:
    """Raise the first problem, if there is one, which then knows of the others."""
    if problems:
        found = {id(one): one for problem in problems for one in (problem, *problem.others)}
        first, *others = found.values()  # each once, by whatever way it came here
        first.others = others
        raise first


def nearest_to(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """At most three known names that look like this one."""
    from difflib import get_close_matches

    by_folded = {each.casefold(): each for each in known}
    folded = get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.5)
    return tuple(by_folded[each] for each in folded)


def hint(nearest: tuple[str, ...]) -> str:
    """The end of a sentence that offers other spellings."""
    return f"; did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
