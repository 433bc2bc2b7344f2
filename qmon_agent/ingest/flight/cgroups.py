"""Which memory cgroup a process is in, its limit, and how often it has cost somebody his life."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

# A kill for memory and the death it causes are seconds apart at most: the victim may first have to
# give back what it holds.
_RECENT_S = 10.0
_MOST = 4_096
_MOUNTS = Path("/proc/self/mountinfo")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a cgroup says at one moment."""

    limit: int = 0
    """In bytes; 0 for none."""
    kills: int = 0


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What a cgroup tells about a death in it."""

    path: str = ""
    limit: int = 0
    was_killed: bool = False
    """Somebody in it has just been killed for memory, and no death has been told for it yet."""


class _Group:
    """One memory cgroup with the last counts seen in it."""

    def __init__(self, path: Path, said: Limits) -> None:
        self.path = path
        self.said = said
        self.unexplained = 0
        """Kills that no death has been told for."""
        self.at = 0.0

    def look(self) -> bool:
        """Read the counters; no, if the cgroup is gone, as it is with its last process."""
        try:
            now = limits_of(self.path)
        except OSError:
            return False
        if (more := now.kills - self.said.kills) > 0:
            self.unexplained += more
            self.at = time.monotonic()
        self.said = now
        return True

    @property
    def has_news(self) -> bool:
        return self.unexplained > 0 and time.monotonic() - self.at < _RECENT_S


class Cgroups:
    """Looks at the cgroups of the processes watched, and again when one of them dies."""

    def __init__(self, find: Callable[[int], Path | None] | None = None) -> None:
        """`find` knows the cgroup of a process: by default as `/proc` tells."""
        self._find = find or partial(_cgroup_of, mounts=memory_mounts())
        self._groups: dict[Path, _Group] = {}
        self._of: OrderedDict[int, tuple[Path, ...]] = OrderedDict()

    def join(self, pid: int) -> None:
        """Note where a process is; while it lives, for afterwards nobody can tell."""
        path = self._find(pid)
        if path is None:
            return
        self._of[pid] = tuple(self._known(path))
        if len(self._of) > _MOST:
            self.forget(next(iter(self._of)))

    def look(self) -> None:
        """Read all counters: those seen now are no news at a later death."""
        for group in self._groups.values():
            group.look()

    def memory_of(self, pid: int) -> Memory:
        """What its cgroup tells about a process that died just now."""
        groups = self._groups_of(pid)
        there = [group for group in groups if group.look()]
        limits = [group.said.limit for group in groups if group.said.limit]
        # A cgroup around it counts every kill inside: that is news only where its own is gone.
        telling = groups[:1] if there[:1] == groups[:1] else [*groups[:1], *there[:1]]
        return Memory(
            path=str(groups[0].path) if groups else "",
            limit=min(limits, default=0),
            was_killed=any(group.has_news for group in telling),
        )

    def explain(self, pid: int) -> None:
        """A death was told for one of the kills of its cgroup: the next needs another."""
        for group in self._groups_of(pid):
            group.unexplained = max(0, group.unexplained - 1)

    def forget(self, pid: int) -> None:
        if self._of.pop(pid, None):
            wanted = set().union(*self._of.values())
            self._groups = {path: each for path, each in self._groups.items() if path in wanted}

    def _groups_of(self, pid: int) -> list[_Group]:
        return [self._groups[path] for path in self._of.get(pid, ()) if path in self._groups]

    def _known(self, path: Path) -> Iterator[Path]:
        """The cgroup and those around it, whose limits hold for it too."""
        for each in (path, *path.parents):
            if each not in self._groups:
                try:
                    self._groups[each] = _Group(each, limits_of(each))
                except OSError:
                    return
            yield each


def limits_of(group: Path) -> Limits:
    """The counters of one cgroup, of either version; raises OSError when it is gone."""
    version_2 = group / "memory.events"
    if version_2.exists():
        limit = (
            _number((group / "memory.max").read_text()) if (group / "memory.max").exists() else 0
        )
        return Limits(limit=limit, kills=_counter(version_2.read_text(), "oom_kill"))
    kills = _counter((group / "memory.oom_control").read_text(), "oom_kill")
    limit = _number((group / "memory.limit_in_bytes").read_text())
    # Without a limit, version 1 shows the largest number of pages there could be.
    return Limits(limit=limit if limit < 1 << 62 else 0, kills=kills)


def memory_mounts() -> list[tuple[str, Path, str]]:
    """Where memory cgroups are to be seen: controller, mount point, the path mounted there."""
    found = []
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        words, _, kind = line.partition(" - ")
        fields, kind_fields = words.split(), kind.split()
        if kind_fields[:1] == ["cgroup2"]:
            found.append(("", Path(fields[4]), fields[3]))
        elif kind_fields[:1] == ["cgroup"] and "memory" in kind_fields[-1].split(","):
            found.append(("memory", Path(fields[4]), fields[3]))
    return found


def _cgroup_of(pid: int, mounts: list[tuple[str, Path, str]]) -> Path | None:
    try:
        text = Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return None
    paths = dict(_controllers(text))
    for controller, mount, root in mounts:
        path = paths.get(controller)
        if path is None:
            continue
        inside = path.removeprefix(root) if root != "/" else path
        for group in (mount / inside.lstrip("/"), mount):
            if (group / "memory.events").exists() or (group / "memory.oom_control").exists():
                return group
    return None


def _controllers(text: str) -> list[tuple[str, str]]:
    """Controller → path, from lines like `4:cpu,memory:/web` and `0::/web`."""
    found = []
    for line in text.splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        found += [(controller, path) for controller in controllers.split(",")]
    return found


def _counter(text: str, name: str) -> int:
    words = text.split()
    return _number(words[words.index(name) + 1]) if name in words else 0


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isdigit() else 0
