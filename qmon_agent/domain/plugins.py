"""Plug-ins whose fields are their options: the config table is the constructor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Generic, Protocol, TypeVar, cast

from qmon_sdk.plugins import UnknownPlugin, found

from .errors import ConfigError, QmonError, UnknownPluginError, raise_all
from .hints import fields_of
from .tables import convert_all

T = TypeVar("T")


class Named(Protocol):
    """What a table of an array stands for."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)
# How the names of options end that are sizes, times or limits.
_SIZES = ("_s", "_bytes", "_rows", "files")


class Registry(Generic[T]):
    """One kind of plug-in: a file `slack.py` of `package` holding `SlackChannel` is `slack`."""

    def __init__(self, package: str, *, role: str) -> None:
        """Look into `package` and the entry points `qmon.<role>s`; nothing is imported yet."""
        self.kind = role.lower()
        self._plugins = found(package, role=role, group=f"qmon.{self.kind}s")

    def names(self) -> tuple[str, ...]:
        """Every name that can be configured, sorted."""
        return self._plugins.names()

    def find(self, name: str) -> type[T]:
        """The class behind a name; raises UnknownPluginError with the nearest names."""
        try:
            return cast("type[T]", self._plugins[name])
        except UnknownPlugin as error:
            raise UnknownPluginError(name, error.nearest, kind=self.kind) from None

    def build(
        self, name: str, options: Mapping[str, Any], *, path: str = "", beside: tuple[str, ...] = ()
    ) -> T:
        """Construct it from a config table; raises ConfigError, one for each wrong option.

        `beside` are keys of the table that are not the plug-in's own, for who misspells one.
        """
        plugin = self.find(name)
        where = path or f"{self.kind}s.{name}"
        built, wrong = convert_all(
            deepcopy(dict(options)), plugin, where, unknown="no such option", beside=beside
        )
        raise_all([*wrong, *_negative(built, where)])
        return cast("T", built)


def refuse_negative(record: Any, where: str) -> None:
    """Raise ConfigError for sizes, times or limits below nothing, or none at all (NaN)."""
    raise_all([*_negative(record, where)])


def _negative(record: Any, where: str) -> Iterator[ConfigError]:
    for name in getattr(record, "__struct_fields__", ()):
        value = getattr(record, name)
        is_size = name.startswith("max_") or name.endswith(_SIZES)
        if is_size and isinstance(value, (int, float)) and not value >= 0:
            yield ConfigError(f"{where}.{name}", f"{value!r} is less than nothing")


def options_of(plugin: type[Any]) -> tuple[str, ...]:
    """The keys of its config table; fields that begin with an underscore are its memory."""
    return tuple(fields_of(plugin))


def make_each(
    section: str,
    tables: Sequence[Mapping[str, Any]],
    make: Callable[[Mapping[str, Any], str], N],
    *,
    called: tuple[str, ...],
    twice: str,
) -> dict[str, N]:
    """What the tables of `[[section]]` stand for, by name, in order.

    `make` is given a table and its path, which says the first of the keys `called` that it has.
    Raises ConfigError or UnknownPluginError with everything that is wrong; `twice` is what is told
    of a name that comes again.
    """
    problems: list[QmonError] = []
    made: dict[str, N] = {}
    for number, table in enumerate(tables):
        name = next((table[key] for key in called if table.get(key)), None)
        where = f"{section}.{name}" if name else f"{section}[{number}]"
        try:
            one = make(table, where)
        except (ConfigError, UnknownPluginError) as problem:
            problem.path = problem.path or f"{where}.kind"
            problems += [problem, *problem.others]
            continue
        if one.name in made:
            problems.append(ConfigError(where, twice))
        made[one.name] = one
    raise_all(problems)
    return made
