"""The server: connected to when it is needed, given its tables, sent blocks, and asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from qmon_agent.domain.errors import StoreError
from qmon_agent.store.telemetry import sums
from qmon_agent.store.telemetry.rollups import ROLLUPS
from qmon_agent.store.telemetry.schema import BY_NAME, EVERY_TABLE, Table
from qmon_agent.store.telemetry.sums import Sum

from . import ddl, folding
from .address import Address
from .ddl import Layout
from .reasons import reason_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CONNECT_S, ANSWER_S = 5, 120
SENDING = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
"""A block that the server has already is offered to rollups all the same, which know themselves
whether they have it."""
GATHERING = {"async_insert": 1, "wait_for_async_insert": 1, "async_insert_deduplicate": 1}
"""Instead, where the server puts blocks of many agents together; it answers when they are there."""
GATHERS_SINCE = (26, 1)
"""The release that can tell apart what it gathered, in rollups too (ClickHouse's #89140)."""
SPREADING = {"insert_distributed_sync": 1, "insert_quorum": "auto", "insert_quorum_parallel": 1}
"""Of a cluster: an answer means that most replicas of each shard have it."""
MISSING = "ClickHouse wants a package more: pip install 'qmon[clickhouse]'"


class AwayError(StoreError):
    """The server cannot be reached, or does not take anything now; it may later."""


class Server:
    """One client, for every thread."""

    def __init__(self, address: Address, password: str, layout: Layout) -> None:
        self.address = address
        self._password = password
        self._layout = layout
        self._client: Client | None = None
        self._connecting = threading.Lock()
        # The engine in this process answers one question at a time.
        self._one: AbstractContextManager[Any] = (
            threading.Lock() if address.folder else nullcontext()
        )
        self._ready = False

    @property
    def layout(self) -> Layout:
        """Where its tables are."""
        return self._layout

    def send(self, table: str, data: bytes, *, name: str) -> None:
        """Insert a stream of Arrow, once however often it comes; AwayError if that failed."""
        settings = {**SENDING, "insert_deduplication_token": name}
        if self._layout.cluster:
            settings |= SPREADING
        if self.address.gathers:
            settings |= GATHERING
        self.make_ready()
        target = self._layout.whole(BY_NAME[table])
        try:
            with self.asked() as client:
                client.raw_insert(
                    target, None, insert_block=data, settings=settings, fmt="ArrowStream"
                )
        except AwayError:
            self._ready = False  # somebody may have taken the tables away
            raise

    def lay_out(self, layout: Layout) -> None:
        """From now on, where it differs; seen to when the server is spoken to next."""
        if layout != self._layout:
            self._layout, self._ready = layout, False

    def make_ready(self) -> None:
        """Tables that are not there, columns that are new, and for how long rows are kept."""
        if self._ready:
            return
        with self.asked() as client:
            if self.address.gathers and not can_gather(client.server_version or "0.0"):
                raise AwayError(
                    f"ClickHouse {client.server_version} may store twice what it gathers: "
                    "it has to be 26.1 or later, or leave `async` out of the address"
                )
            for statement in (*ddl.statements(self._layout), *folding.statements(self._layout)):
                client.command(statement)
            for table in EVERY_TABLE:
                columns = self._columns(client, table)
                for statement in ddl.add(table, self._layout, columns):
                    client.command(statement)
            for table in (*EVERY_TABLE, *map(folding.parts_of, ROLLUPS.values())):
                full_engine = self._engine(client, table)
                for statement in ddl.keep(table, self._layout, full_engine=full_engine):
                    client.command(statement)
        self._ready = True

    @contextmanager
    def asked(self) -> Iterator[Client]:
        """The client; whatever the server or the way to it says inside becomes an AwayError."""
        try:
            from clickhouse_connect.driver.exceptions import ClickHouseError
        except ImportError as error:
            raise StoreError(MISSING) from error
        try:
            with self._one:
                yield self._connected()
        except ClickHouseError as error:
            raise AwayError(reason_of(error)) from error
        except OSError as error:
            raise AwayError(str(error)) from error

    def rows(self) -> dict[str, int]:
        """Table → how many rows the server has of it, whoever sent them."""
        counting = " UNION ALL ".join(
            f"SELECT {ddl.text(table.name)}, count() FROM {self._layout.whole(table)}"  # noqa: S608 - our names
            for table in EVERY_TABLE
        )
        with self.asked() as client:
            return {name: int(count) for name, count in client.query(counting).result_rows}

    def sums(self, table: Table) -> dict[str, Sum]:
        """What a table has of each day."""
        asked = sums.asked(table, self._layout.whole(table), sums.CLICKHOUSE)
        with self.asked() as client:
            return sums.read(map(tuple, client.query(asked).result_rows))

    def stop(self, query_id: str) -> None:
        """End a question; the engine in this process minds its time itself."""
        if not self.address.folder:
            with self.asked() as client:
                client.command(f"KILL QUERY WHERE query_id = {ddl.text(query_id)} ASYNC")

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                client = connect(self.address, self._password)
                client.command(ddl.database(self._layout))
                client.database = self._layout.database
                self._client = client
            return self._client

    def _columns(self, client: Client, table: Table) -> list[str]:
        asked = f"SELECT name FROM system.columns WHERE {self._where(table, 'table')}"  # noqa: S608 - our names
        return [name for (name,) in client.query(asked).result_rows]

    def _engine(self, client: Client, table: Table) -> str:
        asked = f"SELECT engine_full FROM system.tables WHERE {self._where(table, 'name')}"  # noqa: S608 - our names
        return str(client.query(asked).result_rows[0][0])

    def _where(self, table: Table, column: str) -> str:
        name = ddl.text(self._layout.name(table))
        return f"database = {ddl.text(self._layout.database)} AND {column} = {name}"


def can_gather(version: str) -> bool:
    """Say whether a server of this version, as `26.3.1.7`, stores once what it gathers."""
    year, _, rest = version.partition(".")
    return (int(year), int(rest.partition(".")[0])) >= GATHERS_SINCE


def connect(address: Address, password: str) -> Client:
    """Make a client; StoreError if the package for it is missing."""
    try:
        import clickhouse_connect
    except ImportError as error:
        raise StoreError(MISSING) from error
    if address.folder:
        told = {"config-file": f"{address.folder}.xml"} if address.cluster else {}
        return clickhouse_connect.get_client(
            interface="chdb", path=address.folder, chdb_options=told
        )
    return clickhouse_connect.get_client(
        host=address.host,
        port=address.port,
        username=address.user,
        password=password,
        secure=address.secure,
        connect_timeout=CONNECT_S,
        send_receive_timeout=ANSWER_S,
        autogenerate_session_id=False,  # sessions would answer one question at a time
        query_retries=0,
        client_name="qmon",
    )
