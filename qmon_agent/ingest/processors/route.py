"""Mark signals with routes: sinks that name one get them, others and the store need not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.routing import Routes
from qmon_agent.ingest.lots import Lot

from . import ALL_KINDS


class RouteProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Whatever `match` fits is marked; several of these add up, and what has no mark goes on."""

    kinds: ClassVar[frozenset[str]] = ALL_KINDS

    to: tuple[str, ...] = ()
    """Names that sinks have in their `routes`; such a sink gets what is marked so, and no more."""
    store: bool = True
    """Whether the store gets it, too."""
    exclusive: bool = False
    """Whether sinks without `routes`, which get everything else, do not get it."""
    _routes: Routes | None = None

    def __post_init__(self) -> None:
        if not self.to and self.store and not self.exclusive:
            raise ConfigError("to", "says nowhere to go; name a route, or `store = false`")
        self._routes = Routes(
            names=tuple(sorted(self.to)), store=self.store, exclusive=self.exclusive
        )

    def process(self, lot: Lot) -> Iterable[Lot]:
        return (lot.routed(self._routes) if self._routes else lot,)
