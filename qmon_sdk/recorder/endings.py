"""How a span ends when there is more to say than that it took a while."""

from __future__ import annotations

from qmon_sdk.client import failed as count_failure
from qmon_sdk.context import SCOPE

from .cells import write_row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .cells import Cell
    from .sites import Site


def status_after(error: BaseException) -> str:
    """Say how a span went that this has left: to be cancelled, closed or told to stop is no error.

    An exit with a code other than 0 says itself that something went wrong.
    """
    if isinstance(error, SystemExit):
        return "unset" if is_clean(error) else "error"
    return "error" if isinstance(error, Exception) else "unset"


def about(error: BaseException) -> dict[str, object]:
    """Say what left a span; a generator that is closed early is an end like others."""
    return {} if isinstance(error, GeneratorExit) else {"error.type": type(error).__qualname__}


def is_clean(stop: SystemExit) -> bool:
    """Say whether the program asks to end as one that went well; its code may be anything."""
    code = stop.code
    return code is None or (isinstance(code, int) and int.__eq__(code, 0) is True)


def told(  # noqa: PLR0917 - the fast path's other half: positional because it is called so
    cell: Cell, site: Site, parent: int, start: int, took: int, kept: Mapping[str, object] | None
) -> None:
    """Record a span that somebody said more about, or whose arguments are kept."""
    try:
        _record(cell, site, parent, start, took, kept, "")
    except Exception as problem:  # noqa: BLE001 - the guard: we are inside of somebody's call
        count_failure("instrument", problem)


def failed(  # noqa: PLR0913, PLR0917
    cell: Cell,
    site: Site,
    parent: int,
    start: int,
    took: int,
    kept: Mapping[str, object] | None,
    error: BaseException,
) -> None:
    """Record a span that an exception left."""
    try:
        extra = {**(kept or {}), **about(error)}
        _record(cell, site, parent, start, took, extra, status_after(error))
    except Exception as problem:  # noqa: BLE001 - the guard: we are inside of somebody's call
        count_failure("instrument", problem)


def _record(  # noqa: PLR0913, PLR0917
    cell: Cell,
    site: Site,
    parent: int,
    start: int,
    took: int,
    extra: Mapping[str, object] | None,
    status: str,
) -> None:
    span = cell.span
    if type(span) is not int:
        said = span.attributes  # type: ignore[attr-defined]
        extra = {**extra, **said} if extra else said
        status = span.status or status  # type: ignore[attr-defined]
        if span.name:  # type: ignore[attr-defined]
            site = _renamed(site, span.name)  # type: ignore[attr-defined]
    row = (
        site, SCOPE.get(), status or "unset", cell.trace_hi, cell.trace_lo,
        span, parent, start, took, extra,
    )  # fmt: skip
    write_row(cell, row)


def _renamed(site: Site, name: str) -> Site:
    from qmon_sdk.spans import site_of

    return site_of(name, site.kind)
