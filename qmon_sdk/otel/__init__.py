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
