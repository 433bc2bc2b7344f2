"""What is done to signals between a source and the journal: one file each, found by folder.

A processor is a class named after its file (`drop.py` holds `DropProcessor`); its fields are its
options. `[[processors]]` with its `kind` puts one into the chain, and their order is the policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol, runtime_checkable

from qmon_agent.domain.plugins import Registry
from qmon_agent.ingest.lots import Lot
from qmon_sdk.protocol.signals import SIGNALS

ALL_KINDS = frozenset(SIGNALS)


class Processor(Protocol):
    """One step of the chain. Called from one thread; does no I/O and asks no clock.

    What time it is, `lot.origin.time` says. `match` is applied around it: it sees only signals that
    fit, unless `match` is a field of its own. What it raises is counted, and the lot goes on as it
    was; with `fail_closed = True`, as for what must not leak, it is dropped and counted.

    Exactly once, through every crash: frames are written under names that come out the same when
    the same records are processed again. For a processor that answers each lot at once, this is
    done around it. See `HoldingProcessor` for the others.
    """

    kinds: ClassVar[frozenset[str]]
    """Kinds of signals it looks at; `ALL_KINDS` has them all. Others pass by without being read."""

    def process(self, lot: Lot) -> Iterable[Lot]:
        """What becomes of it: `lot` itself, `lot.changed`, `lot.keep`, `lot.part`s, `lot.routed`.

        What is neither in the answer nor counted as dropped by it is held back, or lost.
        """


@runtime_checkable
class HoldingProcessor(Protocol):
    """A processor that holds signals back, or adds some that stand for several records.

    Records from `holds` on are read again after a crash. So what comes out of it has a `name` that
    depends on nothing but what it is made of: the trace, say, or the window and its key. A signal
    that may be held gets its name also when it passes at once; its lot may be empty but for the
    number dropped. The first frame of a name stays, all others are known for repeats of it.
    """

    @property
    def holds(self) -> int | None:
        """The oldest `record_id` of which something is held, or counted and not told yet."""
        ...

    def tick(self, now: int) -> Iterable[Lot]:
        """What is due at `now`, which never goes backwards; a few times a second.

        Before the chain is changed it comes with a `now` (`THE_END`) at which everything is due.
        """
        ...


@runtime_checkable
class PreparedProcessor(Protocol):
    """A processor that has to find out something first: where it runs, say."""

    def prepare(self) -> None:
        """Called once, before the first lot, from a thread that may block for a moment or two."""


THE_END = (1 << 63) - 1

PROCESSORS: Registry[Processor] = Registry(__name__, role="Processor")
