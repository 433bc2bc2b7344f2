"""What the routes need of the agent: one port, which `app` fits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Protocol

from qmon_agent.http.access import Sessions
from qmon_agent.http.keep_desk import KeepDesk
from qmon_agent.http.link_desk import LinkDesk
from qmon_agent.http.page_desk import PageDesk
from qmon_agent.ingest.pipeline import Intake
from qmon_agent.vitals import Vitals


class Answer(Protocol):
    """Rows of a query, each value fit for JSON."""

    @property
    def truncated(self) -> bool: ...

    @property
    def missing(self) -> Sequence[str]: ...

    @property
    def freshness(self) -> Any: ...

    def records(self) -> list[dict[str, Any]]: ...

    @property
    def columns(self) -> Sequence[Any]: ...


class Desk(Protocol):
    """The agent as its routes see it. Everything that waits for a disk is awaited."""

    vitals: Vitals
    sessions: Sessions
    session_ttl_s: float
    intake: Intake

    @property
    def links(self) -> LinkDesk: ...

    @property
    def keeping(self) -> KeepDesk: ...

    @property
    def page(self) -> PageDesk: ...

    def hung(self) -> Mapping[str, str]:
        """Loops that are stuck, and in what: nothing while the agent is alive."""

    def unready(self) -> Mapping[str, str]:
        """Why it takes nothing now: nothing while it is ready."""

    def stacks(self) -> Mapping[str, Sequence[str]]: ...

    def log(self) -> Sequence[Mapping[str, Any]]: ...

    async def status(self) -> Mapping[str, Any]: ...

    @property
    def passing(self) -> Callable[[str, int], Mapping[str, Any]]:
        """What passes a place of the stream, from a number on; raises NotFoundError."""
        ...

    async def busiest(self) -> Mapping[str, Any]: ...

    async def reload(self) -> Mapping[str, Any]:
        """Reads the configuration again: `reloaded` says whether it is in force."""

    async def query(
        self, sql: str, *, limit: int | None = None, timeout_s: float | None = None
    ) -> Answer:
        """Answers one read-only statement; raises QueryError or StoreError."""

    async def questions(self) -> list[dict[str, Any]]:
        """What may be asked by name, with parameters and units."""

    async def ask(self, name: str, said: Mapping[str, str]) -> dict[str, Any]:
        """Answers one by its name; raises UnknownQuestionError, QueryError or StoreError."""

    most_rows: Mapping[str, int]
    """The most rows of an answer, by scope."""
    usual_rows: int
    """Those of an answer where nothing is said."""

    async def look(self, files: Sequence[str]) -> Sequence[str]:
        """Reads these segments again now; which of them are set aside as damaged."""

    async def behind_records(self) -> int:
        """How many records of the journal an answer that is asked for now may not have."""
        ...

    def export(
        self,
        sql: str,
        *,
        form: str,
        limit: int | None,
        left_out: Callable[[Sequence[str]], None],
    ) -> AsyncGenerator[bytes]:
        """The answer as a file, piece by piece; QueryError or StoreError at any of them.

        With the first it is told which damaged segments are `left_out`.
        """
        ...

    async def incidents(self, *, states: Sequence[str], limit: int) -> list[dict[str, Any]]: ...

    async def incident(self, incident: str) -> dict[str, Any] | None:
        """One incident with all that happened to it; none of this id: `None`."""

    async def handle(self, incident: str, deed: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """It is on disk before this returns; raises QueryError for one that does not fire."""
        ...

    async def merge(self, into: str, asked: Mapping[str, Any]) -> list[str]:
        """What is merged into it then; raises QueryError where one of them does not fire."""
        ...

    async def why(self, *, incident: str, alert: str, channel: str) -> Mapping[str, Any]:
        """All that is known of one of the two, with answers; raises QueryError."""

    async def alert_figures(self, *, since_s: float, zone: str) -> dict[str, Any]:
        """What alerting did in the last so many seconds; raises QueryError."""
        ...

    async def label(self, incident: str, asked: Mapping[str, Any]) -> bool:
        """Whether there is such an incident; raises QueryError for what is no label."""
        ...

    async def silences(self) -> list[dict[str, Any]]: ...

    async def add_silence(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """It is on disk before this returns; raises QueryError."""
        ...

    async def expire_silence(self, silence: str) -> dict[str, Any] | None: ...

    async def tokens(self) -> list[dict[str, Any]]: ...

    async def create_token(self, scope: str, *, name: str, ttl_s: float) -> dict[str, Any]:
        """The token's text under `token`, this once; raises ConfigError."""

    async def revoke_token(self, token_id: int) -> bool: ...
