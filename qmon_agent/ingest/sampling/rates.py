"""Which share of the traces is wanted, by what their first span is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.matching import EVERYTHING, Match, Matcher
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import Signal

from .consistent import threshold_of

Thresholds = Callable[[Signal], int]


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share for some spans; the first that fits counts."""

    rate: float
    """The share that is kept, from 0 to 1."""
    match: Match = EVERYTHING
    """Which spans it is about."""


class Rates:
    """Thresholds instead of shares, ready to be asked for."""

    def __init__(self, rates: Sequence[Rate], otherwise: float) -> None:
        """Raises ConfigError for a share that is none."""
        for path, rate in _shares(rates, otherwise):
            if not 0.0 <= rate <= 1.0:
                raise ConfigError(path, f"{rate!r} is no share: it goes from 0 to 1")
        self._rates = [
            (Matcher(each.match, f"rates[{n}].match"), threshold_of(each.rate))
            for n, each in enumerate(rates)
        ]
        self._otherwise = threshold_of(otherwise)

    def of(self, resource: Resource) -> Thresholds:
        """The threshold of each span of a speaker."""
        found = [(matcher.of(resource, "span"), threshold) for matcher, threshold in self._rates]
        tests = [(verdict, threshold) for verdict, threshold in found if verdict is not False]

        def threshold(span: Signal) -> int:
            for verdict, own in tests:
                if verdict is True or verdict(span):
                    return own
            return self._otherwise

        return threshold


def _shares(rates: Sequence[Rate], otherwise: float) -> list[tuple[str, float]]:
    return [("rate", otherwise), *((f"rates[{n}].rate", each.rate) for n, each in enumerate(rates))]
