"""Free ports, chosen as the tests choose theirs, whose module is on nobody's path."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_PLACE = Path(__file__).parents[1] / "tests" / "ports.py"
_SPEC = importlib.util.spec_from_file_location("ports", _PLACE)
_PORTS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_PORTS)

free_port = _PORTS.free_port
