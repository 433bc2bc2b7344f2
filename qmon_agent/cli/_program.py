"""Finds the command, runs it, and turns what went wrong into an exit code."""

from __future__ import annotations

import errno
import importlib
import itertools
import pkgutil
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import click

from qmon_agent.cli._place import add_place_options
from qmon_agent.cli._shown import PatientOutput, Trouble, show_troubles
from qmon_agent.domain.errors import ConfigError, QmonError, StoreError, UnknownPluginError, in_full

WELL, DEGRADED, UNREACHABLE, MISCONFIGURED = range(4)
USAGE = UNREACHABLE
_OF_THE_DISK = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_PARTED = "demo_"
"""With this, a name is that of a part of a command that is large."""


class Commands(click.Group):
    """The commands of this folder, each imported when it is called or listed."""

    @cached_property
    def _files(self) -> dict[str, str]:
        folder = Path(__file__).parent
        names = [found.name for found in pkgutil.iter_modules([str(folder)])]
        public = [name for name in names if not name.startswith("_")]
        parts = {name for name in public if name.startswith(_PARTED)}
        return {name.rstrip("_").replace("_", "-"): name for name in public if name not in parts}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(self._files)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._files:
            return None
        module = importlib.import_module(f"qmon_agent.cli.{self._files[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, asked: _say_version(context) if asked else None,
    help="Show the version and exit.",
)
@add_place_options
def program(**_: Any) -> None:
    """Take, keep and judge what instrumented programs do, and answer questions about it."""


def _say_version(context: click.Context) -> None:
    # Imported here: no other command needs it, and each pays for it.
    from importlib.metadata import PackageNotFoundError, version

    try:
        said = version("qmon")
    except PackageNotFoundError:
        said = "unknown (run from a checkout, not installed)"
    click.echo(f"qmon-agent, version {said}")
    context.exit()


def main() -> NoReturn:
    """The console script; exit codes: 0 well, 1 degraded, 2 usage or no agent, 3 configuration."""
    sys.stdout = cast("TextIO", PatientOutput(sys.stdout))
    try:
        code = program.main(prog_name="qmon-agent", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as problem:
        if _wants_json():
            show_troubles([Trouble("UsageError", problem.format_message())])
        else:
            problem.show()
        sys.exit(problem.exit_code)
    except QmonError as problem:
        _show(problem)
        sys.exit(exit_code_of(problem))
    except OSError as problem:
        if problem.errno not in _OF_THE_DISK:
            raise
        _show(StoreError(f"{problem.filename or 'the disk'}: {problem.strerror}"))
        sys.exit(USAGE)
    finally:
        sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else WELL)


def exit_code_of(problem: QmonError) -> int:
    # A plug-in that is not there was named in the configuration.
    if isinstance(problem, (ConfigError, UnknownPluginError)):
        return MISCONFIGURED
    return int(getattr(problem, "exit_code", USAGE))


def _show(problem: QmonError) -> None:
    told = [_told(one) for one in (problem, *problem.others)]
    if _wants_json():
        show_troubles(told)
    else:
        for one in told:
            click.echo(f"qmon-agent: {one.message}", err=True)


def _told(problem: QmonError) -> Trouble:
    return Trouble(
        type(problem).__name__, in_full(problem), problem.path or getattr(problem, "field", "")
    )


def _wants_json() -> bool:
    """As it was typed: what went wrong may be the reading of the options."""
    return "--json" in itertools.takewhile(lambda word: word != "--", sys.argv[1:])
