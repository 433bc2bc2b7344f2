"""Looks at a state from beside, whoever owns it, and changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from . import schema
from .homes import home_of
from .owning import owner_in
from .sqlite import BUSY_TIMEOUT_MS, SqliteHome


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: where it is, of which schema, whose, and what is wrong with it."""

    name: str
    revision: str = ""
    """Empty for one that is not there yet."""
    owner: str = ""
    trouble: str = ""


def is_there(dsn: str, password: str = "") -> bool:
    """Whether there is a state; one that cannot be reached may be there."""
    found = examine(dsn, password)
    return bool(found.revision or found.trouble)


def examine(dsn: str, password: str = "", *, thoroughly: bool = False) -> Examined:
    """Look at a state; `thoroughly` reads all of a file of SQLite. Raises ConfigError."""
    home = home_of(dsn, password)
    if isinstance(home, SqliteHome):
        if not home.path.exists():
            return Examined(name=home.name)
        if trouble := _damage(home.path, thoroughly=thoroughly):
            return Examined(name=home.name, trouble=trouble)
    engine = home.engine()
    try:
        with engine.connect() as connection:
            owner = owner_in(connection)
            return Examined(
                name=home.name,
                revision=schema.revision_of(connection) or "",
                owner=str(owner or ""),
            )
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        return Examined(name=home.name, trouble=reason)
    finally:
        engine.dispose()


def _damage(path: Path, *, thoroughly: bool) -> str:
    """What SQLite says of the file, where it is not well."""
    asked = ["PRAGMA integrity_check(5)", "PRAGMA foreign_key_check"] if thoroughly else []
    try:
        with closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_MS / 1_000)
        ) as connection:
            rows = [row for each in asked for row in connection.execute(each)]
    except sqlite3.Error as error:
        return str(error)
    return "; ".join(str(row[0]) for row in rows if row != ("ok",))
