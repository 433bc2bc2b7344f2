"""How far something is that takes a while: one line on stderr, for people who look at it."""

from __future__ import annotations

import sys
import time

import click

_EVERY_S = 0.1
_WIDTH = 79


class Progress:
    """Says nothing where nobody looks: where stderr is no terminal."""

    def __init__(self, *, is_wanted: bool = True) -> None:
        self._is_on = is_wanted and sys.stderr.isatty()
        self._said_at = 0.0

    def say(self, text: str) -> None:
        now = time.monotonic()
        if self._is_on and now - self._said_at >= _EVERY_S:
            self._said_at = now
            click.echo(f"\r{text[:_WIDTH]:{_WIDTH}}", nl=False, err=True)

    def end(self) -> None:
        if self._is_on and self._said_at:
            click.echo(f"\r{'':{_WIDTH}}\r", nl=False, err=True)
