"""One question in SQL, put to a running agent or to what a stopped one left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from qmon_agent.cli._control import UnreachableError, find_control
from qmon_agent.cli._place import Place
from qmon_agent.settings.claim import is_claimed


def ask(sql: str, place: Place, *, limit: int | None = None) -> dict[str, Any]:
    """`columns`, `rows` and whether they were `truncated`; raises QueryError or StoreError."""
    try:
        return find_control(place.locations).query({"sql": sql, "limit": limit})
    except UnreachableError:
        refuse_running(place)
        # The engine is loaded here only: asking a running agent takes a tenth of the time.
        from qmon_agent.app.stopped import query_stopped

        return query_stopped(place.locations, sql, limit=limit)


def ask_by_name(name: str, said: Mapping[str, str], place: Place) -> dict[str, Any]:
    """The answer to a question that has a name; raises what `ask` does, or UnknownQuestionError."""
    try:
        return find_control(place.locations).ask(f"/api/questions/{quote(name)}?{urlencode(said)}")
    except UnreachableError:
        refuse_running(place)
        from qmon_agent.app.stopped import ask_stopped

        return ask_stopped(place.locations, name, said)


@contextmanager
def asking(place: Place) -> Iterator[Callable[[str, int | None], dict[str, Any]]]:
    """The same for many questions; the second argument is how many rows at most."""
    control = None
    try:
        control = find_control(place.locations)
        control.get("/api/status")
    except UnreachableError:
        refuse_running(place)
        control = None
    if control is not None:
        running = control
        yield lambda sql, limit: running.query({"sql": sql, "limit": limit})
        return
    from qmon_agent.app.stopped import stopped

    with stopped(place.locations) as ask_stopped:
        yield ask_stopped


def not_stored(fresh: Mapping[str, Any] | None) -> list[str]:
    """A sentence where the journal has records that an answer was not made of."""
    behind = fresh["behind_records"] if fresh else 0
    told = "1 record of the journal is" if behind == 1 else f"{behind} records of the journal are"
    return [f"{told} not stored yet"] if behind else []


def refuse_running(place: Place) -> None:
    """Raise what is being handled, where an agent is there that does not answer."""
    # Whoever named only a socket means the agent there, and no directory.
    only_socket = place.locations.is_said("socket") and not place.locations.is_said("state")
    if only_socket or is_claimed(place.locations.lock):
        raise  # noqa: PLE0704 - called only while UnreachableError is being handled
