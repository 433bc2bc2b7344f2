"""`qmon-agent check-config`: is the configuration right, and where does each value come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from qmon_agent.app.trying import run_tests
from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import show_json
from qmon_agent.cli._tried import tried_json, tried_lines

MISCONFIGURED = 3


@click.command
@click.option("--show-origin", is_flag=True, help="Every value in force, and who gave it.")
@click.option("--test", is_flag=True, help="Run its `[[tests]]` through its processors, too.")
@click.option(
    "--tests",
    "more",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Run those of this file, too; may be said more than once.",
)
@click.option("--strict", is_flag=True, help="Exit code 3 where there are warnings, too.")
@click.option(
    "--explain",
    metavar="SECTION",
    help="Tell the options there are: `sinks.webhook`, or a list as `sinks`; checks nothing.",
)
@with_place
def command(
    *, strict: bool, more: tuple[Path, ...], explain: str | None, place: Place, **wanted: bool
) -> int:
    """Check the configuration without starting anything; exit code 3 names what is wrong.

    Exit code 1: a test of it fails. What is likely not meant is a warning on standard error.
    """
    if explain:
        return _explain(explain, place)
    return _check(place, more=more, strict=strict, **wanted)


def _explain(path: str, place: Place) -> int:
    # Imported only then: it knows every plug-in.
    from qmon_agent.app.explaining import explain
    from qmon_agent.cli._explained import explained_lines

    told = explain(path)
    if place.json:
        show_json({"version": 1, **msgspec.to_builtins(told)})
        return 0
    for line in explained_lines(told):
        click.echo(line)
    return 0


def _check(
    place: Place, *, show_origin: bool, test: bool, more: tuple[Path, ...], strict: bool
) -> int:
    # Building the plug-ins is the check of their sections.
    from qmon_agent.app.checking import load_plugins
    from qmon_agent.app.origins import options_in_force
    from qmon_agent.app.routes import doubts
    from qmon_agent.app.statements import wrong_statements
    from qmon_agent.store.telemetry import missing_packages

    settings, plugins = load_plugins(
        place.locations.config,
        also=lambda all_: [
            *missing_packages(all_.store.telemetry),
            *wrong_statements(all_),
        ],
    )
    outcomes = run_tests(settings, more) if test or more else []
    failed = not all(outcome.passed for outcome in outcomes)
    file = str(place.locations.config or "")
    doubtful = [*doubts(settings)]
    options = options_in_force(place.locations, settings, plugins) if show_origin else []
    if place.json:
        shown: dict[str, Any] = {"values": msgspec.to_builtins(options)} if show_origin else {}
        shown |= {"tests": tried_json(outcomes)} if test or more else {}
        shown |= {"warnings": doubtful} if doubtful else {}
        show_json({"version": 1, "ok": not failed, "file": file, **shown})
        return _exit_code(doubtful, failed=failed, strict=strict)
    for doubt in doubtful:
        click.echo(f"qmon-agent: warning: {file}: {doubt}", err=True)
    click.echo(f"ok: {file or 'no file, the defaults are in force'}")
    for option in options:
        click.echo(f"{option.path} = {option.value!r}  ({option.origin})")
    for line in tried_lines(outcomes) if test or more else ():
        click.echo(line)
    return _exit_code(doubtful, failed=failed, strict=strict)


def _exit_code(doubtful: list[str], *, failed: bool, strict: bool) -> int:
    return MISCONFIGURED if doubtful and strict else int(failed)
