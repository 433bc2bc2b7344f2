"""Say more of where signals come from: attributes of your own, host, container, pod, cloud."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import msgspec

from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.matching import PLACES
from qmon_agent.ingest.surroundings import Surroundings
from qmon_sdk.protocol.signals import Labels

from . import ALL_KINDS


class EnrichProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Adds attributes; what is found out about this agent's place is found out once, at its start.

    That is the senders' place, too, where they run beside it: on the host, or in the pod.
    """

    kinds: ClassVar[frozenset[str]] = ALL_KINDS

    attributes: dict[str, str] = {}
    """Attributes to add."""
    detect: tuple[Literal["host", "container", "kubernetes", "cloud"], ...] = ()
    """What to find out; `cloud` asks the provider's address, if the firmware names one."""
    to: Literal["resource", "signal"] = "resource"
    """Whether who speaks has them, or each signal."""
    overwrite: bool = False
    """Whether they take the place of what is there under the same key."""
    _added: Labels = {}

    def __post_init__(self) -> None:
        self._added = dict(self.attributes)

    def prepare(self) -> None:
        here = Surroundings()
        found: Labels = {}
        for what in self.detect:
            found |= here.find(what)
        self._added = {**found, **self.attributes}

    def process(self, lot: Lot) -> Iterable[Lot]:
        if self.to == "signal":
            return (lot.mapped({PLACES[lot.kind]["attributes"]: self._with_more}),)
        before = lot.resource.attributes
        after = self._with_more(before)
        return (lot if after == before else lot.of(lot.resource.replace(attributes=after)),)

    def _with_more(self, attributes: Labels) -> Labels:
        if self.overwrite:
            return {**attributes, **self._added}
        return {**self._added, **attributes}
