"""What the shop sells, and how it looks for it: the slow path is planted here."""

from __future__ import annotations

import time

import qmon_sdk as qmon

PRODUCTS = {number: f"product {number}" for number in range(1, 201)}
_WILDCARD = "*"
_SCAN_S = 0.3


@qmon.instrument
def find(words: str) -> list[int]:
    """Find products by their name; a wildcard looks at everything the shop ever sold."""
    if _WILDCARD in words:
        _scan_archive()
    return [number for number, name in PRODUCTS.items() if words in name][:10]


@qmon.instrument
def _scan_archive() -> None:
    time.sleep(_SCAN_S)  # planted: what a missing index feels like


def price_of(number: int) -> float:
    """Say what a product costs."""
    return 5.0 + number % 40
