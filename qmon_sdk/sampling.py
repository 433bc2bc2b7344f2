"""Which traces are kept: decided once, at the root, by the trace's own random bits.

The rule is OpenTelemetry's consistent probability sampling: a trace is kept when the lowest 56 bits
of its id are at least (1 − rate) · 2^56, so that every process that sees the trace decides alike.
"""

from __future__ import annotations

from .client import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_BITS = 1 << 56


class Sampler:
    """Keeps a share of the traces, or as many as the application's own function says."""

    __slots__ = ("_choose", "_threshold", "always")

    def __init__(
        self, rate: float, choose: Callable[[Mapping[str, Any]], float] | None = None
    ) -> None:
        self._threshold = _threshold(rate)
        self._choose = choose
        self.always = rate >= 1.0 and choose is None

    def keeps(self, trace: int, name: str) -> bool:
        """Say whether a trace with these low 64 bits is kept; `name` is its root span's."""
        if self.always:
            return True
        threshold = self._threshold if self._choose is None else self._chosen(name)
        return trace & (_BITS - 1) >= threshold

    def _chosen(self, name: str) -> int:
        """Ask the application; where its function fails, the rate decides."""
        try:
            return _threshold(float(self._choose({"name": name})))  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - the guard: we are inside of somebody's call
            failed("traces_sampler", error)
            return self._threshold


def _threshold(rate: float) -> int:
    return _BITS - round(min(max(rate, 0.0), 1.0) * _BITS)
