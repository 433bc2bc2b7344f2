"""What samplers of Linux stand on: the kernel's files, kept open and read from their beginning."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from ._sheet import Totals

_CHUNK = 1 << 16
_MOST = 64  # chunks: nothing the kernel tells is longer than 4 MiB


class KernelFile:
    """One file under `/proc` or `/sys`; opening it again costs more than reading it."""

    def __init__(self, path: str) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._descriptor = -1

    def read(self) -> str:
        """All of it; raises OSError, and opens it anew next time."""
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return self._read_all().decode("utf-8", "replace")
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Give the descriptor back."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()

    def _read_all(self) -> bytes:
        whole = b""
        for _ in range(_MOST):
            # The kernel may hand out less than it has, so that only an empty answer is the end.
            chunk = os.pread(self._descriptor, _CHUNK, len(whole))
            if not chunk:
                break
            whole += chunk
        return whole


class Kernel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where the kernel's files are, and those that are open."""

    proc: str = "/proc"
    """Where the kernel tells of processes; in a container, where that of the host is mounted."""
    sys: str = "/sys"
    """Where the kernel tells of devices."""
    _files: dict[str, KernelFile] = msgspec.field(default_factory=dict)
    _totals: Totals = msgspec.field(default_factory=Totals)

    def text(self, path: str, *, keep: bool = True) -> str:
        """What a file says; empty where there is none, or it is not ours to read."""
        file = self._files.get(path) or KernelFile(path)
        try:
            said = file.read()
        except OSError:
            self._files.pop(path, None)
            return ""
        if keep:
            self._files[path] = file
        return said


def pairs(text: str) -> Iterator[tuple[str, int]]:
    """Lines of `key value`, with or without a colon and a unit; other lines are left out."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and (value := whole(words[1])) is not None:
            yield words[0].rstrip(":"), value


def whole(word: str) -> int | None:
    """A whole number, or nothing where it is none."""
    try:
        return int(word)
    except ValueError:
        return None


def entries(folder: str, most: int) -> list[Path]:
    """What is in a folder, in order, at most so many; nothing where there is no such folder."""
    try:
        return sorted(Path(folder).iterdir())[:most]
    except OSError:
        return []


@lru_cache(4096)
def snake(name: str) -> str:
    """`ListenOverflows` and `Active(anon)` as `listen_overflows` and `active_anon`."""
    parts: list[str] = []
    before = ""
    for letter in name:
        begins = letter.isupper() and (before.islower() or before.isdigit())
        parts.append("_" if begins or not letter.isalnum() else "")
        parts.append(letter if letter.isalnum() else "")
        before = letter
    return "_".join(filter(None, "".join(parts).lower().split("_")))
