"""The providers of this process: qmon's, or those of OpenTelemetry's SDK with qmon attached."""

from __future__ import annotations

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as logs_api
from opentelemetry.metrics import _internal as metrics_api

from .logger import LoggerProvider
from .meter import MeterProvider
from .tracer import TracerProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def set_tracer() -> None:
    """Have spans recorded."""
    _set(trace._TRACER_PROVIDER, TracerProvider, trace.set_tracer_provider)  # noqa: SLF001 - asking the API would load one


def set_meter() -> None:
    """Have numbers recorded."""
    _set(metrics_api._METER_PROVIDER, MeterProvider, metrics.set_meter_provider)  # noqa: SLF001 - as above


def set_logger() -> None:
    """Have lines recorded."""
    _set(logs_api._LOGGER_PROVIDER, LoggerProvider, _logs.set_logger_provider)  # noqa: SLF001 - as above


def _set(before: Any, ours: type, put: Callable[[Any], None]) -> None:
    if before is None:
        put(ours())
    elif not isinstance(before, ours):
        from .attaching import attach

        attach(before)
