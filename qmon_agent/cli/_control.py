"""Speaks to the running agent, over the socket only its owner may open."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from qmon_agent.domain.errors import ConfigError, QmonError, QueryError, StoreError
from qmon_agent.settings import Locations, Store
from qmon_agent.settings.claim import is_claimed

_TIMEOUT_S = 5.0
"""For an answer to anything but a query; a query may take its own time besides."""
_RELOAD_S = 60.0
_STARTS_S = 15.0
"""How long an agent is waited for that has its directory, and no doors yet."""
_LOOK_S = 0.05
_PIECE_BYTES = 1 << 20
BEHIND, LEFT_OUT = "x-qmon-behind-records", "x-qmon-missing"
_START = "start it with: qmon-agent run"


class Lacking(NamedTuple):
    """What an answer does not have."""

    behind_records: int
    left_out: tuple[str, ...]
    """A sentence for each damaged segment."""


class UnreachableError(QmonError):
    """No agent answers on this state directory."""

    exit_code = 2


class RefusedError(QmonError):
    """The agent answered, and said no."""

    exit_code = 2


class Control:
    """The running agent; every call opens a connection of its own."""

    def __init__(self, path: Path, *, query_timeout_s: float = Store().query_timeout_s) -> None:
        self._path = path
        self._query_timeout_s = query_timeout_s

    def get(self, route: str) -> dict[str, Any]:
        return self._ask("GET", route)

    def post(self, route: str, body: object) -> dict[str, Any]:
        return self._ask("POST", route, body=body)

    def delete(self, route: str) -> dict[str, Any]:
        return self._ask("DELETE", route)

    def query(self, body: object, *, route: str = "/api/query") -> dict[str, Any]:
        """As long as the agent itself gives a query, and a moment."""
        patience_s = self._query_timeout_s + _TIMEOUT_S
        return self._ask("POST", route, body=body, timeout_s=patience_s)

    def ask(self, route: str) -> dict[str, Any]:
        """The same time for a question by name."""
        return self._ask("GET", route, timeout_s=self._query_timeout_s + _TIMEOUT_S)

    @contextmanager
    def stream(self, route: str, body: object) -> Iterator[tuple[Lacking, Iterator[bytes]]]:
        """The answer piece by piece, for as long as it takes; StoreError where it breaks off.

        Before it what it does not have, as the agent says.
        """
        connection = _UnixConnection(self._path, None)
        try:
            response = self._begun(connection, route, body)
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                raise _trouble(json.loads(response.read()))
            behind, left_out = (response.headers.get(name) for name in (BEHIND, LEFT_OUT))
            lacking = Lacking(int(behind or 0), tuple(json.loads(left_out or "[]")))
            yield lacking, _pieces_of(response)
        finally:
            connection.close()

    def _begun(
        self, connection: http.client.HTTPConnection, route: str, body: object
    ) -> http.client.HTTPResponse:
        try:
            content = json.dumps(body).encode()
            connection.request("POST", route, content, {"content-type": "application/json"})
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as problem:
            reason = f"no agent answers on {self._path}: {problem}"
            raise UnreachableError(f"{reason}; {_START}") from None

    def reload(self) -> dict[str, Any]:
        """Sources are closed and opened for it, which may take a while."""
        return self._ask("POST", "/api/reload", timeout_s=_RELOAD_S)

    def look(self, files: Sequence[str]) -> Sequence[str]:
        """Segments are read for it; which were set aside."""
        body = {"files": list(files)}
        answer = self._ask("POST", "/api/segments/look", body=body, timeout_s=_RELOAD_S)
        found: list[str] = answer["set_aside"]
        return found

    def _ask(
        self, method: str, route: str, *, body: object = None, timeout_s: float = _TIMEOUT_S
    ) -> dict[str, Any]:
        connection = _UnixConnection(self._path, timeout_s)
        try:
            content = b"" if body is None else json.dumps(body).encode()
            connection.request(method, route, content, {"content-type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except TimeoutError:
            reason = f"it is there, and has not answered for {timeout_s:g} s"
            who = f"the agent on {self._path} hangs, or is starting"
            raise UnreachableError(f"{who}: {reason}") from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            reason = f"no agent answers on {self._path}: {problem}"
            raise UnreachableError(f"{reason}; {_START}") from None
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.BAD_REQUEST and "error" in answer:
            raise _trouble(answer)
        return answer


def find_control(locations: Locations) -> Control:
    """The agent of the state directory that was named, else of the socket that was named.

    Only where neither was is it the usual one's: never is another agent taken for the one meant.
    """
    if locations.is_said("socket") and not locations.is_said("state"):
        return Control(locations.control)
    if found := _running(locations):
        timeout_s = float(found.get("query_timeout_s", Store().query_timeout_s))
        return Control(Path(found["control"]), query_timeout_s=timeout_s)
    if locations.is_said("state"):
        raise _nobody(locations)
    return Control(locations.control)


def _running(locations: Locations) -> dict[str, Any]:
    """Where the agent that owns the directory is; one that is just starting is waited for a while.

    Nothing where there is none. Raises UnreachableError where it takes too long.
    """
    deadline, is_said = time.monotonic() + _STARTS_S, False
    while is_claimed(locations.lock):
        if found := whereabouts(locations):
            return found
        if time.monotonic() > deadline:
            reason = f"has been starting, or stopping, for {_STARTS_S:g} s; try again"
            raise UnreachableError(f"the agent in {locations.state} {reason}")
        if not is_said:
            is_said = True
            click.echo(f"the agent in {locations.state} is starting: waiting for it", err=True)
        time.sleep(_LOOK_S)
    return {}


def whereabouts(locations: Locations) -> dict[str, Any]:
    """What a running agent wrote down about itself; nothing when there is none."""
    try:
        written: dict[str, Any] = json.loads(locations.whereabouts.read_bytes())
    except (OSError, ValueError):
        return {}
    return written


def _nobody(locations: Locations) -> UnreachableError:
    directory = locations.state
    if left := whereabouts(locations):
        last = f"the last one, process {left.get('pid', '?')}, was killed, and none has begun since"
        why = f"no agent runs in {directory}: {last}"
        return UnreachableError(f"{why}; {_START} --state {directory}")
    stopped = locations.journal.exists() or locations.lock.exists()
    who = "no agent runs" if stopped else "no agent and no state"
    return UnreachableError(f"{who} in {directory}; {_START} --state {directory}")


def _trouble(answer: dict[str, Any]) -> QmonError:
    """Errors the agent answers with, by their name; any other is shown as it came."""
    message, kind = str(answer["error"]), str(answer.get("kind", ""))
    if kind == "ConfigError":
        path, _, reason = message.partition(": ")
        return ConfigError(path, reason)
    if kind == "QueryError":
        return QueryError(message, field=str(answer.get("field", "")))
    return StoreError(message) if kind == "StoreError" else RefusedError(message)


def _pieces_of(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read1(_PIECE_BYTES):
            yield piece
    except (OSError, http.client.HTTPException) as problem:
        why = "it took too long, the store stopped, or a damaged segment was found in the middle"
        broke = f"the answer broke off: {why}; ask again"
        raise StoreError(broke) from problem


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
