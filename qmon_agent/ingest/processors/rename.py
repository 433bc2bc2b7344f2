"""Give things the names they should have: attributes, metrics, events and spans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.lots import Change, Lot
from qmon_agent.ingest.matching import PLACES

from . import ALL_KINDS

_REMEMBERED = 4_096
_NAMED = {"point": "metric", "event": "name", "span": "name"}
_ANY = "*"


class RenameProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Old name to new; a `*` at the end of both stands for the rest, which stays as it is."""

    kinds: ClassVar[frozenset[str]] = ALL_KINDS

    attributes: dict[str, str] = {}
    """Keys of attributes, of signals and of who speaks; takes the place of one called so before."""
    metrics: dict[str, str] = {}
    """Names of metrics."""
    events: dict[str, str] = {}
    """Names of events."""
    spans: dict[str, str] = {}
    """Names of spans."""
    attribute_prefix: str = ""
    """Put before the keys of signals' attributes that do not begin with it."""
    metric_prefix: str = ""
    """Put before the names of metrics that do not begin with it."""
    event_prefix: str = ""
    """Put before the names of events that do not begin with it."""
    _names: dict[str, _Names] = {}
    _keys: _Names | None = None
    _keys_of_speakers: _Names | None = None

    def __post_init__(self) -> None:
        for field in ("attributes", "metrics", "events", "spans"):
            for old, new in getattr(self, field).items():
                _check(old, new, path=f"{field}.{old}")
        given = {
            "point": (self.metrics, self.metric_prefix),
            "event": (self.events, self.event_prefix),
            "span": (self.spans, ""),
        }
        self._names = {
            kind: _Names(renamed, prefix)
            for kind, (renamed, prefix) in given.items()
            if renamed or prefix
        }
        if self.attributes or self.attribute_prefix:
            self._keys = _Names(self.attributes, self.attribute_prefix)
            self._keys_of_speakers = _Names(self.attributes, "")

    def process(self, lot: Lot) -> Iterable[Lot]:
        changes: dict[int, Change] = {}
        if (names := self._names.get(lot.kind)) is not None:
            changes[PLACES[lot.kind][_NAMED[lot.kind]]] = names.__getitem__
        if self._keys is not None and self._keys_of_speakers is not None:
            changes[PLACES[lot.kind]["attributes"]] = self._keys.of
            before = lot.resource.attributes
            after = self._keys_of_speakers.of(before)
            if after is not before:
                lot = lot.of(lot.resource.replace(attributes=after))
        return (lot.mapped(changes) if changes else lot,)


class _Names(dict[str, str]):
    """Every name as it is to be; what was asked for before is known."""

    __slots__ = ("_beginnings", "_prefix", "_rows", "_whole")

    def __init__(self, renamed: Mapping[str, str], prefix: str) -> None:
        self._whole = {old: new for old, new in renamed.items() if not old.endswith(_ANY)}
        # The longest first: it says most.
        self._beginnings = sorted(
            ((old[:-1], new) for old, new in renamed.items() if old.endswith(_ANY)),
            key=lambda pair: -len(pair[0]),
        )
        self._prefix = prefix
        self._rows: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __missing__(self, name: str) -> str:
        found = self._named(name)
        if not found.startswith(self._prefix):
            found = self._prefix + found
        if len(self) >= _REMEMBERED:
            self.clear()
        self[name] = found
        return found

    def of(self, attributes: Mapping[str, str]) -> Mapping[str, str]:
        """Attributes under their new keys; the same ones, where none is renamed."""
        olds = tuple(attributes)
        news = self._rows.get(olds)
        if news is None:
            news = self._row_of(olds)
        if news == olds:
            return attributes
        if news:
            return dict(zip(news, attributes.values(), strict=True))
        # Two of them would have the same name: the one that is renamed stays.
        renamed = {self[old]: value for old, value in attributes.items() if self[old] != old}
        return {key: value for key, value in attributes.items() if self[key] == key} | renamed

    def _row_of(self, olds: tuple[str, ...]) -> tuple[str, ...]:
        """Keys that come together, renamed together; none where two would be called the same."""
        news = tuple(map(self.__getitem__, olds))
        if len(self._rows) >= _REMEMBERED:
            self._rows.clear()
        self._rows[olds] = news = news if len({*news}) == len(news) else ()
        return news

    def _named(self, name: str) -> str:
        if (whole := self._whole.get(name)) is not None:
            return whole
        for beginning, new in self._beginnings:
            if name.startswith(beginning):
                return new[:-1] + name[len(beginning) :] if new.endswith(_ANY) else new
        return name


def _check(old: str, new: str, *, path: str) -> None:
    if not old or not new or _ANY in old[:-1] or _ANY in new[:-1]:
        raise ConfigError(path, "is no name, nor one with a `*` at its end")
    if new.endswith(_ANY) and not old.endswith(_ANY):
        raise ConfigError(path, "there is nothing that its `*` could stand for")
