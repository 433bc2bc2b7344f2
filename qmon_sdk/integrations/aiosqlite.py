"""aiosqlite: its statements run in a thread, which learns here whose work they are.

The spans are those of `sqlite3`, which is watched along.
"""

from __future__ import annotations

from contextvars import copy_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._watch import Function, Watch


class AiosqliteIntegration:
    """Takes the caller's context to the thread of the connection."""

    needs = ("sqlite3",)

    def install(self, watch: Watch) -> None:
        """Stand where work is handed over."""
        from aiosqlite import Connection

        watch.wrap(Connection, "_execute", _with_context)
        watch.wrap(Connection, "_connect", _connecting)


def _with_context(execute: Function) -> Function:
    async def execute_in_context(self: Any, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return await execute(self, copy_context().run, fn, *args, **kwargs)

    return execute_in_context


def _connecting(connect: Function) -> Function:
    async def connect_in_context(self: Any) -> Any:
        connector, context = self._connector, copy_context()
        self._connector = lambda: context.run(connector)
        return await connect(self)

    return connect_in_context
