"""What the graphics processors do, where there are any."""

from __future__ import annotations

from typing import Any

import msgspec

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._kernel import Kernel, entries, whole
from ._sheet import Sheet

PERCENT, MILLI = 1e-2, 1e-3


class GpuSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`hw.gpu.*`: use, memory, warmth and power; NVIDIA by nvidia-ml-py, AMD by the kernel."""

    every_s: float = 5.0
    """Time between two looks."""
    max_devices: int = 16
    """The most devices that are told apart."""
    _library: Any = msgspec.field(default=None)

    def sample(self, now: int) -> list[Point]:
        """Both makers' devices."""
        sheet = Sheet(now, self._totals)
        self._amd(sheet)
        if self._nvidia_is_here():
            for number in range(min(self.max_devices, self._library.nvmlDeviceGetCount())):
                _write_nvidia(sheet, self._library, number)
        if not sheet.is_written:
            raise NotHereError("no graphics processor is to be seen")
        return sheet.finish()

    def _amd(self, sheet: Sheet) -> None:
        for card in entries(f"{self.sys}/class/drm", 16 * self.max_devices):
            busy = whole(self.text(f"{card}/device/gpu_busy_percent").strip())
            if busy is None or "-" in card.name:
                continue
            of = {"hw.id": card.name, "hw.vendor": "amd"}
            sheet.gauge("hw.gpu.utilization", busy * PERCENT, of=of)
            for file, metric in (("used", "usage"), ("total", "limit")):
                size = whole(self.text(f"{card}/device/mem_info_vram_{file}").strip())
                if size is not None:
                    sheet.gauge(f"hw.gpu.memory.{metric}", size, unit="By", of=of)

    def _nvidia_is_here(self) -> bool:
        if self._library is None and entries(f"{self.proc}/driver/nvidia", 1):
            try:
                # Optional, and imported only where the driver is: pip install nvidia-ml-py.
                import pynvml  # type: ignore[import-not-found,import-untyped,unused-ignore]
            except ImportError:
                return False
            pynvml.nvmlInit()
            self._library = pynvml
        return self._library is not None


def _write_nvidia(sheet: Sheet, library: Any, number: int) -> None:
    device = library.nvmlDeviceGetHandleByIndex(number)
    of = {"hw.id": str(number), "hw.vendor": "nvidia"}
    rates = library.nvmlDeviceGetUtilizationRates(device)
    memory = library.nvmlDeviceGetMemoryInfo(device)
    sheet.gauge("hw.gpu.utilization", rates.gpu * PERCENT, of=of)
    sheet.gauge("hw.gpu.memory.usage", memory.used, unit="By", of=of)
    sheet.gauge("hw.gpu.memory.limit", memory.total, unit="By", of=of)
    warmth = library.nvmlDeviceGetTemperature(device, library.NVML_TEMPERATURE_GPU)
    sheet.gauge("hw.temperature", warmth, unit="Cel", of=of)
    power = library.nvmlDeviceGetPowerUsage(device)
    sheet.gauge("hw.power", power * MILLI, unit="W", of=of)
