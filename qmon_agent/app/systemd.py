"""What systemd is told, where it listens: ready, alive, reloading, stopping."""

from __future__ import annotations

import os
import socket
import time


def notify(state: str) -> None:
    """Sends lines to `$NOTIFY_SOCKET`; without one, or when it is gone, nothing happens."""
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


def notify_reloading() -> None:
    """With the time it began, which `Type=notify-reload` wants to know."""
    clock = getattr(time, "CLOCK_MONOTONIC", None)
    now_us = 0 if clock is None else time.clock_gettime_ns(clock) // 1_000
    notify(f"RELOADING=1\nMONOTONIC_USEC={now_us}")


def watchdog_interval_s() -> float:
    """How long systemd waits for a sign of life; 0 where it waits for none."""
    try:
        return int(os.environ.get("WATCHDOG_USEC", "0")) / 1_000_000
    except ValueError:
        return 0.0
