"""What a query may be: one statement that reads our tables, and nothing that reaches further.

The server parses the statement and shows its tree (`EXPLAIN AST`, which runs nothing); every node
must be of a kind that is known here, tables must be ours, table functions must only compute. The
server's own lock, `readonly = 1`, stands behind this: it lets nobody write, or change a setting.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec

from qmon_agent.domain.errors import QueryError, hint, nearest_to

COMMENT = re.compile(r"\s*(--[^\n]*(\n|$)|#[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)
EXPLAIN = re.compile(r"\s*EXPLAIN(\s+(PLAN|PIPELINE|SYNTAX|ESTIMATE))?\s+", re.IGNORECASE)
DESCRIBE = re.compile(r"\s*(DESCRIBE|DESC)\s+(TABLE\s+)?(\w+)\s*;?\s*", re.IGNORECASE)
SHOW = re.compile(r"\s*SHOW\s+TABLES\s*;?\s*", re.IGNORECASE)
WITHIN = re.compile(r"[`\"]?(\w+)[`\"]?\s+AS\s*\(", re.IGNORECASE)
LINE = re.compile(r"(?P<depth> *)(?P<kind>[A-Za-z]+)(?P<rest>.*?)( \(children (?P<count>\d+)\))?")
ALIAS = re.compile(r" \(alias .*\)$", re.DOTALL)

NODES = frozenset(
    (
        "ArrayJoin", "Asterisk", "ColumnsExceptTransformer",
        "ColumnsListMatcher", "ColumnsRegexpMatcher", "ColumnsReplaceTransformer",
        "ColumnsTransformerList",
        "ExpressionList", "Function", "Identifier", "InterpolateElement", "Literal",
        "OrderByElement", "QualifiedAsterisk", "QualifiedColumnsListMatcher",
        "QualifiedColumnsRegexpMatcher", "SampleRatio", "SelectIntersectExceptQuery",
        "SelectQuery", "SelectWithUnionQuery", "Subquery", "TableExpression",
        "TableIdentifier", "TableJoin", "TablesInSelectQuery", "TablesInSelectQueryElement",
        "WindowDefinition", "WindowListElement", "WithElement",
    )
)  # fmt: skip
"""Kinds of nodes that only read."""
TABLE_FUNCTIONS = frozenset(
    ("generate_series", "generateseries", "numbers", "numbers_mt", "values", "zeros")
)
"""Table functions that only compute; every other may read files, networks or other databases."""
REFUSED_FUNCTIONS = frozenset(
    (
        "catboostevaluate", "file", "getclienthttpheader", "getmacro", "getserverport",
        "getserversetting", "getsetting", "getsettingordefault", "hascolumnintable",
        "hasuserdefinedfunction", "showcertificate", "sleep", "sleepeachrow", "serveruuid",
    )
)  # fmt: skip
REFUSED_BEGINNINGS = ("ai", "address", "demangle", "dict", "evalml", "filesystem", "joinget")
LOOKS_INTO = frozenset(
    f"{which}{negated}in{missing}"
    for which in ("", "global")
    for negated in ("", "not")
    for missing in ("", "ignoreset")
) | frozenset(f"{which}{negated}nullin" for which in ("", "global") for negated in ("", "not"))
"""Operators whose right side may be a table."""
OUR_FORMAT = ("Identifier", "Native")
"""What the client adds to every query."""
TABLES_OF = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN ({})"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the tree."""

    kind: str
    rest: str
    """Its name or value."""
    under: str
    """The kind of what it stands under."""
    of: str
    """The name of the function whose second argument it is."""


class _Open:
    """A node whose children are being read."""

    def __init__(self, node: Node, count: int) -> None:
        self.node = node
        self.to_come = count
        self.seen = 0


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that may run, the names of tables in it, and whether it is no SELECT."""

    sql: str
    tables: frozenset[str]
    is_about: bool = False


def shaped(sql: str, tables: Collection[str]) -> Checked | str:
    """A statement about tables, ready to run; or the SELECT whose tree is to be looked at."""
    bare = sql
    while found := COMMENT.match(bare):
        bare = bare[found.end() :]
    if SHOW.fullmatch(bare):
        names = ", ".join(f"'{name}'" for name in sorted(tables))
        return Checked(sql=TABLES_OF.format(names), tables=frozenset())
    if about := DESCRIBE.fullmatch(bare):
        name = about[3]
        if name not in tables:
            raise QueryError(f"no table {name!r}{hint(nearest_to(name, tables))}")
        return Checked(sql=f"DESCRIBE TABLE `{name}`", tables=frozenset((name,)), is_about=True)
    return bare


def checked(sql: str, bare: str, tree: str, *, tables: Collection[str]) -> Checked:
    """Pass a statement that only reads `tables`, or raise QueryError that says why not."""
    nodes = list(_nodes(tree))
    if not nodes or nodes[0].kind != "SelectWithUnionQuery":
        raise QueryError("only SELECT, WITH, EXPLAIN, DESCRIBE or SHOW TABLES: a query reads")
    within = set(WITHIN.findall(bare))
    named = set()
    for node in nodes:
        _check_kind(node)
        _check_function(node)
        if node.kind == "TableIdentifier" or (node.kind == "Identifier" and node.of in LOOKS_INTO):
            named.add(node.rest)
    for name in sorted(named - within):
        if name not in tables:
            raise QueryError(f"no table {name!r}{hint(nearest_to(name, tables))}")
    return Checked(
        sql=sql, tables=frozenset(named & set(tables)), is_about=bool(EXPLAIN.match(sql))
    )


def _nodes(tree: str) -> Iterator[Node]:
    """The tree's lines; QueryError unless it is exactly as deep and wide as it says it is."""
    path: list[_Open] = []
    for line in tree.splitlines():
        found = LINE.fullmatch(line)
        while path and not path[-1].to_come:
            path.pop()
        if found is None or len(found["depth"]) != len(path):
            raise QueryError("the query's tree cannot be read: is a line break in a name?")
        node = Node(
            kind=found["kind"],
            rest=ALIAS.sub("", found["rest"]).strip(),
            under=path[-1].node.kind if path else "",
            of=_second_of(path),
        )
        if path:
            path[-1].to_come -= 1
            path[-1].seen += 1
        path.append(_Open(node, int(found["count"] or 0)))
        yield node


def _second_of(path: list[_Open]) -> str:
    """The function whose arguments are being read, if the next is the second one."""
    if len(path) < 2 or path[-1].node.kind != "ExpressionList" or path[-1].seen != 1:  # noqa: PLR2004 - the list and whose it is
        return ""
    owner = path[-2].node
    return owner.rest.casefold() if owner.kind == "Function" else ""


def _check_kind(node: Node) -> None:
    if node.kind == "Set":
        raise QueryError("SETTINGS are not allowed")
    if node.under == "SelectWithUnionQuery" and node.kind != "ExpressionList":
        if (node.kind, node.rest) != OUR_FORMAT:
            raise QueryError("INTO OUTFILE and FORMAT are not allowed")
    elif node.kind not in NODES:
        raise QueryError(f"{node.kind} is not allowed in a query")


def _check_function(node: Node) -> None:
    if node.kind != "Function":
        return
    name = node.rest.split(" ")[0].casefold()
    if node.under == "TableExpression":
        if name not in TABLE_FUNCTIONS:
            allowed = ", ".join(sorted(TABLE_FUNCTIONS))
            raise QueryError(f"{name}() is not allowed as a table; these are: {allowed}")
    elif name in REFUSED_FUNCTIONS or name.startswith(REFUSED_BEGINNINGS):
        raise QueryError(f"{name}() is not allowed")
