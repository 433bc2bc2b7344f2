"""Feature flags: how they were answered goes along with the errors."""

from __future__ import annotations

from .scope import Scope
from .tracing import get_current_span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def add_feature_flag(flag: str, result: Any) -> None:
    """Note how a feature flag was answered in this request."""
    Scope.get_isolation_scope().set_flag(flag, result)
    span = get_current_span()
    if span is not None:
        span.set_flag(f"flag.evaluation.{flag}", result)
