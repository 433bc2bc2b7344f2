"""OpenTelemetry without its SDK: providers of traces, metrics and logs that record with qmon.

Importing this imports nothing of OpenTelemetry; `install()` and the providers do.
"""

from .installing import install as install

__all__ = [
    "LoggerProvider",
    "MeterProvider",
    "QmonLogRecordProcessor",
    "QmonMetricReader",
    "QmonSpanProcessor",
    "TracerProvider",
    "attach",
    "install",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .attached_logs import QmonLogRecordProcessor as QmonLogRecordProcessor
    from .attached_metrics import QmonMetricReader as QmonMetricReader
    from .attached_spans import QmonSpanProcessor as QmonSpanProcessor
    from .attaching import attach as attach
    from .logger import LoggerProvider as LoggerProvider
    from .meter import MeterProvider as MeterProvider
    from .tracer import TracerProvider as TracerProvider

_LATE = {
    "LoggerProvider": "logger",
    "MeterProvider": "meter",
    "QmonLogRecordProcessor": "attached_logs",
    "QmonMetricReader": "attached_metrics",
    "QmonSpanProcessor": "attached_spans",
    "TracerProvider": "tracer",
    "attach": "attaching",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
