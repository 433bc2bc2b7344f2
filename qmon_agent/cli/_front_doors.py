"""Packages whose rooms the agent needs, and not what their front doors bring along.

The SDK's front door imports every verb, uvicorn's the command line and the supervisors: six
megabytes that an agent would carry for ever and never use.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

CLOSED: Mapping[str, Mapping[str, str]] = {
    "qmon_sdk": {},
    "uvicorn": {"Config": "uvicorn.config"},  # its own `lifespan.off` asks for that
}
"""Package → the names that are given out without running it, and where they are."""
# Others ask every module there is for names like `__warningregistry__`: that is no knocking.
_ASKED_FOR = frozenset({"__all__", "__version__"})


def leave_closed(doors: Mapping[str, Mapping[str, str]] = CLOSED) -> None:
    """Let packages be there without having run; the first use of a name of theirs runs them."""
    for name, given_out in doors.items():
        spec = None if name in sys.modules else find_spec(name)
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            module.__dict__["__getattr__"] = _Bell(module, given_out)
            sys.modules[name] = module


class _Bell:
    """Stands for the names of a package that has not run yet."""

    def __init__(self, module: ModuleType, given_out: Mapping[str, str]) -> None:
        self._module = module
        self._given_out = given_out
        self._lock = RLock()

    def __call__(self, name: str) -> Any:
        module, spec = self._module, self._module.__spec__
        if name.startswith("__") and name not in _ASKED_FOR:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        if room := self._given_out.get(name):
            return getattr(import_module(room), name)
        with self._lock:
            is_first = module.__dict__.get("__getattr__") is self
            if is_first and spec is not None and spec.loader is not None:
                del module.__dict__["__getattr__"]
                spec.loader.exec_module(module)
        return getattr(module, name)
