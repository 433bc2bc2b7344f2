"""The alerts of configurations and of rule files of Prometheus, to be tried before they run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from qmon_agent.alerting.declaring import check_alerts_of
from qmon_agent.domain.errors import ConfigError, QmonError, raise_all
from qmon_agent.settings import AlertOptions, check_settings, convert_table

PROMETHEUS = (".yml", ".yaml")
INTERVAL = "1m"
"""How often rules of Prometheus are asked whose group does not say."""


def alerts_in(files: Sequence[Path]) -> tuple[AlertOptions, ...]:
    """All of them; raises ConfigError with everything that is wrong with alerts, by file.

    What else a configuration says is not looked at, so secrets need not be there.
    """
    found: list[AlertOptions] = []
    for file in files:
        try:
            found += _prometheus(file) if file.suffix in PROMETHEUS else _configured(file)
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


def _prometheus(file: Path) -> Iterator[AlertOptions]:
    # Imported only then: nothing else here needs YAML.
    from qmon_agent.alerting.rule_files import read_rules

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError("", str(problem)) from None
    for rule in read_rules({str(file): text}, every=INTERVAL):
        if not rule.runs:
            raise ConfigError(f"alerts.{rule.name}", f"cannot be run: {rule.reason}")
        if rule.kind == "alert":
            yield convert_table(rule.table, AlertOptions, f"alerts.{rule.name}")
