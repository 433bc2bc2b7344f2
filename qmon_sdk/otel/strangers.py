"""Code of others that qmon calls: what fails there is counted, and loud in nobody's tests."""

from __future__ import annotations

from qmon_sdk.client import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def ask(stranger: Any, verb: str, *args: Any, **kwargs: Any) -> Any:
    """Call a method; `None` if that fails."""
    try:
        return getattr(stranger, verb)(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - somebody else's code
        count(f"{type(stranger).__name__}.{verb}", error)
        return None


def count(where: str, error: Exception) -> None:
    """Count a failure in `stats().trouble`."""
    trouble = current().trouble
    key = f"{where}: {type(error).__name__}"
    trouble[key] = trouble.get(key, 0) + 1
