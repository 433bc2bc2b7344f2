"""The kernel's tables of protocols: a line of names, and a line of numbers below it."""

from __future__ import annotations

from itertools import pairwise

from ._kernel import Kernel


def read_netstat(kernel: Kernel) -> dict[str, int]:
    """`TcpExt.ListenOverflows` and the like, of IP, ICMP, TCP and UDP."""
    found: dict[str, int] = {}
    for file in ("snmp", "netstat"):
        lines = kernel.text(f"{kernel.proc}/net/{file}").splitlines()
        for names, values in pairwise(lines):
            protocol, _, columns = names.partition(": ")
            if values.startswith(f"{protocol}: ") and columns[:1].isalpha():
                numbers = values.split()[1:]
                for name, number in zip(columns.split(), numbers, strict=False):
                    found[f"{protocol}.{name}"] = int(number)
    return found
