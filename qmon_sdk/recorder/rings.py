"""The flight rings that a recorder knows: how one is made while others want it, used, and left."""

from __future__ import annotations

from itertools import count

from qmon_sdk.last_words import close_last_words, open_last_words
from qmon_sdk.protocol import flight
from qmon_sdk.transports.originals import get_ident

from .ring import Ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from qmon_sdk.settings import Settings

    from .outgoing import Outgoing


class Rings(dict[int, Ring]):
    """The ring of each process, by its pid: one, unless somebody forked behind Python's back."""

    def __init__(
        self, settings: Settings, outgoing: Outgoing, use: Callable[[Ring], object]
    ) -> None:
        """Have none; `use` is told of each that comes into use."""
        self._settings = settings
        self._outgoing = outgoing
        self._told = use
        self._meanwhile: dict[int, Ring] = {}
        self._making: set[int] = set()  # threads
        self._attempts = count()

    def of(self, pid: int) -> Ring:
        """Return the ring of this process, whose `pid` it is; made if there is none yet."""
        ring = self.get(pid)
        if ring is not None:
            return ring
        ident = get_ident()
        if ident in self._making:  # a signal's handler, in the middle of it
            return self._interim(pid)
        self._making.add(ident)
        try:
            # No lock, which a handler could find held: the second of two threads goes again.
            made = self._made()
            ring = self.setdefault(pid, made)
        finally:
            self._making.discard(ident)
        if ring is not made:
            made.remove()
        else:
            self._use(ring)
        return ring

    def _interim(self, pid: int) -> Ring:
        """Give private memory to who cannot wait until the ring is made."""
        ring = self._meanwhile.get(pid)
        if ring is None:
            ring = self._meanwhile[pid] = Ring("", self._outgoing.process)
            ring.extras = self._outgoing.extras(ring)
        return ring

    def _made(self) -> Ring:
        folder, process = self._settings.flight_dir, self._outgoing.process
        # Of two that are made at once each has a file of its own, and the second goes again.
        attempt = next(self._attempts)
        name = flight.name_of(self._settings.socket, process)
        name += f"-{attempt}{flight.SUFFIX}" if attempt else flight.SUFFIX
        ring = Ring(
            f"{folder}/{name}" if folder else "", process, spare=self._settings.max_buffer_bytes
        )
        ring.extras = self._outgoing.extras(ring)
        ring.take_off(self._outgoing.resource)
        return ring

    def _use(self, ring: Ring) -> None:
        self._told(ring)
        if ring.is_shared:
            open_last_words(ring.path.removesuffix(flight.SUFFIX) + flight.FAULT_SUFFIX)
            ring.sample()

    def abandon(self) -> None:
        """Leave them to the process that this one was forked from."""
        for ring in self.values():
            ring.abandon()
            close_last_words()

    def land(self, *, is_empty: bool) -> None:
        """Say that this is the end, and that all is well; what no spool has taken stays to read."""
        for ring in self.values():
            ring.land(is_empty=is_empty)
            close_last_words()
