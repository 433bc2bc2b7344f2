"""Speaks to the running agent, over the socket only its owner may open."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from qmon_agent.domain.errors import ConfigError, QmonError, QueryError, StoreError
from qmon_agent.settings import Locations

_TIMEOUT_S = 60.0
# Errors the agent answers with, by their name; any other is shown as it came.
_KINDS = {"QueryError": QueryError, "StoreError": StoreError}


class UnreachableError(QmonError):
    """No agent answers on this state directory."""

    exit_code = 2


class RefusedError(QmonError):
    """The agent answered, and said no."""

    exit_code = 2


class Control:
    """The running agent; every call opens a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, route: str) -> dict[str, Any]:
        return self._ask("GET", route)

    def post(self, route: str, body: object) -> dict[str, Any]:
        return self._ask("POST", route, body)

    def delete(self, route: str) -> dict[str, Any]:
        return self._ask("DELETE", route)

    def _ask(self, method: str, route: str, body: object = None) -> dict[str, Any]:
        connection = _UnixConnection(self._path)
        try:
            content = b"" if body is None else json.dumps(body).encode()
            connection.request(method, route, content, {"content-type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise UnreachableError(f"no agent answers on {self._path}: {problem}") from None
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.BAD_REQUEST and "error" in answer:
            raise _trouble(answer)
        return answer


def find_control(locations: Locations) -> Control:
    """The agent that says it lives in this state directory, else the usual socket."""
    return Control(Path(whereabouts(locations).get("control", locations.control)))


def whereabouts(locations: Locations) -> dict[str, Any]:
    """What a running agent wrote down about itself; nothing when there is none."""
    try:
        written: dict[str, Any] = json.loads(locations.whereabouts.read_bytes())
    except (OSError, ValueError):
        return {}
    return written


def _trouble(answer: dict[str, Any]) -> QmonError:
    message, kind = str(answer["error"]), str(answer.get("kind", ""))
    if kind == "ConfigError":
        path, _, reason = message.partition(": ")
        return ConfigError(path, reason)
    return _KINDS.get(kind, RefusedError)(message)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
