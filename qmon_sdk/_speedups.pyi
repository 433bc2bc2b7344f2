"""What the compiled module offers; `qmon_sdk/_speedups/` has its sources."""

from collections.abc import Mapping
from typing import Any

GENERATION: int
SOURCES: str

class Pending:
    limit: int
    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def add(self, value: float = 1) -> None: ...
    def forget(self) -> None: ...
    def taken(self, kind: str, /) -> tuple[Any, ...] | list[Any] | None: ...

class Shelf:
    known: dict[Any, Any]
    def __init__(self, *args: Any) -> None: ...
    def add(
        self,
        name: str,
        value: float = 1,
        *,
        unit: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None: ...
