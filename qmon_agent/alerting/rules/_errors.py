"""What rules about errors call them."""

from __future__ import annotations

from qmon_sdk.protocol.signals import Error


def grouping_of(error: Error) -> str:
    """What makes two errors the same."""
    return error.grouping or f"{error.type}@{error.culprit}"


def labels_of(service: str, error: Error) -> dict[str, str]:
    """What a message says of an error beside its text."""
    return {
        "service": service,
        "type": error.type,
        "culprit": error.culprit,
        "level": error.level,
    }
