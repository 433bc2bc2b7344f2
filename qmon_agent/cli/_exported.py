"""An answer written into a file: as it comes, and under its name only when it is whole."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from qmon_agent.cli._asking import not_stored, refuse_running
from qmon_agent.cli._control import UnreachableError, find_control
from qmon_agent.cli._place import Place
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.sizes import print_size

_SAY_S = 0.5


def export(sql: str, place: Place, file: Path, *, form: str, limit: int | None) -> int:
    """How many bytes; raises QueryError or StoreError, and leaves the file as it was."""
    with _whole(file) as put:
        try:
            body = {"sql": sql, "format": form, "limit": limit}
            with find_control(place.locations).stream("/api/export", body) as (lacking, pieces):
                for words in not_stored({"behind_records": lacking.behind_records}):
                    click.echo(words, err=True)
                _say_left_out(lacking.left_out)
                for piece in pieces:
                    put(piece)
        except UnreachableError:
            refuse_running(place)
            # The engine is loaded here only: a running agent has its own.
            from qmon_agent.app.stopped import export_stopped

            _say_left_out(export_stopped(place.locations, sql, form=form, limit=limit, put=put))
    return file.stat().st_size


def _say_left_out(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        click.echo(f"left out: {sentence}", err=True)


@contextmanager
def _whole(file: Path) -> Iterator[Callable[[bytes], None]]:
    """Takes pieces into a file beside, which gets the name at the end; says how far it is."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    progress = _Progress()
    try:
        with beside.open("xb") as content:

            def put(piece: bytes) -> None:
                content.write(piece)
                progress.add(len(piece))

            yield put
            content.flush()
            os.fsync(content.fileno())
        beside.replace(file)
    except OSError as problem:
        reason = problem.strerror or "cannot be written"
        raise ConfigError("--output", f"{file}: {reason}") from None
    finally:
        beside.unlink(missing_ok=True)
        progress.end()


class _Progress:
    """On standard error, where that is a terminal: how much there is."""

    def __init__(self) -> None:
        self._bytes = 0
        self._said = self._began = time.monotonic()
        self._is_shown = sys.stderr.isatty()

    def add(self, size: int) -> None:
        self._bytes += size
        if self._is_shown and time.monotonic() - self._said > _SAY_S:
            self._said = time.monotonic()
            click.echo(f"\r{self._so_far()}   ", nl=False, err=True)

    def end(self) -> None:
        if self._is_shown:
            click.echo(f"\r{self._so_far()}   ", err=True)

    def _so_far(self) -> str:
        return f"{print_size(self._bytes)} in {time.monotonic() - self._began:.0f} s"
