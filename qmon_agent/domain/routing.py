"""Where a frame is to go, and whose it is: blocks without rows that its readers obey."""

from __future__ import annotations

import msgspec

from qmon_sdk.protocol.columns import Block
from qmon_sdk.protocol.frames import Frame

ROUTES = "routes"
"""Kind of the block: route names, whether the store takes it, whether only named sinks do."""
SPOKEN = "spoken"
"""Kind of the block without rows that says whose signals a frame has, where its name does not."""
_COLUMNS = 3


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """Marks of some signals. Without any, they go everywhere."""

    names: tuple[str, ...] = ()
    """Sinks that name one of these in their `routes` get them."""
    store: bool = True
    """Whether the store gets them."""
    exclusive: bool = False
    """Whether sinks that name no routes get them not."""

    def __or__(self, other: Routes) -> Routes:
        """Marked by both."""
        return Routes(
            names=tuple(sorted({*self.names, *other.names})),
            store=self.store and other.store,
            exclusive=self.exclusive or other.exclusive,
        )

    def lead_to(self, routes: frozenset[str]) -> bool:
        """Whether a sink with these `routes` gets them."""
        return bool(routes.intersection(self.names)) if routes else not self.exclusive

    def block(self) -> Block:
        """As a frame says it."""
        return Block(kind=ROUTES, rows=0, columns=([*self.names], self.store, self.exclusive))


EVERYWHERE = Routes()


def routes_of(frame: Frame) -> Routes:
    """What a frame says; everywhere, where it says nothing that can be understood."""
    for block in frame.blocks:
        if block.kind == ROUTES and len(block.columns) >= _COLUMNS:
            names, store, exclusive, *_ = block.columns
            known = names if isinstance(names, list) else []
            return Routes(
                names=tuple(name for name in known if isinstance(name, str)),
                store=store is not False,
                exclusive=exclusive is True,
            )
    return EVERYWHERE


def spoken_by(process: bytes) -> Block:
    """What a frame says that is named otherwise than by who speaks in it."""
    return Block(kind=SPOKEN, rows=0, columns=(process,))


def speaker_of(frame: Frame) -> bytes:
    """The process whose signals a frame has, and in whose books they are."""
    for block in frame.blocks:
        if block.kind == SPOKEN and block.columns and isinstance(block.columns[0], bytes):
            return block.columns[0]
    return frame.process
