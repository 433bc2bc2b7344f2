"""What rules about scans call them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from qmon_sdk.protocol.signals import Finding, Snapshot

_BRANCHES = ("vcs.ref.head.name", "branch")
_SHOWN = 8


def scan_labels(service: str, told: Snapshot | Finding) -> dict[str, str]:
    """Whose scan it is, and of which branch, where that is said."""
    labels = {"service": service, "scan": told.scan}
    branch = branch_of(told)
    return labels | {"branch": branch} if branch else labels


def branch_of(told: Snapshot | Finding) -> str:
    """The branch that was scanned, as OpenTelemetry calls it; empty where nobody says."""
    return next((told.attributes[name] for name in _BRANCHES if told.attributes.get(name)), "")


def is_of(told: Snapshot | Finding, scan: str, branches: tuple[str, ...]) -> bool:
    """Whether it is of a scan called so, and of a branch like one of these, if there are any."""
    branch = branch_of(told)
    return fnmatchcase(told.scan, scan) and (
        not branches or any(fnmatchcase(branch, pattern) for pattern in branches)
    )


def short(commit: str) -> str:
    """A commit as people name it."""
    return commit[:_SHOWN]
