"""The kernel's tables of protocols: a line of names, and a line of numbers below it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from ._kernel import Kernel, snake

FILES = ("snmp", "netstat")


def read_tables(kernel: Kernel) -> Iterator[tuple[str, str, list[str]]]:
    """Of IP, ICMP, TCP and UDP: which protocol, its line of names, and its numbers."""
    for file in FILES:
        lines = kernel.text(f"{kernel.proc}/net/{file}").splitlines()
        for names, values in pairwise(lines):
            protocol, _, columns = names.partition(": ")
            if values.startswith(f"{protocol}: ") and columns[:1].isalpha():
                yield protocol, columns, values.split()[1:]


@lru_cache(64)
def columns_of(names: str) -> tuple[tuple[str, str], ...]:
    """Each name as it stands there, and as a metric's name has it; the line is always the same."""
    return tuple((name, snake(name)) for name in names.split())
