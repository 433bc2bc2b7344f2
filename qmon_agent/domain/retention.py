"""What has been kept long enough: of each kind and service, by age and by bytes; and what is held.

A lot is what is given up as one: a file with rows of one kind. It goes whole where nothing in it
is to be kept; where only some services' rows are to go, it is thinned. A hold keeps what it is
about, whatever the bounds say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

AGE = "age"
BYTES = "bytes"
DISK = "disk"
FOR_EVER = (1 << 63) - 1
SPEAKERS = "resource"
"""The kind of who spoke: no hold is too narrow for it, as held signals name them."""


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """How much of something is kept; what is None has no bound."""

    age_ns: int | None = None
    bytes: int | None = None


UNBOUND = Bound()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of each kind, and of some services by bounds of their own."""

    kinds: Mapping[str, Bound] = {}
    services: Mapping[str, Mapping[str, Bound]] = {}
    """Service → kind → bound; its age replaces that of the kind."""

    def of(self, kind: str, service: str) -> Bound:
        """The bound of a service's signals of one kind; the kind's bytes are everybody's."""
        own = self.services.get(service, {}).get(kind, UNBOUND)
        everybody = self.kinds.get(kind, UNBOUND)
        age_ns = everybody.age_ns if own.age_ns is None else own.age_ns
        return Bound(age_ns=age_ns, bytes=own.bytes)

    @property
    def bounded(self) -> frozenset[str]:
        """Kinds of which some may be given up."""
        return frozenset(self.kinds).union(*self.services.values())

    def tells_apart(self, kind: str) -> bool:
        """Whether it matters whose signals of this kind are in a lot."""
        return any(kind in bounds for bounds in self.services.values())


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What may not be given up: everything that fits all of what is said here."""

    id: str
    kinds: tuple[str, ...] = ()
    """Of these kinds; none named is all of them."""
    service: str = ""
    user: str = ""
    since: int = 0
    until: int = FOR_EVER
    """Of what happened from `since` to before `until`, nanoseconds since 1970."""
    reason: str = ""
    author: str = ""
    created_at: int = 0
    removed_at: int = 0
    """When it ended; 0 while it is in force."""
    removed_by: str = ""

    def covers(self, kind: str) -> bool:
        """Whether any signal of a kind may be held by it."""
        return not self.kinds or kind in self.kinds or kind == SPEAKERS


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file; times in nanoseconds since 1970."""

    name: str
    kind: str
    bytes: int
    oldest: int
    newest: int
    aged_from: int
    """From when its youngest row ages: what claims to be of the future, from when it came."""
    services: Mapping[str, int] = {}
    """Service → rows; nothing where nobody looked."""

    def share(self, service: str) -> int:
        """The bytes of a service's rows, as if all rows were alike."""
        rows = sum(self.services.values())
        return self.bytes * self.services.get(service, 0) // rows if rows else 0


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be given up now."""

    drop: Mapping[str, str] = {}
    """Lot → why: `age`, `bytes` or `disk`."""
    thin: Mapping[str, frozenset[str]] = {}
    """Lot → services whose rows go."""
    held: frozenset[str] = frozenset()
    """Lots of which something would go, were it not held."""


def clear(lots: Sequence[Lot], policy: Policy, *, holds: Sequence[Hold] = (), now: int) -> Clearing:
    """Judge every lot by age, then by the bytes of its services, then by those of its kind."""
    wanted = {lot.name: _aged(lot, policy, now) for lot in lots}
    _add_by_service(lots, policy, wanted=wanted, holds=holds)
    drop: dict[str, str] = {}
    thin: dict[str, frozenset[str]] = {}
    held: set[str] = set()
    for lot in lots:
        kept = _held_of(lot, holds, wanted[lot.name])
        held |= {lot.name} if kept else set()
        going = frozenset(wanted[lot.name] - kept)
        if going == _everybody(lot):
            drop[lot.name] = AGE
        elif going:
            thin[lot.name] = going
    left = [lot for lot in lots if lot.name not in drop]
    large, spared = _by_bytes(left, policy, holds=holds)
    return Clearing(
        drop={**drop, **dict.fromkeys(sorted(large), BYTES)},
        thin={name: services for name, services in thin.items() if name not in large},
        held=frozenset(held | spared),
    )


def within(
    clearing: Clearing, lots: Sequence[Lot], *, room: int, holds: Sequence[Hold] = ()
) -> Clearing:
    """The same, and the oldest lots of any kind until what is left takes so many bytes.

    What is held stays, and so does who spoke.
    """
    left = [lot for lot in lots if lot.name not in clearing.drop]
    sizes = {
        lot.name: lot.bytes - sum(map(lot.share, clearing.thin.get(lot.name, ()))) for lot in left
    }
    signals = [lot for lot in left if lot.kind != SPEAKERS]
    free = [lot for lot in signals if not holding(lot, holds)]
    gone = set(_oldest_over(free, sizes, most=room))
    spared = set(_oldest_over(signals, sizes, most=room)) - gone
    return Clearing(
        drop={**clearing.drop, **dict.fromkeys(sorted(gone), DISK)},
        thin={name: services for name, services in clearing.thin.items() if name not in gone},
        held=clearing.held | spared,
    )


def holding(lot: Lot, holds: Iterable[Hold]) -> list[Hold]:
    """The holds that may be about something in a lot."""
    return [
        hold
        for hold in holds
        if hold.covers(lot.kind)
        and (lot.kind == SPEAKERS or (lot.newest >= hold.since and lot.oldest < hold.until))
        and (not hold.service or not lot.services or hold.service in lot.services)
    ]


def _everybody(lot: Lot) -> frozenset[str]:
    """Whose rows are in a lot; one nameless service where nobody looked."""
    return frozenset(lot.services or ("",))


def _aged(lot: Lot, policy: Policy, now: int) -> set[str]:
    """The services of a lot whose every row is too old."""
    return {
        service
        for service in _everybody(lot)
        if (age := policy.of(lot.kind, service).age_ns) is not None and lot.aged_from < now - age
    }


def _held_of(lot: Lot, holds: Iterable[Hold], services: set[str]) -> set[str]:
    """Those of the services whose rows in a lot are held."""
    found = holding(lot, holds)
    if lot.kind == SPEAKERS or not lot.services:
        return set(services) if found else set()
    return {each for each in services if any(hold.service in {"", each} for hold in found)}


def _add_by_service(
    lots: Sequence[Lot], policy: Policy, *, wanted: Mapping[str, set[str]], holds: Sequence[Hold]
) -> None:
    """Of each service that has too many bytes of a kind, the oldest go; those held go not."""
    for service, bounds in policy.services.items():
        for kind, bound in bounds.items():
            if bound.bytes is None:
                continue
            mine = [
                lot
                for lot in lots
                if lot.kind == kind and service in lot.services and service not in wanted[lot.name]
            ]
            sizes = {lot.name: lot.share(service) for lot in mine}
            free = [lot for lot in mine if not _held_of(lot, holds, {service})]
            for name in _oldest_over(free, sizes, most=bound.bytes):
                wanted[name].add(service)


def _by_bytes(
    lots: Sequence[Lot], policy: Policy, *, holds: Sequence[Hold]
) -> tuple[set[str], set[str]]:
    """Lots beyond the bytes of their kind; and those that would be, and are held."""
    gone: set[str] = set()
    spared: set[str] = set()
    for kind, bound in policy.kinds.items():
        if bound.bytes is None:
            continue
        mine = [lot for lot in lots if lot.kind == kind]
        sizes = {lot.name: lot.bytes for lot in mine}
        free = [lot for lot in mine if not holding(lot, holds)]
        gone |= set(_oldest_over(free, sizes, most=bound.bytes))
        spared |= set(_oldest_over(mine, sizes, most=bound.bytes)) - gone
    return gone, spared


def _oldest_over(lots: Iterable[Lot], sizes: Mapping[str, int], *, most: int) -> list[str]:
    """The oldest of the lots, as many as have to go until all sizes together fit."""
    total, gone = sum(sizes.values()), []
    for lot in sorted(lots, key=lambda lot: (lot.aged_from, lot.name)):
        if total <= most:
            break
        total -= sizes[lot.name]
        gone.append(lot.name)
    return gone
