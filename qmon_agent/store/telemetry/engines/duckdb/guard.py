"""What a query may be: one statement that reads the tables, and nothing that reaches further.

The statement is parsed by the engine itself, and its tree is walked: tables must be ours, table
functions must be on the list. The engine's own locks (no files, no settings, a read-only
transaction) stand behind this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb
import msgspec

from qmon_agent.domain.errors import QueryError, hint, nearest_to

READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE|\s*\([^)]*\))?\s+", re.IGNORECASE)
COMMENT = re.compile(r"\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)

TABLE_FUNCTIONS = frozenset(
    ("generate_series", "json_each", "json_tree", "range", "repeat", "unnest")
)
"""Table functions that only compute; every other may read files, memory or settings."""
READING_NODES = frozenset(("CTE_NODE", "RECURSIVE_CTE_NODE", "SELECT_NODE", "SET_OPERATION_NODE"))
"""Whole queries, as they stand in a statement or in a WITH of it; any other node there writes."""
LISTING = "tables"
OF_THE_ENGINE = ("duckdb_", "pg_", "pragma_", "sqlite_")
"""Names of the engine's own views: a CTE of that name could hide a look at them."""
_SCHEMA = "information_schema."
_INSTEAD = "; SHOW TABLES lists the tables, and DESCRIBE the columns of one"
INTERNAL = "__internal"
REFUSED_FUNCTIONS = frozenset(
    (
        "add_parquet_key",
        "currval",
        "current_setting",
        "get_block_size",
        "getenv",
        "getvariable",
        "json_serialize_plan",
        "nextval",
        "parse_duckdb_log_message",
        "pg_get_constraintdef",
        "pg_get_viewdef",
        "pg_sleep",
        "setseed",
        "setval",
        "sleep_ms",
        "write_log",
    )
)


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that may run, and the tables it needs; None: it looks at all of them."""

    sql: str
    tables: frozenset[str] | None


def checked(connection: duckdb.DuckDBPyConnection, sql: str, *, tables: Collection[str]) -> Checked:
    """Pass a statement that only reads `tables`, or raise QueryError that says why not."""
    _one_reading_statement(connection, sql)
    tree = _tree(connection, EXPLAIN.sub("", _uncommented(sql), count=1))
    nodes = list(_walk(tree))
    ours = {name.casefold(): name for name in tables}
    named = {_name(node) for node in nodes if node.get("type") == "BASE_TABLE"}
    within = {entry["key"].casefold() for node in nodes for entry in _ctes(node)}
    for name in sorted(within):
        if name.startswith(OF_THE_ENGINE):
            raise QueryError(f"{name!r} cannot be the name of a WITH")
    for name in sorted(named - within):
        if name not in ours:
            said = _INSTEAD if name.startswith(_SCHEMA) else hint(nearest_to(name, tables))
            raise QueryError(f"no table {name!r}{said}")
    for node in nodes:
        _check_node(node)
        _check_function(node)
    shown = {_shown(node) for node in nodes if node.get("type") == "SHOW_REF"} - {""}
    for name in sorted(shown - {LISTING, *ours}):
        raise QueryError(f"{name!r} cannot be shown{_INSTEAD}")
    if shown:
        return Checked(sql=sql, tables=None)
    return Checked(sql=sql, tables=frozenset(ours[name] for name in named if name in ours))


def _one_reading_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    if len(statements) != 1:
        raise QueryError(f"one statement at a time, not {len(statements)}")
    if statements[0].type not in READING:
        raise QueryError(
            f"{statements[0].type.name} is not allowed: a query reads, by SELECT, WITH, EXPLAIN, "
            "DESCRIBE or SHOW"
        )


def _uncommented(sql: str) -> str:
    while found := COMMENT.match(sql):
        sql = sql[found.end() :]
    return sql


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    found = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree = json.loads(found[0][0])
    if tree["error"]:
        raise QueryError(f"only a SELECT can be explained or run: {tree.get('error_message', '')}")
    return tree["statements"]


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree; iterative, as a query may be nested deeper than our stack."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _name(node: dict[str, Any]) -> str:
    """A table's name; one in another schema or catalog is named in full, and so is never ours."""
    parts = (node.get("catalog_name"), node.get("schema_name"), node.get("table_name"))
    parts = node.get("qualified_name", {}).get("path", parts)
    return ".".join(part for part in parts if part).casefold()


def _shown(node: dict[str, Any]) -> str:
    """What SHOW is to show; nothing where it is a query, which is looked at by itself."""
    if node.get("query"):
        return ""
    return _name(node).replace('"', "") or "this"


def _check_node(node: dict[str, Any]) -> None:
    kind = str(node.get("type", ""))
    if kind.endswith("_NODE") and kind not in READING_NODES:
        said = kind.removesuffix("_NODE").removesuffix("_QUERY")
        raise QueryError(f"{said} is not allowed, in a WITH neither: a query reads")


def _ctes(node: dict[str, Any]) -> list[dict[str, Any]]:
    found = node.get("cte_map")
    return found.get("map", []) if isinstance(found, dict) else []


def _check_function(node: dict[str, Any]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        name = str(node.get("function", {}).get("function_name", "")).casefold()
        if name not in TABLE_FUNCTIONS:
            allowed = ", ".join(sorted(TABLE_FUNCTIONS))
            raise QueryError(f"{name}() is not allowed as a table; these are: {allowed}")
    elif node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).casefold()
        if name in REFUSED_FUNCTIONS or name.startswith(INTERNAL):
            raise QueryError(f"{name}() is not allowed")
