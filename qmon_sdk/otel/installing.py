"""Make qmon what OpenTelemetry's API records with, in this process."""

from __future__ import annotations

from qmon_sdk.client import guarded


@guarded
def install(*, traces: bool = True, metrics: bool = True, logs: bool = True) -> None:
    """Set qmon's providers as OpenTelemetry's, before or after `init`.

    Where another provider has been set already, which can be done once in a process, qmon attaches
    to it if it is one of OpenTelemetry's SDK. Needs `opentelemetry-api`, the extra `qmon[otel]`.
    """
    from .globally import set_logger, set_meter, set_tracer

    for wanted, setting in ((traces, set_tracer), (metrics, set_meter), (logs, set_logger)):
        if wanted:
            setting()
