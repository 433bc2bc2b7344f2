"""What a kept span says of its keeping: how many it stands for, and why it is here."""

from __future__ import annotations

from qmon_agent.ingest.matching import PLACES
from qmon_sdk.protocol.signals import Labels, Signal, Span, kind_of

from .consistent import threshold_in, weight_of, with_threshold

STATE = "otel.trace_state"
"""Where a span has its `tracestate`: the threshold goes on with it, also to other agents."""
WEIGHT = "qmon.sampling.weight"
"""How many spans it stands for; a span without it stands for itself."""
REASON = "qmon.sampling.reason"
"""Why a whole trace was kept: `error`, `slow`, `rare`, `floor` or `probability`."""

_PLACE = PLACES["span"]["attributes"]
_made = tuple.__new__  # by place: naming thirteen values costs more than all the rest here


def marked(span: Span, threshold: int, reason: str = "") -> Span:
    """The span with its threshold and weight: the highest that it has ever passed."""
    attributes = dict(span.attributes)
    state = attributes.get(STATE, "")
    if threshold > (threshold_in(state) or 0):
        state = with_threshold(state, threshold)
        attributes[STATE] = state
    if passed := threshold_in(state):
        attributes[WEIGHT] = f"{weight_of(passed):.12g}"
    if reason:
        attributes[REASON] = reason
    row = (*span[:_PLACE], attributes, *span[_PLACE + 1 :])
    return _made(Span, row)  # type: ignore[type-var]


def labelled(signal: Signal, labels: Labels) -> Signal:
    """Any signal with more attributes."""
    place = PLACES[kind_of(signal)]["attributes"]
    row = (*signal[:place], {**signal[place], **labels}, *signal[place + 1 :])
    made: Signal = _made(type(signal), row)  # type: ignore[type-var]
    return made
