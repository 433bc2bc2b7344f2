"""A lot: signals of one kind, of one speaker, on their way through the processors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.routing import EVERYWHERE, Routes
from qmon_sdk.protocol.columns import WRITERS, Block, block_of, decode_column, rows_of
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import FIELDS, Signal

Change = Callable[[Any], Any]
"""What a value becomes; the same for the same."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The record a lot came in."""

    process: bytes = b""
    """Who sent it, and whose books it is in; nobody (`OWN`): made in the agent."""
    sequence: int = 0
    record_id: int = 0
    """Its place in the order of arrival; what `holds` says."""
    time: int = 0
    """When it arrived, in nanoseconds: the time a processor goes by."""
    speaker: bytes = b""
    """Whose signals they are, where that is not who sent them."""


OWN = Origin()
MADE_BY = "agent"
"""The `sdk` of who speaks where it is the agent itself."""


class Lot:
    """Never changed: each method makes another. Rows are read when they are first asked for.

    `name` tells apart what comes of one record at several times; see `Processor`.
    """

    __slots__ = ("_block", "_signals", "dropped", "kind", "name", "origin", "resource", "routes")

    def __init__(
        self,
        resource: Resource,
        content: Block | tuple[str, Sequence[Signal]],
        *,
        origin: Origin = OWN,
        name: bytes = b"",
    ) -> None:
        """`content` is a block as it came, or a kind and signals of it."""
        self.resource = resource
        self.origin = origin
        self.name = name
        self.routes: Routes = EVERYWHERE
        self.dropped = 0
        """How many signals a processor has let fall; counted, by its name, around it."""
        self._block: Block | None = None
        self._signals: Sequence[Signal] | None = None
        if isinstance(content, Block):
            self.kind, self._block = content.kind, content
        else:
            self.kind, self._signals = content

    @property
    def rows(self) -> int:
        """How many signals; costs nothing."""
        if self._signals is not None:
            return len(self._signals)
        return self._block.rows if self._block is not None else 0

    @property
    def signals(self) -> Sequence[Signal]:
        """The signals; raises `FrameError` for a block that contradicts itself."""
        if self._signals is None:
            assert self._block is not None  # noqa: S101 - a lot has the one or the other
            self._signals = rows_of(self._block)
        return self._signals

    def block(self) -> Block:
        """As a frame holds it: the very block that came, where nobody has changed its signals."""
        return self._block or block_of(self.kind, self.signals)

    def changed(self, signals: Sequence[Signal]) -> Lot:
        """The same signals, as many, with something else in them."""
        made = self._like(self.name)
        made._block, made._signals = None, signals  # noqa: SLF001 - it is one of us
        return made

    def mapped(self, changes: Mapping[int, Change]) -> Lot:
        """The same signals with other values in these places; itself, where nothing differs.

        What is written once for many rows is changed once, and what is not looked at stays packed.
        """
        if self._block is not None:
            columns = mapped_columns(self._block, changes)
            if columns is None:
                return self
            made = self._like(self.name)
            made._block = Block(kind=self.kind, rows=self._block.rows, columns=columns)  # noqa: SLF001 - it is one of us
            made._signals = None  # noqa: SLF001 - the same
            return made
        changed = _mapped_rows(self.signals, changes)
        return self if changed is None else self.changed(changed)

    def keep(self, signals: Sequence[Signal]) -> Lot:
        """These of them alone; the rest is counted as dropped."""
        made = self.changed(signals)
        made.dropped += self.rows - len(signals)
        return made

    def drop(self) -> Lot:
        """None of them."""
        return self.keep(())

    def part(self, signals: Sequence[Signal], *, name: bytes = b"") -> Lot:
        """Some of them, the others being in other parts or held back; nothing is counted."""
        made = self.changed(signals)
        made.name = name or self.name
        made.dropped = 0
        return made

    def of(self, resource: Resource) -> Lot:
        """The same, said by somebody else."""
        made = self._like(self.name)
        made.resource = resource
        return made

    def routed(self, routes: Routes) -> Lot:
        """The same, marked by these, too."""
        made = self._like(self.name)
        made.routes = self.routes | routes
        return made

    def called(self, name: bytes) -> Lot:
        """The same by another name."""
        return self._like(name)

    def settled(self) -> Lot:
        """The same, what was dropped being written down elsewhere."""
        made = self._like(self.name)
        made.dropped = 0
        return made

    def _like(self, name: bytes) -> Lot:
        made = Lot.__new__(Lot)
        made.resource, made.kind, made.origin, made.name = (
            self.resource,
            self.kind,
            self.origin,
            name,
        )
        made.routes, made.dropped = self.routes, self.dropped
        made._block, made._signals = self._block, self._signals  # noqa: SLF001 - it is one of us
        return made


def made_lot(resource: Resource, kind: str, signals: Sequence[Signal], *, name: bytes) -> Lot:
    """What a processor adds of its own; the books have it as captured by the agent.

    `name` is its identity: made again after a crash, it has the same one, and counts once.
    """
    return Lot(resource, (kind, signals), name=name)


def made_by_us(resource: Resource) -> Resource:
    """The same, as said by the agent of it."""
    return resource.replace(sdk=MADE_BY)


def mapped_columns(block: Block, changes: Mapping[int, Change]) -> tuple[Any, ...] | None:
    """A block's columns with some of them changed; `None` where nothing differs."""
    fields = FIELDS[block.kind]
    columns = [*block.columns]
    columns += [field.default for field in fields[len(columns) :]]
    is_same = True
    for place, change in changes.items():
        before = columns[place]
        columns[place] = _mapped_column(before, fields[place].role, block.rows, change=change)
        is_same = is_same and columns[place] is before
    return None if is_same else tuple(columns)


def _mapped_column(column: Any, role: str, rows: int, *, change: Change) -> Any:
    if isinstance(column, (str, dict)):
        after = change(column)
        return column if after == column else after
    if isinstance(column, list) and column and column[0] in {"d", "t"}:
        *form, values = column
        changed = [*map(change, values)]
        return column if changed == values else [*form, changed]
    values = decode_column(column, role, rows)
    changed = [*_changed(tuple(values), change)] if values else values
    return column if changed == values else WRITERS[role](changed)


def _changed(column: tuple[Any, ...], change: Change) -> tuple[Any, ...]:
    """Texts that come again are changed once."""
    if type(column[0]) is not str:
        return tuple(map(change, column))
    known = {text: change(text) for text in {*column}}
    return tuple(map(known.__getitem__, column))


def _mapped_rows(signals: Sequence[Signal], changes: Mapping[int, Change]) -> list[Signal] | None:
    columns = [*zip(*signals, strict=True)]
    is_same = True
    for place, change in changes.items():
        changed = _changed(columns[place], change)
        is_same = is_same and changed == columns[place]
        columns[place] = changed
    if is_same:
        return None
    kind = type(signals[0])
    made: Callable[..., Signal] = tuple.__new__
    return [made(kind, row) for row in zip(*columns, strict=True)]
