"""What DuckDB may use and reach: bounded memory, no files but its own, nothing changed later."""

from __future__ import annotations

from pathlib import Path

import duckdb

from .ddl import text

SPILL = "spill"
SPILL_LIMIT = "8GB"
RENAMED = ("python_enable_replacements", "python_enable_replacement_scans")
"""One setting, named differently in DuckDB 2 and 1: a query shall not see our Python variables."""


def connect(
    path: Path, *, readable: Path, memory_limit_mb: int, threads: int
) -> duckdb.DuckDBPyConnection:
    """Open a database that can reach nothing but its own files and the folder given."""
    connection = duckdb.connect(
        str(path),
        config={
            "memory_limit": f"{memory_limit_mb}MB",
            "threads": threads,
            # Insertion order costs memory in large sorts; whoever wants an order asks for one.
            "preserve_insertion_order": "false",
            "temp_directory": str(path.with_name(SPILL)),
            "max_temp_directory_size": SPILL_LIMIT,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET allowed_directories = [{text(str(readable))}]")
    connection.execute(f"SET {_replacement_setting(connection)} = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def connect_in_memory(directory: Path, *, memory_limit_mb: int) -> duckdb.DuckDBPyConnection:
    """Open an empty database beside a store, to read and write its segments with."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_limit_mb}MB",
        "threads": 1,
        "preserve_insertion_order": "false",
        "temp_directory": str(directory / f"{SPILL}-beside"),
        "max_temp_directory_size": SPILL_LIMIT,
    }
    connection = duckdb.connect(config=config)
    connection.execute("SET TimeZone = 'UTC'")
    # It would be drawn on stdout, which is a command's answer.
    connection.execute("SET enable_progress_bar = false")
    return connection


def _replacement_setting(connection: duckdb.DuckDBPyConnection) -> str:
    names = ", ".join(text(name) for name in RENAMED)
    found = connection.execute(f"SELECT name FROM duckdb_settings() WHERE name IN ({names})")  # noqa: S608
    (name,) = found.fetchall()[0]
    return str(name)
