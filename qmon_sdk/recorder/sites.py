"""Sites: what all the spans of one place in the code have in common, by number.

A row in the flight ring refers to its site by number, and the ring holds the names: so a reader
who knows nothing of this process can tell what its spans were.
"""

from __future__ import annotations

from qmon_sdk.client import current
from qmon_sdk.protocol.flight import LENGTH
from qmon_sdk.protocol.frames import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MOST_SITES = 1 << 16
"""Sites that are told apart; somebody seems to make up those beyond."""


class Site:
    """Where spans come from.

    Some are made before `init` says what is to be scrubbed: `said` is what is scrubbed then.
    """

    __slots__ = ("attributes", "kind", "metric", "name", "number", "own", "said")

    def __init__(
        self,
        name: str,
        *,
        kind: str = "internal",
        attributes: dict[str, str] | None = None,
        metric: bool = False,
        said: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.attributes = self.own = attributes or {}
        self.said = said
        if said:
            client = current()
            self.scrub(client.scrubber.labels if client.recording else _texts)
        self.metric = metric
        self.number = SITES.number_of(self)

    def scrub(self, scrub: Callable[[Mapping[str, Any]], dict[str, str]]) -> None:
        """Write what was said of all its spans."""
        self.attributes = {**self.own, **scrub(self.said or {})}


class Sites:
    """Every site of the process, and the bytes that a ring names them by."""

    def __init__(self) -> None:
        self._known: list[Site] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._packed = b""
        self._packed_sites = 0

    def __getitem__(self, number: int) -> Site:
        return self._known[number]

    def number_of(self, site: Site) -> int:
        """Number a site; alike sites, as of a function that is decorated again, share one."""
        about = map(str, (*site.own.items(), *(site.said or {}).items()))
        key = (site.name, site.kind, site.metric, *about)
        number = self._numbers.get(key)
        if number is not None or len(self._known) >= MOST_SITES:
            return number or 0
        # Not `len`: another thread may number one too, and the list's order is the number.
        self._known.append(site)
        number = self._known.index(site, max(len(self._known) - 64, 0))
        number = self._numbers.setdefault(key, number)
        recorder = current().recorder
        if recorder is not None:
            recorder.name(self._entry(number))
        return number

    def scrub(self, scrub: Callable[[Mapping[str, Any]], dict[str, str]]) -> None:
        """Write what was said of sites as a new client wants it."""
        said = [site for site in list(self._known) if site.said]
        for site in said:
            site.scrub(scrub)
        if said:
            self._packed, self._packed_sites = b"", 0

    def packed(self) -> bytes:
        """Write the names of all sites so far, as a ring has them."""
        numbers = range(self._packed_sites, len(self._known))
        self._packed += b"".join(map(self._entry, numbers))
        self._packed_sites = numbers.stop
        return self._packed

    def _entry(self, number: int) -> bytes:
        site = self._known[number]
        entry = pack([number, site.name, site.kind, _texts(site.attributes)])
        return LENGTH.pack(len(entry)) + entry


def _texts(attributes: Mapping[str, Any]) -> dict[str, str]:
    """What a decorator was given may be anything."""
    return {str(key): str(value) for key, value in attributes.items()}


SITES = Sites()
OTHER = Site("(other)")
"""Number 0, which stands in for those past `MOST_SITES`."""
