"""What a command really starts: which program, by which Python, and whether we can get in."""

from __future__ import annotations

import os
import shutil
import sys

from qmon_sdk.detect.interpreter import is_interpreter, launch_of
from qmon_sdk.detect.reading import read
from qmon_sdk.protocol.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE, NOT_EXECUTABLE, NOT_FOUND = 2, 126, 127
"""Exit codes: ours for what is asked wrongly, the shell's for what cannot be started."""

_LINE_BYTES = 1024
_CLOSED = {
    "I": "-I isolates Python from PYTHONPATH",
    "E": "-E makes Python ignore PYTHONPATH",
    "S": "-S keeps Python from importing sitecustomize",
}


class RefusedError(Exception):
    """A command that qmon-run will not start; the message says why and what to do."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


class Target(Record):
    """What is handed to the system: the file, and the words it is called with."""

    path: str = ""
    words: tuple[str, ...] = ()
    interpreter: str = ""  # empty where only the program itself can know
    flags: str = ""


def target_of(command: Sequence[str], environ: Mapping[str, str]) -> Target:
    """Find what would be started; raises `RefusedError` if it would not, or not be watched."""
    target = _found(tuple(command), environ)
    _refuse_closed(target)
    _refuse_strangers(target)
    return target


def _found(command: tuple[str, ...], environ: Mapping[str, str]) -> Target:
    path = shutil.which(command[0], path=environ.get("PATH", os.defpath))
    if path is None:
        return _unstarted(command)
    if is_interpreter(path):
        flags = launch_of(command[1:]).flags
        return Target(path=path, words=command, interpreter=path, flags=flags)
    interpreter, flags = _shebang(path, environ)
    return Target(path=path, words=command, interpreter=interpreter, flags=flags)


def _unstarted(command: tuple[str, ...]) -> Target:
    """Run a Python file that is not executable as what it is; nothing else can be started."""
    name = command[0]
    if name.endswith(".py") and os.path.isfile(name):
        python = sys.executable
        return Target(path=python, words=(python, *command), interpreter=python)
    if os.path.exists(name) and os.sep in name:
        raise RefusedError(f"{name}: cannot be executed", NOT_EXECUTABLE)
    raise RefusedError(f"{name}: no such command", NOT_FOUND)


def _shebang(path: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Read which Python a script is for, in its first line or, where that was too long, its next.

    Installers write `#!/bin/sh` and `'''exec' "/long/path/python" "$0" "$@"` then.
    """
    first, _, second = read(path, _LINE_BYTES).decode("utf-8", "replace").partition("\n")
    words = first.removeprefix("#!").split() if first.startswith("#!") else []
    if words and second.startswith("'''exec' "):
        words = [second.split(" ", 1)[1].partition(" ")[0].strip("\"'")]
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S" and "=" not in word]
        words[:1] = [shutil.which(word, path=environ.get("PATH")) or word for word in words[:1]]
    if not words or not is_interpreter(words[0]):
        return "", ""
    return words[0], launch_of(words[1:]).flags


def _refuse_closed(target: Target) -> None:
    closed = next((_CLOSED[flag] for flag in target.flags if flag in _CLOSED), "")
    if closed:
        raise RefusedError(
            f"{closed}, which is how qmon-run gets in. Leave the option out, "
            "or call qmon_sdk.init() in the program and start it without qmon-run."
        )


def _refuse_strangers(target: Target) -> None:
    if not target.interpreter or is_ours(target.interpreter):
        return
    own = [sys.executable, *target.words[1:]]
    if target.path != target.interpreter:
        own = [
            os.path.join(os.path.dirname(sys.executable), os.path.basename(target.path)),
            *own[1:],
        ]
    raise RefusedError(
        f"{target.words[0]} is run by {target.interpreter}, "
        f"and qmon is installed in {sys.prefix}, another environment.\n"
        "Install qmon where the program is and use the qmon-run of that environment, "
        f"or start the program by this one:\n  qmon-run -- {' '.join(own)}"
    )


def is_ours(interpreter: str) -> bool:
    """Say whether a Python is of the environment we are in; of a shim, nobody can say."""
    if read(interpreter, 2) == b"#!":
        return True  # the program's process looks again
    environment = _environment_of(interpreter)
    if environment:
        return os.path.realpath(environment) == os.path.realpath(sys.prefix)
    if sys.prefix != sys.base_prefix:
        return False
    return os.path.realpath(interpreter) == os.path.realpath(sys.executable)


def _environment_of(interpreter: str) -> str:
    """Find the virtual environment of a Python, as Python itself does; empty if it has none."""
    beside = os.path.dirname(os.path.abspath(interpreter))
    for place in (beside, os.path.dirname(beside)):
        if os.path.isfile(os.path.join(place, "pyvenv.cfg")):
            return place
    return ""
