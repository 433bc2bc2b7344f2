"""Whether the clock is right, and whether somebody has moved its hands."""

from __future__ import annotations

import ctypes
import sys
import time

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel
from ._sheet import Sheet

SECOND = 1_000_000_000
STA_UNSYNC, STA_NANO = 0x40, 0x2000
US, NS = 1e-6, 1e-9
_FREQUENCY = 1 << 16  # the kernel's unit: parts in a million, with 16 bits behind the point


class _Timex(ctypes.Structure):
    """What `adjtimex` fills in."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("pps", ctypes.c_long * 3),
        ("calibration", ctypes.c_long * 5),
        ("tai", ctypes.c_int),
        ("room", ctypes.c_int * 24),
    )


class ClockSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`system.clock.*`: offset to its time servers, error, whether it is synchronised, steps."""

    step_s: float = 0.1
    """Moves of the wall clock against the machine's own that are larger are told as steps."""
    details_every_s: float = 10.0
    """Time between two looks at what the time service has told the kernel."""
    _between: int = 0
    _details_due: int = 0
    _steps: int = 0

    def sample(self, now: int) -> list[Point]:
        """Asked of the kernel, which the time service tells; nobody is asked over the network."""
        if sys.platform != "linux":
            raise NotHereError("only Linux tells how its clock does")
        sheet = Sheet(now, self._totals)
        every = round(self.details_every_s * SECOND)
        if not 0 < self._details_due - now <= every:
            self._details_due = now + every
            _discipline(sheet)
        self._step(sheet)
        return sheet.finish()

    def _step(self, sheet: Sheet) -> None:
        # CLOCK_BOOTTIME goes on while the machine sleeps, so that waking up is no step.
        between = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        moved_s = (between - self._between) / SECOND if self._between else 0.0
        self._between = between
        is_step = abs(moved_s) >= self.step_s
        self._steps += is_step
        if is_step:
            sheet.gauge("system.clock.step", moved_s, unit="s")
        sheet.total("system.clock.steps", self._steps, unit="{step}")


def _discipline(sheet: Sheet) -> None:
    told = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told)) < 0:
        return  # a container may forbid it; steps are seen all the same
    unit = NS if told.status & STA_NANO else US
    sheet.gauge("system.clock.offset", told.offset * unit, unit="s")
    sheet.gauge("system.clock.error.maximum", told.maxerror * US, unit="s")
    sheet.gauge("system.clock.error.estimated", told.esterror * US, unit="s")
    sheet.gauge("system.clock.frequency", told.freq / _FREQUENCY * US)
    sheet.gauge("system.clock.synchronized", not told.status & STA_UNSYNC)
