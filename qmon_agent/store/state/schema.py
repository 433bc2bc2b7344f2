"""Brings a state database to the schema of this version, with a copy kept of what was before."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from qmon_agent.domain.errors import StoreError

from . import sqlite
from .homes import Home
from .postgresql import refuse_other_encodings
from .tables import METADATA

HEAD = "0008"
MIGRATIONS = Path(__file__).with_name("migrations")


def bring_up(home: Home, engine: Engine, now: int) -> str:
    """Create or migrate the tables; the answer is the backup made before a migration."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            refuse_other_encodings(connection)
        revision = revision_of(connection)
    if revision == HEAD:
        return ""
    if revision is None and _is_empty(engine):
        _create(engine)
        return ""
    return _migrate(home, engine, now)


def revision_of(connection: Connection) -> str | None:
    """The revision written in the database, or none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found is not None else None


def _is_empty(engine: Engine) -> bool:
    return not inspect(engine).get_table_names()


def _create(engine: Engine) -> None:
    # Not by alembic: a new agent would carry 8 MB of it for ever. A test keeps the two ways equal.
    with engine.execution_options(**{sqlite.WRITES: True}).begin() as connection:
        METADATA.create_all(connection)
        connection.execute(
            text(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _migrate(home: Home, engine: Engine, now: int) -> str:
    copy = home.backup(engine, f"before-{HEAD}-{now}")
    try:
        upgrade(engine)
    except SQLAlchemyError as error:
        raise StoreError(f"the state database cannot be migrated: {error}; copy: {copy}") from error
    return copy


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations; imports alembic."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.execution_options(**{sqlite.WRITES: True}).begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise StoreError(
                f"the state database is of another version of qmon: {error}"
            ) from error
