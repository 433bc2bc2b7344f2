"""Alerting: rules judge what arrives, incidents live, and what must be told goes to the outbox."""

from typing import TYPE_CHECKING

from .observed import Observed as Observed
from .standing import Standing as Standing

if TYPE_CHECKING:
    from .service import AlertService as AlertService

__all__ = ["AlertService", "Observed", "Standing"]


def __getattr__(name: str) -> object:
    # Looked up late: the service stands on the state store, whose engine takes long to import.
    if name != "AlertService":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .service import AlertService

    return AlertService
