"""The command line of `qmon-run`, and the one thing it does: to become the program."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from qmon_sdk.settings import settle

from . import words
from .target import NOT_EXECUTABLE, RefusedError, target_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qmon_sdk.settings import Settings

_INJECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "injected")
_TOLD = {
    "service": "QMON_SERVICE",
    "release": "QMON_RELEASE",
    "environment": "QMON_ENVIRONMENT",
    "dsn": "QMON_DSN",
    "socket": "QMON_SOCKET",
}
_GUESSED = ("service", "release", "environment")
_EPILOG = """\
examples:
  qmon-run -- python app.py
  qmon-run --service shop -- gunicorn shop:app
  qmon-run -- celery -A shop worker
  qmon-run --check -- python manage.py runserver

What is not told is found out: the service from the command, the release from .git or from the
platform's variables. The program takes the place of qmon-run: same process, same exit code.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the command, watched; returns only if that is not possible, with the exit code."""
    options = _parser().parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    try:
        environ = environment_for(options, command)
        if options.check:
            from .check import check

            return check(command, environ, as_json=options.json)
        if not command:
            raise RefusedError("no command; for example: qmon-run -- python app.py")
        target = target_of(command, environ)
        become(target.path, target.words, environ)
    except RefusedError as refusal:
        sys.stderr.write(f"qmon-run: {refusal}\n")
        return refusal.code
    except OSError as error:
        sys.stderr.write(f"qmon-run: {command[0]}: {error.strerror}\n")
        return NOT_EXECUTABLE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qmon-run",
        description="Start a Python program watched by qmon, without changing it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--service", metavar="NAME", help="name of the service (default: found by the command)")
    add("--release", metavar="WORD", help="what is deployed (default: the commit in .git)")
    add("--environment", metavar="NAME", help="where it is deployed (default: production)")
    add("--socket", metavar="PATH", help="the agent's socket, if not at the usual place")
    add("--dsn", metavar="URL", help="another way to the agent: tcp://, tls://, https://TOKEN@HOST")
    add(
        "--instrument",
        metavar="MODULE,...",
        action="append",
        default=[],
        help="record the public functions of these modules as spans",
    )
    add("--no-children", action="store_true", help="leave Python programs it starts alone")
    add("--check", action="store_true", help="start nothing: say what was found, try the agent")
    add("--json", action="store_true", help="with --check: as one JSON document")
    add("command", nargs=argparse.REMAINDER, metavar="-- command", help="what to start")
    return parser


def environment_for(options: argparse.Namespace, command: Sequence[str]) -> dict[str, str]:
    """Write down what the program and its children have to know."""
    told = {name: value for name in _TOLD if (value := getattr(options, name))}
    os.environ.update({_TOLD[name]: value for name, value in told.items()})
    settings = settings_for(command)
    environ = dict(os.environ)
    environ |= {_TOLD[name]: value for name in _GUESSED if (value := getattr(settings, name))}
    environ |= {words.PREFIX: os.path.realpath(sys.prefix), words.PID: str(os.getpid())}
    environ[words.ALONE] = "1" if options.no_children else "0"
    environ[words.INSTRUMENT] = ",".join(options.instrument)
    before = environ.get("PYTHONPATH", "").removeprefix(_INJECTED).removeprefix(os.pathsep)
    # An empty part would be the directory one is in: no separator without something after it.
    environ["PYTHONPATH"] = os.pathsep.join([_INJECTED, before]) if before else _INJECTED
    return environ


def settings_for(command: Sequence[str]) -> Settings:
    """Settle what the program will find settled; raises `RefusedError` for what cannot be."""
    settings, problems = settle({"dsn": os.environ.get("QMON_DSN") or None}, command=command)
    for problem in problems:
        raise RefusedError(problem)
    return settings


def become(path: str, called: Sequence[str], environ: dict[str, str]) -> None:
    """Put the program in this process's place."""
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these, and what is ignored is inherited
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    sys.stdout.flush()
    os.execve(path, list(called), environ)  # noqa: S606 - to start what we are told is our work
