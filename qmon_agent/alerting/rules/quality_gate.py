"""A scan whose numbers are not good enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import msgspec

from qmon_agent.alerting.observed import Observed
from qmon_agent.domain.errors import ConfigError, InvalidThresholdError
from qmon_agent.domain.gates import Gate, failing, measured, missing
from qmon_agent.domain.thresholds import Threshold, parse_threshold

from . import About, Fact, Judgement
from ._lines import unknown
from ._scans import is_of, scan_labels, short
from ._series import name_of

_Told = dict[tuple[int, str], dict[str, float]]
"""Time and commit of a scan → what it has measured."""


class QualityGateRule(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Breached while a measure of the newest scan is beyond its line; each scan is an instance."""

    conditions: dict[str, str | float]
    """Measure → the line at which the gate fails, as `{ coverage = "< 80" }`."""
    system: str = ""
    """Only scans of this service; empty means all."""
    scan: str = "*"
    """Only scans of this name; `*` and `?` stand for anything."""
    branches: tuple[str, ...] = ()
    """Only scans of branches like these; empty means each branch by itself."""
    _lines: dict[str, Threshold] = {}

    def __post_init__(self) -> None:
        if not self.conditions:
            raise ConfigError("conditions", 'names no measure, as in `{ coverage = "< 80" }`')
        self._lines = {name: _line(name, text) for name, text in self.conditions.items()}

    def about(self) -> About:
        return About(signals=("snapshots",))

    def notice(self, batch: Observed) -> Iterator[Fact]:
        if self.system not in {"", batch.service}:
            return
        found: dict[str, tuple[dict[str, str], _Told]] = {}
        for one in batch.snapshots:
            if is_of(one, self.scan, self.branches):
                labels = scan_labels(batch.service, one)
                _, scans = found.setdefault(name_of(labels), (labels, {}))
                # A scan that has measured nothing of interest is the newest one, too.
                values = scans.setdefault((one.time, one.commit), {})
                if one.measure in self._lines and isfinite(one.value):
                    values[one.measure] = one.value
        for name, (labels, scans) in found.items():
            told = [Gate(at=at, commit=of, values=scans[at, of]) for at, of in sorted(scans)]
            yield Fact(
                instance=name,
                labels=labels,
                event_time=told[-1].at,
                detail={"scans": msgspec.to_builtins(told)},
            )

    def judge(self, memory: Mapping[str, Any], fact: Fact | None, now: int) -> Judgement:  # noqa: ARG002 - of the protocol
        gate = msgspec.convert(memory, Gate)
        if fact is not None:
            for told in msgspec.convert(fact.detail["scans"], list[Gate]):
                gate = measured(gate, told)
            memory = msgspec.to_builtins(gate)
        failed, lacking = failing(self._lines, gate.values), missing(self._lines, gate.values)
        if failed:
            said = ", ".join(self._said(name, gate.values[name]) for name in failed)
            where = f" at {short(gate.commit)}" if gate.commit else ""
            value = gate.values[failed[0]]
            return Judgement(verdict="breach", memory=memory, value=value, text=f"{said}{where}")
        if lacking:
            return unknown(memory, f"not_measured:{lacking[0]}")
        return Judgement(verdict="clear", memory=memory, value=gate.values[next(iter(self._lines))])

    def _said(self, name: str, value: float) -> str:
        return f"{name} is {value:.6g} (fails at {self._lines[name]})"


def _line(name: str, text: str | float) -> Threshold:
    where = f"conditions.{name}"
    try:
        line = parse_threshold(text)
    except InvalidThresholdError as error:
        raise ConfigError(where, str(error)) from None
    if line.for_ns or line.keep_firing_ns:
        raise ConfigError(where, "has no `for` or `keep`: those are the alert's own")
    return line
