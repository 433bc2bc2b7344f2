"""What OpenTelemetry's entry points name: nothing is imported before somebody chooses qmon."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAME = "qmon"
_CHOSEN_BY_DISTRO = {
    "OTEL_PYTHON_CONFIGURATOR": _NAME,
    "OTEL_PYTHON_TRACER_PROVIDER": _NAME,
    "OTEL_PYTHON_METER_PROVIDER": _NAME,
    "OTEL_PYTHON_LOGGER_PROVIDER": _NAME,
}


def tracer_provider() -> Any:
    """Make a tracer provider, for `OTEL_PYTHON_TRACER_PROVIDER=qmon`."""
    from .standing_aside import PoliteTracerProvider

    begin()
    return PoliteTracerProvider()


def meter_provider() -> Any:
    """Make a meter provider, for `OTEL_PYTHON_METER_PROVIDER=qmon`."""
    from .meter import MeterProvider

    begin()
    return MeterProvider()


def logger_provider() -> Any:
    """Make a logger provider, for `OTEL_PYTHON_LOGGER_PROVIDER=qmon`."""
    from .logger import LoggerProvider

    begin()
    return LoggerProvider()


def begin(**options: Any) -> None:
    """Start qmon by its environment, unless the program has done so."""
    from qmon_sdk.client import current
    from qmon_sdk.start import init

    if not current().recording:
        init(**options)


def distro() -> Any:
    """Make a distribution for `opentelemetry-instrument`, for `OTEL_PYTHON_DISTRO=qmon`.

    Who has chosen none gets the first there is, and that shall not be this one only because qmon is
    installed: then the answer is nothing, and the next one's turn comes.
    """
    if os.environ.get("OTEL_PYTHON_DISTRO") != _NAME:
        return None
    from importlib import import_module

    theirs = import_module("opentelemetry.instrumentation.distro")
    return type("QmonDistro", (theirs.BaseDistro,), {"_configure": _choose_qmon})()


def _choose_qmon(_: Any, **__: Any) -> None:
    """Choose qmon wherever OpenTelemetry lets one choose."""
    for name, value in _CHOSEN_BY_DISTRO.items():
        os.environ.setdefault(name, value)


class Configurator:
    """Sets qmon's providers when `opentelemetry-instrument` starts a program."""

    def configure(self, **how: Any) -> None:
        """Do so if qmon was chosen, or else let the next configurator do it."""
        chosen = os.environ.get("OTEL_PYTHON_CONFIGURATOR")
        if chosen == _NAME or os.environ.get("OTEL_PYTHON_DISTRO") == _NAME:
            from .installing import install

            begin(integrations=("auto", *_instrumented_by_others()))
            install()
        elif chosen is None:
            _let_another(**how)


def _instrumented_by_others() -> list[str]:
    """Name the libraries that OpenTelemetry's instrumentations watch: once is enough."""
    from importlib.metadata import entry_points

    from qmon_sdk.integrations import names

    from .standing_aside import HARMLESS, ours_of

    known = names()
    off = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").replace(" ", "").split(",")
    theirs = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")}
    left_out = {} if "*" in off else dict.fromkeys(theirs - set(off) - HARMLESS)
    ours = [one for name in left_out for one in ours_of(name)]
    return [f"-{one}" for one in ours if one in known]


def _let_another(**how: Any) -> None:
    from importlib.metadata import entry_points

    for entry in entry_points(group="opentelemetry_configurator"):
        if entry.name != _NAME:
            entry.load()().configure(**how)
            return
