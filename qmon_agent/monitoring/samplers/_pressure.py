"""The kernel's lines of pressure: of the machine and of a control group alike."""

from __future__ import annotations

from ._sheet import Sheet

US = 1e-6


def write_pressure(sheet: Sheet, text: str, *, metric: str, of: dict[str, str]) -> None:
    """`some avg10=0.00 avg60=0.00 avg300=0.00 total=0`: the total, and the share of ten seconds."""
    for line in text.splitlines():
        kind, *words = line.split()
        values = dict(word.split("=", 1) for word in words if "=" in word)
        told = of | {"system.linux.pressure.kind": kind}
        try:
            sheet.total(f"{metric}.stall_time", int(values["total"]) * US, unit="s", of=told)
            sheet.gauge(f"{metric}.share", float(values["avg10"]) / 100, of=told)
        except (KeyError, ValueError):
            continue
