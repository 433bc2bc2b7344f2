"""What an exception is made of, read past whatever its class makes of these names, and bounded."""

from __future__ import annotations

import os

from .accelerator import speedups
from .rendering import CUT, cut, encodable, label, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType
    from typing import Any

MAX_CHAIN = 10
MAX_MEMBERS = 10  # of one group
MAX_NOTES = 10
MAX_NOTE = 1000
HEAD, TAIL = 20, 40  # frames kept of a deep stack

_cause_of = BaseException.__dict__["__cause__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__
_suppresses = BaseException.__dict__["__suppress_context__"].__get__
_args_of = BaseException.__dict__["args"].__get__
_members_of = BaseExceptionGroup.__dict__["exceptions"].__get__
traceback_of = BaseException.__dict__["__traceback__"].__get__
fields_of = BaseException.__dict__["__dict__"].__get__

_OURS = (os.path.dirname(__file__) + os.sep, "<qmon")
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_SPELT = frozenset({bool, list, tuple, dict, set, frozenset, bytes, bytearray})


def chain_of(error: BaseException) -> list[tuple[str, BaseException]]:
    """List the exception and what led to it, each with its relation to the one before."""
    chain: list[tuple[str, BaseException]] = []
    met: set[int] = set()
    relation = ""
    link: BaseException | None = error
    while link is not None and len(chain) < MAX_CHAIN and id(link) not in met:
        chain.append((relation, link))
        met.add(id(link))
        relation, link = _before(link)
    return chain


def _before(error: BaseException) -> tuple[str, BaseException | None]:
    cause = _cause_of(error)
    if cause is not None:
        return "cause", cause
    return "context", None if _suppresses(error) else _context_of(error)


def members_of(error: BaseException) -> tuple[BaseException, ...]:
    """List what a group holds, as far as it is kept; nothing for other exceptions."""
    if not isinstance(error, BaseExceptionGroup):
        return ()
    return _members_of(error)[:MAX_MEMBERS]  # type: ignore[no-any-return]


def trace_of(error: BaseException) -> tuple[list[TracebackType], int]:
    """List the entries of the traceback without ours, outermost first, and count the left out."""
    entries = [entry for entry in _entries(error) if not _is_ours(entry.tb_frame.f_code)]
    omitted = len(entries) - HEAD - TAIL
    if omitted <= 0:
        return entries, 0
    return [*entries[:HEAD], *entries[-TAIL:]], omitted


def _entries(error: BaseException) -> Iterator[TracebackType]:
    entry = traceback_of(error)
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_OURS)


def is_in_app(filename: str) -> bool:
    """Say whether a file is the application's: no library's, not the interpreter's."""
    if filename.startswith("<"):
        return filename.startswith(("<ipython", "<stdin", "<string"))
    if any(folder in filename for folder in _PACKAGES):
        return False
    return not filename.startswith(_LIBRARY)


def message_of(error: BaseException, limit: int) -> str:
    """Write what the exception says; the parts of built-in containers are not asked in full."""
    try:
        args = _args_of(error)
        if type(error).__str__ is BaseException.__str__:
            return _said_by(args, limit)
        return cut(encodable(str(error)[: limit + 1]), limit)
    except Exception:  # noqa: BLE001 - the class's own code
        return "<no text: its __str__ failed>"


def _said_by(args: tuple[Any, ...], limit: int) -> str:
    """Write what `BaseException.__str__` would, without asking the objects inside."""
    if len(args) != 1:
        return render(args, limit) if args else ""
    only = args[0]
    if only is None or type(only) in _SPELT:
        return render(only, limit)
    return label(only, limit)


def notes_of(error: BaseException) -> list[str]:
    """List what was added by `add_note`."""
    notes = fields_of(error).get("__notes__")
    if type(notes) is not list:
        return []
    kept = [
        cut(encodable(note[: MAX_NOTE + 1]), MAX_NOTE)
        for note in notes[:MAX_NOTES]
        if type(note) is str
    ]
    return [*kept, CUT] if len(notes) > MAX_NOTES else kept


def key_of(error: BaseException) -> tuple[Any, ...]:
    """Name the path an exception took, quickly: the types and the addresses of the instructions.

    Bytecode lies inside its code object, so that an address belongs to one instruction for as long
    as the code lives: whoever keeps the key keeps `codes_of` as well.
    """
    quick = None if speedups is None else speedups.path_key(error)
    return _key_of(error) if quick is None else quick


def _key_of(error: BaseException) -> tuple[Any, ...]:
    alone = _cause_of(error) is None and _context_of(error) is None
    chain = (("", error),) if alone else chain_of(error)
    key: list[Any] = []
    for relation, link in chain:
        key += (relation, type(link))
        if isinstance(link, BaseExceptionGroup):
            key += map(type, members_of(link))
        entry = traceback_of(link)
        while entry is not None:
            key.append(id(entry.tb_frame.f_code) + entry.tb_lasti)
            entry = entry.tb_next
    return tuple(key)


def codes_of(error: BaseException) -> list[CodeType]:
    """List the code objects behind `key_of`."""
    return [entry.tb_frame.f_code for _, link in chain_of(error) for entry in _entries(link)]
