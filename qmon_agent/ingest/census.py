"""Who is counted in which budget: members of three levels, each remembered while it is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    """How many members there may be at the same time."""

    group: int
    """Of one group: of one metric of one service."""
    service: int
    peer: int
    whole: int


class Account:
    """One budget: how many members are in it now, came into it, and found no room."""

    __slots__ = ("came", "count", "most", "over")

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self.came = 0
        self.over = 0


class Line:
    """A group of members that one peer sends: what its members are counted in."""

    __slots__ = ("accounts", "names")

    def __init__(self, names: tuple[str, str, str]) -> None:
        self.names = names
        """Service, group and peer."""
        self.accounts: tuple[Account, ...] = ()


class Census:
    """Admits members while there is room; who was admitted stays so until it is forgotten.

    A member is a 64-bit number. It is remembered in two generations: one seen in neither for a
    whole generation is forgotten, so that memory follows what is active and not what ever was.
    """

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self.fresh: dict[int, Line] = {}
        """Those seen in this generation: what is in here needs no further look."""
        self.over = 0
        self._before: dict[int, Line] = {}
        self._levels: tuple[dict[tuple[str, ...], Account], ...] = ({}, {}, {})
        self._lines: dict[tuple[str, str, str], Line] = {}
        self._limits = (budgets.group, budgets.service, budgets.peer)

    def __len__(self) -> int:
        return len(self.fresh) + len(self._before)

    def line(self, service: str, group: str, peer: str) -> Line:
        """Where members of this group are counted that come from this peer; for one batch."""
        names = (service, group, peer)
        return self._lines.get(names) or Line(names)

    def enter(self, member: int, line: Line) -> bool:
        """Whether there is room for it, or was when it came."""
        if member in self.fresh:
            return True
        known = self._before.pop(member, None)
        if known is not None:
            self.fresh[member] = known
            return True
        if line.names not in self._lines:
            line.accounts = self._accounts(line.names)
        if len(self) >= self.budgets.whole or any(a.count >= a.most for a in line.accounts):
            self._refuse(line)
            return False
        self._book(member, line)
        return True

    def turn(self) -> None:
        """A generation is over: those not seen in it make room."""
        gone = Counter(self._before.values())
        self._before, self.fresh = self.fresh, {}
        for line, number in gone.items():
            for account in line.accounts:
                account.count -= number
        for level in self._levels:
            for name in [name for name, account in level.items() if not account.count]:
                del level[name]
        self._lines = {line.names: line for line in {*self._before.values()}}

    def group(self, service: str, name: str) -> Account | None:
        """What is counted of one group, if anything is."""
        return self._levels[0].get((service, name))

    def groups(self) -> Mapping[tuple[str, ...], Account]:
        """By service and group."""
        return self._levels[0]

    def services(self) -> Mapping[tuple[str, ...], Account]:
        return self._levels[1]

    def peers(self) -> Mapping[tuple[str, ...], Account]:
        return self._levels[2]

    def _accounts(self, names: tuple[str, str, str]) -> tuple[Account, ...]:
        """Those there are, and new ones, which nobody knows of before somebody is in them."""
        return tuple(
            level.get(name) or Account(most)
            for level, name, most in zip(self._levels, _keys(names), self._limits, strict=True)
        )

    def _book(self, member: int, line: Line) -> None:
        if line.names not in self._lines:
            self._lines[line.names] = line
            for level, name, account in zip(
                self._levels, _keys(line.names), line.accounts, strict=True
            ):
                level[name] = account
        self.fresh[member] = line
        for account in line.accounts:
            account.count += 1
            account.came += 1

    def _refuse(self, line: Line) -> None:
        self.over += 1
        for account in line.accounts:
            account.over += 1


def _keys(names: tuple[str, str, str]) -> Iterator[tuple[str, ...]]:
    service, group, peer = names
    yield service, group
    yield (service,)
    yield (peer,)
