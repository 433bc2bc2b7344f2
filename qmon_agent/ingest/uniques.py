"""How many different values there were: exact up to a bound, estimated within 2 % or so beyond it.

The estimate is HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with 2^12 registers, whose
standard error is 1.04 / √4096 = 1.6 %.
"""

from __future__ import annotations

from hashlib import blake2b
from math import log

EXACT = 1_024
_BITS = 12
_REGISTERS = 1 << _BITS
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)
_HASH_BITS = 64 - _BITS


class Uniques:
    """Counts different byte strings in bounded memory."""

    __slots__ = ("_exact", "_registers")

    def __init__(self) -> None:
        self._exact: set[bytes] = set()
        self._registers: bytearray | None = None

    def add(self, value: bytes) -> None:
        if self._registers is None:
            # Of a long value its digest is kept: what a sender repeats bounds no memory.
            self._exact.add(value if len(value) <= 32 else _digest(value))  # noqa: PLR2004 - bytes
            if len(self._exact) > EXACT:
                self._spill()
        else:
            self._enter(self._registers, value if len(value) <= 32 else _digest(value))  # noqa: PLR2004 - the same

    def count(self) -> float:
        if self._registers is None:
            return float(len(self._exact))
        empty = self._registers.count(0)
        raw = _ALPHA * _REGISTERS**2 / sum(2.0**-rank for rank in self._registers)
        if raw <= 2.5 * _REGISTERS and empty:
            return round(_REGISTERS * log(_REGISTERS / empty))
        return round(raw)

    def _spill(self) -> None:
        self._registers = bytearray(_REGISTERS)
        for value in self._exact:
            self._enter(self._registers, value)
        self._exact = set()

    @staticmethod
    def _enter(registers: bytearray, value: bytes) -> None:
        number = int.from_bytes(_digest(value)[:8], "big")
        place, rest = number >> _HASH_BITS, number & ((1 << _HASH_BITS) - 1)
        rank = _HASH_BITS - rest.bit_length() + 1
        registers[place] = max(registers[place], rank)


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
