"""What systemd is told, where it listens: ready, alive, reloading, stopping."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable


def notify(state: str) -> None:
    """Sends one line to `$NOTIFY_SOCKET`; without one, or when it is gone, nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.sendto(state.encode(), address)
    except OSError:
        return


async def keep_watchdog(is_well: Callable[[], bool]) -> None:
    """Proves life twice per `$WATCHDOG_USEC`, as long as the agent is well."""
    interval = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
    while interval:
        if is_well():
            notify("WATCHDOG=1")
        await asyncio.sleep(interval)
