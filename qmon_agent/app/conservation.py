"""The conservation books: what was captured is stored, pending, or dropped with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qmon_sdk.protocol.frames import Frame

# Accounts beyond this are added up into one, the longest silent first.
_MOST_ACCOUNTS = 4_096
Counts = dict[str, int]


class Account(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One process: what it told of itself, and what came."""

    service: str = ""
    told_at: int = 0
    """The sequence of the frame that brought the newest ledger."""
    captured: Counts = {}
    dropped: Counts = {}
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

    def enter(self, frame: Frame, *, record_id: int, time: int) -> None:
        """Books one stored frame; a record booked before changes nothing."""
        if record_id <= self.record_id:
            return
        self.record_id = record_id
        account = self._account(frame)
        account.frames += 1
        account.last = time
        for block in frame.blocks:
            _add(account.received, {block.kind: block.rows})
        if frame.ledger is not None and frame.sequence > account.told_at:
            account.told_at = frame.sequence
            account.captured = dict(frame.ledger.captured)
            account.dropped = dict(frame.ledger.dropped)

    def bury(self, frame: Frame) -> bool:
        """Books a frame the store gave up on; no, and nothing changes, for one booked before."""
        key = f"{frame.process.hex()}/{frame.sequence}"
        if key in self.dead:
            return False
        self.dead[key] = sum(block.rows for block in frame.blocks)
        return True

    def totals(self) -> Totals:
        return Totals.of([self.closed, *self.accounts.values()])

    def _account(self, frame: Frame) -> Account:
        key = frame.process.hex()
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
        _add(self.closed.received, oldest.received)
        self.closed.frames += oldest.frames


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
            _add(received, account.received)
            frames += account.frames
        return cls(captured=captured, dropped=dropped, received=received, frames=frames)

    def balance(self, *, stored: int, dead: int = 0, exact: bool = False) -> dict[str, Any]:
        """The books as `status` shows them.

        `dead` are rows no table takes. `exact` says that the store has read just what is booked
        here: then a row that is neither stored nor dead would be lost, and nothing adds up.
        """
        captured = sum(self.captured.values())
        dropped = sum(self.dropped.values())
        received = sum(self.received.values())
        in_processes = captured - dropped - received
        in_journal = received - stored - dead
        return {
            "captured": captured,
            "received": received,
            "stored": stored,
            "dropped": dropped + dead,
            "pending": in_processes + in_journal,
            "pending_in_processes": in_processes,
            "pending_in_journal": in_journal,
            "adds_up": in_processes >= 0 and (in_journal == 0 or not exact),
            "captured_by_kind": self.captured,
            "dropped_by_reason": self.dropped,
        }


def _captured(account: Account) -> Counts:
    """What it told, or what came of it where it tells less: a frame may overtake its ledger."""
    captured = dict(account.captured)
    accounted = dict(account.received)
    for kind_and_reason, n in account.dropped.items():
        _add(accounted, {kind_and_reason.partition("/")[0]: n})
    for kind, n in accounted.items():
        captured[kind] = max(captured.get(kind, 0), n)
    return captured


def _add(to: Counts, what: Mapping[str, int]) -> None:
    for name, n in what.items():
        to[name] = to.get(name, 0) + n
