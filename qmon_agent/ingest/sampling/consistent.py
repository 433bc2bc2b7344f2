"""Consistent probability: everybody who sees a trace decides alike, by its own random bits.

After OpenTelemetry's "TraceState: Probability Sampling": a trace has 56 bits of randomness, the
last of its id or the `rv` it carries; a rate is a threshold below which traces are rejected. What
is kept at one rate is kept at every higher one, and the threshold a span has passed, `th`, says
how many it stands for.
"""

from __future__ import annotations

from hashlib import blake2b

_ALL = 1 << 56
_DIGITS = 14
NEVER = _ALL
"""The threshold that nothing reaches."""
_LONGEST_STATE = 256  # characters of the entry `ot`


def threshold_of(rate: float) -> int:
    """The randomness below which a trace is rejected; nothing is kept at a rate of 0."""
    return _ALL - round(min(max(rate, 0.0), 1.0) * _ALL)


def rate_of(threshold: int) -> float:
    return (_ALL - threshold) / _ALL


def weight_of(threshold: int) -> float:
    """How many a span that passed it stands for; 0 where none can pass."""
    return _ALL / (_ALL - threshold) if threshold < _ALL else 0.0


def randomness_of(trace_id: str, state: str = "") -> int:
    """The trace's own random bits: those it carries, or else the last 56 of its id."""
    if state and (told := _value_of(state, "rv")) and len(told) == _DIGITS:
        try:
            return int(told, 16)
        except ValueError:
            pass
    try:
        return int(trace_id[-_DIGITS:], 16)
    except ValueError:  # an id that is no hexadecimal number is as good as any text
        return int.from_bytes(blake2b(trace_id.encode(), digest_size=7).digest(), "big")


def threshold_in(state: str) -> int | None:
    """What the spans before have passed, where a `tracestate` says so and can be read."""
    told = _value_of(state, "th") if state else ""
    if not told or len(told) > _DIGITS:
        return None
    try:
        return int(told.ljust(_DIGITS, "0"), 16)
    except ValueError:
        return None


def with_threshold(state: str, threshold: int) -> str:
    """The `tracestate` with this `th`; unchanged where there is no room for it."""
    digits = f"{threshold:0{_DIGITS}x}".rstrip("0") or "0"
    own, others = _split(state)
    kept = [pair for pair in own.split(";") if pair and not pair.startswith("th:")]
    entry = ";".join((*kept, f"th:{digits}"))
    if len(entry) > _LONGEST_STATE:
        return state
    return ",".join((f"ot={entry}", *others))


def _value_of(state: str, key: str) -> str:
    own, _ = _split(state)
    for pair in own.split(";"):
        name, _, value = pair.partition(":")
        if name == key:
            return value
    return ""


def _split(state: str) -> tuple[str, list[str]]:
    """OpenTelemetry's own entry, and those of others."""
    own, others = "", []
    for entry in state.split(","):
        member = entry.strip()
        if member.startswith("ot="):
            own = own or member[3:]
        elif member:
            others.append(member)
    return own, others
