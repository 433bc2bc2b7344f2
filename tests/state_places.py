"""Where tests keep a state on PostgreSQL: empty databases, on servers that may be killed."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from itertools import count

import pytest
from servers import NotInstalledError, Postgres

_NUMBERS = count()
PATIENCE_S = 30.0


class StatePlace:
    """One empty database, as a DSN of ours, and what may befall it."""

    def __init__(self, server):
        self.server = server
        self.name = f"qmon_{os.getpid()}_{next(_NUMBERS)}"
        with _connected(server.url) as connection:
            connection.execute(f"CREATE DATABASE {self.name} ENCODING 'UTF8' TEMPLATE template0")
        self.url = f"postgresql://postgres@{server.host}:{server.port}/{self.name}"
        self.dsn = self.url.replace("postgresql://", "postgresql+psycopg://")

    def ask(self, sql, *values):
        """Look at it from beside the store."""
        with _connected(self.url) as connection:
            done = connection.execute(sql, values or None)
            return done.fetchall() if done.description else []

    def cut(self):
        """Every connection to it is lost; the server stays."""
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def until(is_so, patience_s=PATIENCE_S):
    """Wait for it; that it never comes fails the test."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


@contextmanager
def _connected(url):
    # Imported here: few tests ask for it.
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def state_place(postgres):
    """An empty database on the server that all tests share, which nobody kills."""
    return StatePlace(postgres)


@pytest.fixture
def make_state_place(postgres):
    return lambda: StatePlace(postgres)


@pytest.fixture
def mortal_place(missing):
    """An empty database on a server of its own."""
    try:
        server = Postgres()
    except NotInstalledError as error:
        missing(str(error))
    yield StatePlace(server)
    server.stop()
