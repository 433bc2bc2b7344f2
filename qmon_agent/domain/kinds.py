"""The kinds of signals, as an option names them."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "span", "error", "event", "session", "point", "log", "checkin", "snapshot", "finding"
]
"""One of `qmon_sdk.protocol.signals.SIGNALS`; a test compares them."""
