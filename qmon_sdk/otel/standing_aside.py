"""A library that an instrumentation of OpenTelemetry watches is left to it: one span a request."""

from __future__ import annotations

from .tracer import TracerProvider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .tracer import Tracer

HARMLESS = frozenset({"asyncio", "logging"})
"""What qmon watches of these is something else, or known when it comes twice."""

_THEIRS = "opentelemetry.instrumentation."
_OTHERWISE = {
    "aiohttp-client": ("aiohttp",),
    "aiohttp-server": ("aiohttp",),
    "fastapi": ("fastapi", "starlette"),
}


def ours_of(name: str) -> tuple[str, ...]:
    """Say what qmon calls the library of an instrumentation."""
    return _OTHERWISE.get(name, (name,))


class PoliteTracerProvider(TracerProvider):
    """The provider that a variable names: whoever set it may not know of qmon's integrations."""

    def get_tracer(self, instrumenting_module_name: str, *args: Any, **kwargs: Any) -> Tracer:
        """Make a tracer; an instrumentation that asks for one takes its library over."""
        from qmon_sdk.integrations import stand_aside

        if instrumenting_module_name.startswith(_THEIRS):
            library = instrumenting_module_name.split(".")[2].replace("_", "-")
            for name in () if library in HARMLESS else ours_of(library):
                stand_aside(name)
        return super().get_tracer(instrumenting_module_name, *args, **kwargs)
