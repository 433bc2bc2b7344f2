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


def is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether it is like one of these; without any everything is."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def short(commit: str) -> str:
    """A commit as people name it."""
    return commit[:_SHOWN]
