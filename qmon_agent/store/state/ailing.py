"""Whether a disk, and not a database, is in trouble, which may be over in a moment."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

_UNREAD = re.compile(r"error code=(\d+)")
_PASSING = frozenset(
    {
        errno.EIO,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ETIMEDOUT,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    }
)
_PRIMARY = 0xFF


def may_pass(error: BaseException | None, path: Path | None = None) -> bool:
    """Whether the same may be tried again; `path`: the file of SQLite that was to be opened."""
    if isinstance(error, SQLAlchemyError):
        return may_pass(getattr(error, "orig", None), path)
    if isinstance(error, OSError):
        return error.errno in _PASSING
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY} and path is not None:
        return _opens(path)
    return code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}


def is_readonly(error: SQLAlchemyError) -> bool:
    """Whether SQLite may not write, which it takes for so where a file did not open to be written.

    The connection never writes again then, another one may.
    """
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & _PRIMARY == sqlite3.SQLITE_READONLY


def is_unread(said: str) -> bool:
    """Whether SQLite, checking a file, did not read a page: it says so as of any damage."""
    return any(int(code) & _PRIMARY == sqlite3.SQLITE_IOERR for code in _UNREAD.findall(said))


def _opens(path: Path) -> bool:
    """Whether it can be by now, or may be in a moment: SQLite does not say why it could not."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        return error.errno in _PASSING
    return True
