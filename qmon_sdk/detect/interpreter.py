"""The options of `python` itself, told apart from the program's."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPT, MODULE, CODE, NOTHING = "script", "module", "code", ""

_TAKE_A_VALUE = frozenset("WX")
_LONG_WITH_VALUE = "--check-hash-based-pycs"
_NAMES = ("python", "pypy")


class Launch:
    """How an interpreter was started: its flags, and what it runs with which arguments."""

    # Not a `Record`, here and in this whole room: to define one costs as much as to find all.
    __slots__ = ("arguments", "flags", "kind", "target")

    def __init__(
        self, flags: str, *, kind: str = NOTHING, target: str = "", rest: Sequence[str] = ()
    ) -> None:
        self.flags = flags  # every short option that stands alone, as letters
        self.kind = kind
        self.target = target
        self.arguments = tuple(rest)


def is_interpreter(path: str) -> bool:
    """Say whether a command is a Python by its name: `python`, `python3.13`, `pypy3`."""
    name = os.path.basename(path).removesuffix(".exe")
    return any(
        name.startswith(known) and not name[len(known) :].strip("0123456789.tdw")
        for known in _NAMES
    )


def launch_of(arguments: Sequence[str]) -> Launch:
    """Read what follows `python`: where its own options end, the program begins."""
    flags, rest = "", list(arguments)
    while rest:
        word = rest.pop(0)
        if word == _LONG_WITH_VALUE:
            del rest[:1]
        elif word.startswith("--"):
            continue
        elif word == "-" or not word.startswith("-"):
            return Launch(flags, kind=SCRIPT, target=word, rest=rest)
        else:
            letters, kind, value = _short(word[1:])
            flags += letters
            if kind:
                target = value or (rest.pop(0) if rest else "")
                return Launch(flags, kind=kind, target=target, rest=rest)
            if letters[-1:] in _TAKE_A_VALUE and not value:
                del rest[:1]
    return Launch(flags)


def _short(letters: str) -> tuple[str, str, str]:
    """Read `-IEm` or `-Wdefault`: the flags, whether a program follows, and what is glued on."""
    for place, letter in enumerate(letters):
        if letter in "mc":
            return letters[:place], MODULE if letter == "m" else CODE, letters[place + 1 :]
        if letter in _TAKE_A_VALUE:
            return letters[: place + 1], NOTHING, letters[place + 1 :]
    return letters, NOTHING, ""
