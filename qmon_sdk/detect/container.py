"""Which container and pod this process is in, by what the kernel says of its groups and mounts."""

from __future__ import annotations

import os

from .reading import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROC = "/proc/self"
NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

_MOUNTS_BYTES = 1 << 18
_ID = 64  # hexadecimal digits
_UID = 36  # with hyphens
_HEX = frozenset("0123456789abcdef")
_OURS = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
"""What a runtime mounts into each container from a directory named after it."""
_SANDBOX = "sandbox"  # the pod's own container, not the one that runs the program
_POD_NAMES = ("K8S_POD_NAME", "POD_NAME", "MY_POD_NAME", "HOSTNAME")
_POD_FIELDS = {
    "k8s.namespace.name": ("K8S_NAMESPACE", "POD_NAMESPACE", "MY_POD_NAMESPACE"),
    "k8s.node.name": ("K8S_NODE_NAME", "NODE_NAME", "MY_NODE_NAME"),
    "k8s.pod.uid": ("K8S_POD_UID", "POD_UID", "MY_POD_UID"),
    "k8s.container.name": ("K8S_CONTAINER_NAME", "CONTAINER_NAME"),
}
"""By which names people hand pods what they are, as the downward API lets them."""


def container_attributes(
    environ: Mapping[str, str], *, proc: str = PROC, namespace: str = NAMESPACE
) -> dict[str, str]:
    """Describe container and pod in OpenTelemetry's words; empty on a machine of one's own."""
    container, pod = _ids(proc)
    found = {"container.id": container} if container else {}
    if "KUBERNETES_SERVICE_HOST" in environ:
        found |= _pod(environ, namespace=namespace, uid=pod)
    return found


def _pod(environ: Mapping[str, str], *, namespace: str, uid: str) -> dict[str, str]:
    told = {key: _first(environ, names) for key, names in _POD_FIELDS.items()}
    told["k8s.pod.name"] = _first(environ, _POD_NAMES) or os.uname().nodename
    told["k8s.namespace.name"] = told["k8s.namespace.name"] or text_of(namespace).strip()
    told["k8s.pod.uid"] = told["k8s.pod.uid"] or uid
    return {key: value for key, value in told.items() if value}


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environ.get(name, ""))), "")


def _ids(proc: str) -> tuple[str, str]:
    """Find the container's id and the pod's: first where groups are named, then by mounts."""
    container = pod = ""
    for path in (*_groups(proc), *_mounts(proc)):
        container = container or _container_in(path)
        pod = pod or _pod_in(path)
    return container, pod


def _groups(proc: str) -> Iterator[str]:
    for line in text_of(f"{proc}/cgroup").splitlines():
        yield line.rpartition(":")[2]


def _mounts(proc: str) -> Iterator[str]:
    """Read where our own mounts come from: `id parent device root point …`."""
    for line in text_of(f"{proc}/mountinfo", _MOUNTS_BYTES).splitlines():
        words = line.split(" ", 5)
        if len(words) > 5 and words[4] in _OURS and _SANDBOX not in words[3]:  # noqa: PLR2004 - the fields above
            yield words[3]


def _container_in(path: str) -> str:
    """Find `…/ID`, `…/docker-ID.scope` or `…/ID/hostname` in a path, the innermost last."""
    for part in reversed(path.split("/")):
        name = part.removesuffix(".scope").rpartition("-")[2].rpartition(":")[2]
        if len(name) == _ID and _HEX.issuperset(name):
            return name
    return _task_in(path)


def _task_in(path: str) -> str:
    """Find the last part of `/ecs/TASK/TASK-NUMBER`, as AWS names containers."""
    parts = path.split("/")
    task, _, number = parts[-1].rpartition("-")
    is_one = len(parts) > 2 and parts[-2] == task and number.isdecimal()  # noqa: PLR2004 - a task and its part
    return parts[-1] if is_one and _HEX.issuperset(task) else ""


def _pod_in(path: str) -> str:
    """Find `pod<uid>` or `pods/<uid>`; systemd writes the hyphens of a uid as underscores."""
    for part in path.removeprefix("/").split("/"):
        name = part.removesuffix(".slice").rpartition("pod")[2].replace("_", "-")
        if len(name) == _UID and _HEX.issuperset(name.replace("-", "")):
            return name
    return ""
