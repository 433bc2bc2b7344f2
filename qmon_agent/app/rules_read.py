"""The alerts of configurations and of rule files of Prometheus, to be tried before they run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from qmon_agent.alerting.declaring import check_alerts_of
from qmon_agent.domain.errors import ConfigError, QmonError, raise_all
from qmon_agent.settings import AlertOptions, check_settings, convert_table

PROMETHEUS = (".yml", ".yaml")
INTERVAL = "1m"
"""How often rules of Prometheus are asked whose group does not say."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of Prometheus that cannot be run here."""

    file: str
    kind: str
    """`alert` or `record`."""
    name: str
    reason: str


def alerts_in(
    files: Sequence[Path], *, left_out: list[LeftOut] | None = None
) -> tuple[AlertOptions, ...]:
    """All of them; raises ConfigError with everything that is wrong with alerts, by file.

    What else a configuration says is not looked at, so secrets need not be there. `left_out` takes
    the rules of Prometheus that cannot be run; without it the first of them is an error.
    """
    found: list[AlertOptions] = []
    for file in files:
        try:
            is_theirs = file.suffix in PROMETHEUS
            found += _prometheus(file, left_out) if is_theirs else _configured(file)
            check_alerts_of(found)
        except QmonError as problem:
            for one in (problem, *problem.others):
                one.file = one.file or str(file)
            raise
    return tuple(found)


def _configured(file: Path) -> tuple[AlertOptions, ...]:
    settings, problems = check_settings(file)
    raise_all([one for one in problems if not one.path or one.path.startswith("alerts")])
    return settings.alerts


def _prometheus(file: Path, left_out: list[LeftOut] | None) -> Iterator[AlertOptions]:
    # Imported only then: nothing else here needs YAML.
    from qmon_agent.alerting.rule_files import read_rules

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError("", str(problem)) from None
    for rule in read_rules({str(file): text}, every=INTERVAL):
        if not rule.runs:
            if left_out is None:
                raise ConfigError(f"alerts.{rule.name}", f"cannot be run: {rule.reason}")
            left_out.append(
                LeftOut(file=str(file), kind=rule.kind, name=rule.name, reason=rule.reason)
            )
        elif rule.kind == "alert":
            yield convert_table(rule.table, AlertOptions, f"alerts.{rule.name}")
