"""What each container uses, known by the name of its control group; no daemon is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from qmon_agent.domain.errors import NotHereError
from qmon_sdk.protocol.signals import Point

from ._cgroup import Group, root_of
from ._kernel import Kernel
from ._sheet import Sheet

NAME = re.compile(
    r"(?:(?P<runtime>docker|libpod|crio|cri-containerd)-)?(?P<id>[0-9a-f]{64})(?:\.scope)?\Z"
)
POD = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})")
RUNTIMES = {"libpod": "podman", "crio": "cri-o", "cri-containerd": "containerd"}
_DEPTH = 6
_MOST_FOLDERS = 4096


class ContainersSampler(Kernel, kw_only=True, forbid_unknown_fields=True):
    """`container.*` per container of Docker, Podman, containerd and CRI-O."""

    every_s: float = 5.0
    """Time between two looks."""
    max_containers: int = 128
    """The most containers that are told apart."""

    def sample(self, now: int) -> list[Point]:
        """Every group that is called as the runtimes call theirs."""
        sheet = Sheet(now, self._totals)
        root = root_of(self)
        if not root:
            raise NotHereError("no control groups of the second version")
        found = dict(_containers(root))
        for folder in sorted(found)[: self.max_containers]:
            Group(self, folder, prefix="container").write(sheet, found[folder])
        if not found:
            raise NotHereError("no container runs here")
        return sheet.finish()


def _containers(root: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Folders and who they are; below a container's own nobody looks."""
    left = [(root, 0)]
    seen = 0
    while left and seen < _MOST_FOLDERS:
        place, depth = left.pop()
        seen += 1
        for folder in _folders_in(place):
            if (match := NAME.match(os.path.basename(folder))) is not None:  # noqa: PTH119 - no Path for each of thousands
                yield folder, _named(match, folder)
            elif depth < _DEPTH:
                left.append((folder, depth + 1))


def _folders_in(place: str) -> list[str]:
    try:
        with os.scandir(place) as inside:
            return [each.path for each in inside if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _named(match: re.Match[str], folder: str) -> dict[str, str]:
    runtime = match["runtime"] or ("docker" if "/docker/" in folder else "")
    of = {"container.id": match["id"]}
    if runtime:
        of["container.runtime.name"] = RUNTIMES.get(runtime, runtime)
    if (pod := POD.search(folder)) is not None:
        of["k8s.pod.uid"] = pod[1].replace("_", "-")
    return of
