"""What most rules end with: a number, and the lines it must not cross."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.errors import ConfigError, InvalidThresholdError
from qmon_agent.domain.incidents import Policy
from qmon_agent.domain.thresholds import Level, Threshold, parse_threshold, worst_of

from . import Judgement

HELD = "held"


class Lined(msgspec.Struct, kw_only=True):
    """Options of a rule that compares a number, and the comparison."""

    threshold: str | float
    """The line, as `> 0.5 for 10s`; a bare number means at least."""
    clear: str | float = ""
    """The line that has to be crossed before it is over, as `< 0.4`; empty: the same line."""
    critical: str | float = ""
    """A further line, beyond which it is `critical`, however bad the alert is otherwise."""
    critical_clear: str | float = ""
    """The line that has to be crossed before it is no longer `critical`."""
    _levels: tuple[Level, ...] = ()

    def prepare(self) -> None:
        """Read the lines; raises ConfigError or InvalidThresholdError."""
        levels = [_level(self.threshold, self.clear, "clear")]
        if self.critical != "":
            levels.append(
                _level(self.critical, self.critical_clear, "critical_clear", severity="critical")
            )
            _refuse_milder(levels[1].line, than=levels[0].line)
        self._levels = tuple(levels)

    @property
    def policy(self) -> Policy:
        """How long it has to hold, as the line says."""
        line = self._levels[0].line
        return Policy(for_ns=line.for_ns, keep_firing_ns=line.keep_firing_ns)

    def worst(self, values: Sequence[float]) -> float:
        """Of values from the lowest to the highest the one nearest to a breach, or furthest in."""
        line = self._levels[0].line
        if _side(line):
            return values[-1] if _side(line) == ">" else values[0]
        return next(filter(line.crossed_by, values), values[-1])

    def compared(
        self, value: float | None, memory: Mapping[str, Any], *, text: str = "", wake: int | None
    ) -> Judgement:
        """The verdict on a number; of none, and of NaN, nothing is known."""
        # NaN comes back from JSON as nothing.
        if value is None or math.isnan(value):
            return Judgement(
                verdict="unknown", memory=memory, reason="not_a_number", wake=wake, text=text
            )
        held = memory.get(HELD, 0)
        worst = worst_of(self._levels, value, held=held)
        if worst != held:
            memory = {**memory, HELD: worst}
        return Judgement(
            verdict="breach" if worst else "clear",
            memory=memory,
            wake=wake,
            text=text,
            value=value,
            severity=self._levels[worst - 1].severity if worst else "",
        )


def _level(line: str | float, clear: str | float, option: str, *, severity: str = "") -> Level:
    # The alert's own line is told of by whoever builds the rule; the others are options.
    level = Level(
        line=_option(line, option.removesuffix("_clear")) if severity else parse_threshold(line),
        clear=_option(clear, option) if clear != "" else None,
        severity=severity,
    )
    _refuse_crossed(level, option)
    return level


def _option(text: str | float, option: str) -> Threshold:
    try:
        return parse_threshold(text)
    except InvalidThresholdError as error:
        raise ConfigError(option, str(error)) from None


def _refuse_crossed(level: Level, option: str) -> None:
    """A line that is over before it has begun would let it flap."""
    clear = level.clear
    if clear is None:
        return
    if _side(clear) and _side(clear) == _side(level.line):
        other = "<" if _side(clear) == ">" else ">"
        reason = f"{clear} is where {level.line} is; what is over lies on its other side ({other})"
        raise ConfigError(option, reason)
    if _beyond(clear, level.line) > 0:
        reason = f"{clear} holds where {level.line} does, between the two; it would be over at once"
        raise ConfigError(option, reason)
    if clear.crossed_by(level.line.bound) and level.line.crossed_by(level.line.bound):
        raise ConfigError(option, f"{clear} is already so at {level.line}")


def _beyond(line: Threshold, other: Threshold) -> float:
    """How far a line lies on the wrong side of another; 0 if neither has a side."""
    if not _side(line) or not _side(other):
        return 0.0
    return line.bound - other.bound if _side(other) == ">" else other.bound - line.bound


def _refuse_milder(line: Threshold, *, than: Threshold) -> None:
    """A further line that is crossed first would make all of it critical."""
    if not _side(line) or not _side(than):
        return
    if _side(line) != _side(than) or _beyond(line, than) < 0:
        raise ConfigError("critical", f"{line} does not lie beyond {than}")


def _side(line: Threshold) -> str:
    """Which side of it is meant: `>`, `<`, or neither."""
    return line.operator[0] if line.operator[0] in "<>" else ""


def unknown(memory: Mapping[str, Any], reason: str, wake: int | None = None) -> Judgement:
    """Nothing is known, for this reason."""
    return Judgement(verdict="unknown", memory=memory, reason=reason, wake=wake)
