"""The conservation books: what was captured is stored, pending, or dropped with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qmon_agent.app.lately import Lately
from qmon_agent.domain.routing import routes_of, speaker_of
from qmon_agent.ingest.foreign import dropped_of
from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import SIGNALS

# Accounts beyond this are added up into one, the longest silent first.
_MOST_ACCOUNTS = 4_096
# Of frames given up on so many are known by name; of those before, how many rows they had.
_MOST_DEAD = 16_384
# Kinds, or reasons, of one account: whoever makes up more has them added up as others.
_MOST_NAMES = 256
_OTHER = "other"
PAST_STORE = "routed_past_store"
"""Why signals are in no table that a processor has sent to sinks alone."""
Counts = dict[str, int]


class Account(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One process: what it told of itself, and what came."""

    service: str = ""
    told_at: int = 0
    """The sequence of the frame that brought the newest ledger."""
    captured: Counts = {}
    dropped: Counts = {}
    """As it says itself, in its newest ledger."""
    fallen: Counts = {}
    """What fell on the way here, told by one frame after the other."""
    received: Counts = {}
    frames: int = 0
    last: int = 0


class Conservation(msgspec.Struct, kw_only=True):
    """A fold over the journal; kept with the last record in it, so that none counts twice."""

    record_id: int = 0
    accounts: dict[str, Account] = {}
    closed: Account = msgspec.field(default_factory=Account)
    """All the accounts that were added up."""
    dead: dict[str, int] = {}
    """Frames that no table takes, `process/sequence`, and their rows."""
    long_dead: int = 0
    """Rows of such frames that are too many to be named."""
    buried: Counts = {}
    """The rows of such frames by kind, since that is counted."""
    expired: Counts = {}
    """Rows, by kind, that were deleted with age, as it was last known."""
    lately: Lately = msgspec.field(default_factory=Lately)
    """What a store that is behind cannot have."""

    @property
    def dead_rows(self) -> int:
        """Of every frame that no table takes."""
        return self.long_dead + sum([*self.dead.values()])

    def enter(self, frame: Frame, *, record_id: int, time: int) -> None:
        """Books one stored frame; a record booked before changes nothing."""
        if record_id <= self.record_id:
            return
        after, self.record_id = self.record_id, record_id
        account = self._account(frame)
        account.frames += 1
        account.last = time
        if routes_of(frame).store:
            rows = _rows_of(frame)
            _add(account.received, rows)
            self.lately.note(record_id, _with_table(rows), after=after)
        else:
            past = {f"{kind}/{PAST_STORE}": n for kind, n in _rows_of(frame).items()}
            _add(account.fallen, past)
        _add(account.fallen, dropped_of(frame))
        if frame.ledger is not None and frame.sequence > account.told_at:
            account.told_at = frame.sequence
            account.captured, account.dropped = {}, {}
            _add(account.captured, frame.ledger.captured)
            _add(account.dropped, frame.ledger.dropped)

    def bury(self, frame: Frame) -> bool:
        """Books a frame the store gave up on; no, and nothing changes, for one booked before."""
        key = f"{frame.process.hex()}/{frame.sequence}"
        if key in self.dead:
            return False
        rows = _rows_of(frame)
        self.dead[key] = sum(rows.values())
        _add(self.buried, _with_table(rows))
        while len(self.dead) > _MOST_DEAD:
            self.long_dead += self.dead.pop(next(iter(self.dead)))
        return True

    def balance(self, stock: Stock) -> dict[str, Any]:
        """The books as `status` shows them, and what expired since they were looked at last."""
        totals = self.totals()
        if stock.is_counted and not stock.is_off:
            self._expire(totals.received, stock)
        return totals.balance(stock, expired=self.expired)

    def _expire(self, received: Counts, stock: Stock) -> None:
        """Of kinds with an age what the store has read, and has no more, and did not tell of.

        A store may tell of rows behind its place: only where nothing is on its way it is known
        that less is gone than was booked.
        """
        behind = Counter[str]() if stock.exact else self.lately.behind(stock.place)
        if behind is None:
            return
        for kind in stock.aging:
            read = received.get(kind, 0) - behind[kind] - self.buried.get(kind, 0)
            booked = 0 if stock.exact else self.expired.get(kind, 0)
            self.expired[kind] = max(booked, read - stock.known(kind))
        self.lately.passed(stock.place)

    def totals(self) -> Totals:
        return Totals.of([self.closed, *self.accounts.values()])

    def _account(self, frame: Frame) -> Account:
        key = speaker_of(frame).hex()
        account = self.accounts.pop(key, None)
        if account is None:
            account = Account(service=frame.resource.service)
            if len(self.accounts) >= _MOST_ACCOUNTS:
                self._close_oldest()
        # Put back last: the order of the dict is the order of silence.
        self.accounts[key] = account
        return account

    def _close_oldest(self) -> None:
        oldest = self.accounts.pop(next(iter(self.accounts)))
        total = Totals.of([oldest])
        _add(self.closed.captured, total.captured)
        _add(self.closed.dropped, oldest.dropped)
        _add(self.closed.fallen, oldest.fallen)
        _add(self.closed.received, oldest.received)
        self.closed.frames += oldest.frames


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """What the store says it has."""

    rows: Counts
    """By kind of signal."""
    dead: int = 0
    """Rows of frames that it gave up on."""
    aging: frozenset[str] = frozenset()
    """Kinds whose rows are deleted after a time."""
    forgotten: Counts = {}
    """Rows, by kind, that were taken out because somebody asked to be forgotten."""
    damaged: Counts = {}
    """Rows, by kind, of segments that were damaged, set aside, and not made anew."""
    place: int = 0
    """The record these rows reach to."""
    is_counted: bool = True
    """Whether these are the rows it has now, and none are being taken out."""
    is_off: bool = False
    """There is no store: what came is passed on, or was judged, and no table is to have it."""
    exact: bool = False
    """It has read just what is booked: a row that is nowhere then is lost, and nothing adds up."""

    def known(self, kind: str) -> int:
        """Rows that it has, or knows where they have gone."""
        known = (self.rows, self.forgotten, self.damaged)
        return sum(counts.get(kind, 0) for counts in known)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over processes, by kind of signal; `dropped` by `kind/reason`."""

    captured: Counts
    dropped: Counts
    received: Counts
    frames: int

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> Totals:
        captured: Counts = {}
        dropped: Counts = {}
        received: Counts = {}
        frames = 0
        for account in accounts:
            _add(captured, _captured(account))
            _add(dropped, account.dropped)
            _add(dropped, account.fallen)
            _add(received, account.received)
            frames += account.frames
        return cls(captured=captured, dropped=dropped, received=received, frames=frames)

    def balance(self, stock: Stock, *, expired: Mapping[str, int]) -> dict[str, Any]:
        """The books where so many rows of each kind were deleted with age."""
        captured = sum(self.captured.values())
        received = sum(self.received.values())
        dropped = {**self.dropped, **self._gone(stock, expired)}
        in_processes = captured - sum(self.dropped.values()) - received
        pending = captured - sum(stock.rows.values()) - sum(dropped.values())
        in_journal = pending - in_processes
        return {
            "captured": captured,
            "received": received,
            "stored": sum(stock.rows.values()),
            "dropped": sum(dropped.values()),
            "pending": pending,
            "pending_in_processes": in_processes,
            "pending_in_journal": in_journal,
            "adds_up": in_processes >= 0 and (in_journal == 0 or not stock.exact),
            "captured_by_kind": self.captured,
            "dropped_by_reason": dropped,
        }

    def _gone(self, stock: Stock, expired: Mapping[str, int]) -> Counts:
        """What the journal took and no table holds, or holds no more."""
        if stock.is_off:
            return {f"{kind}/no_store": n for kind, n in self.received.items() if n}
        gone = {f"{kind}/no_table": n for kind, n in self.received.items() if kind not in SIGNALS}
        if stock.dead:
            gone["frame/undecodable"] = stock.dead
        told = {"forgotten": stock.forgotten, "damaged": stock.damaged, "expired": expired}
        for reason, counts in told.items():
            gone |= {f"{kind}/{reason}": n for kind, n in counts.items() if n}
        return gone


def _rows_of(frame: Frame) -> Counts:
    rows: Counts = {}
    for block in frame.blocks:
        if block.rows:
            rows[block.kind] = rows.get(block.kind, 0) + block.rows
    return rows


def _with_table(rows: Counts) -> Counts:
    return {kind: n for kind, n in rows.items() if kind in SIGNALS}


def _captured(account: Account) -> Counts:
    """What it told, or what came of it where it tells less: a frame may overtake its ledger."""
    captured = dict(account.captured)
    accounted = dict(account.received)
    for kind_and_reason, n in (*account.dropped.items(), *account.fallen.items()):
        _add(accounted, {kind_and_reason.partition("/")[0]: n})
    for kind, n in accounted.items():
        captured[kind] = max(captured.get(kind, 0), n)
    return captured


def _add(to: Counts, what: Mapping[str, int]) -> None:
    for name, n in what.items():
        key = name if name in to or len(to) < _MOST_NAMES else _other(name)
        to[key] = to.get(key, 0) + n


def _other(name: str) -> str:
    """What stands in for a kind, or for a kind and a reason; kinds that have a table stay."""
    kind, slash, _ = name.partition("/")
    kind = kind if kind in SIGNALS else _OTHER
    return f"{kind}/{_OTHER}" if slash else kind
