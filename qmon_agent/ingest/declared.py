"""The `[[processors]]` of the configuration, as the steps of a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.plugins import make_each, options_of
from qmon_agent.settings import convert_table

from .matching import EVERYTHING, Match, Matcher
from .processors import PROCESSORS, HoldingProcessor, Processor

_COMMON = ("kind", "name", "match")


class Step(msgspec.Struct, kw_only=True):
    """A processor with its name and the signals it is about."""

    name: str
    kind: str
    processor: Processor
    matcher: Matcher | None = None
    """`None`: all that come."""

    @property
    def fails_closed(self) -> bool:
        """Whether what it fails at is dropped."""
        return bool(getattr(self.processor, "fail_closed", False))

    @property
    def holding(self) -> HoldingProcessor | None:
        return self.processor if isinstance(self.processor, HoldingProcessor) else None


class ProcessorOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every `[[processors]]` table has; all other keys are its kind's own."""

    kind: str
    """What it does; the plug-ins list them."""
    name: str = ""
    """What it is called in status, metrics and books; its kind, if nothing is said."""
    match: Match = EVERYTHING
    """Which signals it is about; all others pass by."""


def make_steps(tables: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """In their order; raises ConfigError or UnknownPluginError with everything that is wrong."""
    twice = "there is more than one of this name: say a `name`"
    made = make_each("processors", tables, _made, called=("name", "kind"), twice=twice)
    return tuple(made.values())


def _made(table: Mapping[str, Any], where: str) -> Step:
    own = dict(table)
    common: dict[str, Any] = {key: own.pop(key) for key in _COMMON if key in own}
    kind = common.get("kind")
    if isinstance(kind, str) and "match" in options_of(PROCESSORS.find(kind)):
        # It decides itself what becomes of the others.
        own["match"] = common.pop("match", {})
        Matcher(convert_table(own["match"], Match, f"{where}.match"), f"{where}.match")
    options = convert_table(common, ProcessorOptions, where)
    matcher = None if options.match == EVERYTHING else Matcher(options.match, f"{where}.match")
    return Step(
        name=options.name or options.kind,
        kind=options.kind,
        processor=PROCESSORS.build(options.kind, own, path=where, beside=_COMMON),
        matcher=matcher,
    )
