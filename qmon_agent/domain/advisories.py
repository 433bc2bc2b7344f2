"""Vulnerabilities as the field names them: advisories, packages, and how bad they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

SEVERITIES = {
    "none": 0,
    "negligible": 0,
    "informational": 0,
    "note": 0,
    "info": 0,
    "low": 1,
    "minor": 1,
    "medium": 2,
    "moderate": 2,
    "warning": 2,
    "high": 3,
    "important": 3,
    "major": 3,
    "error": 3,
    "critical": 4,
    "blocker": 4,
}
"""The words of CVSS, of distributions and of linters, and our own; the larger the worse."""
_PREFERRED = ("CVE-", "GHSA-", "PYSEC-")
_ADVISORY = re.compile(
    r"(?:CVE|PYSEC|OSV|MAL|GO|RUSTSEC|GHSA|DSA|USN|RHSA)-[0-9A-Za-z][0-9A-Za-z:-]{2,60}\Z"
)
_SEPARATORS = re.compile(r"[-_.]+")
_PYTHON = {"", "pypi"}
_MOST = 200


def is_at_least(severity: str, floor: str) -> bool:
    """Whether it is so bad; a word nobody knows is not bad at all."""
    return SEVERITIES.get(severity.strip().lower(), -1) >= SEVERITIES[floor]


def is_advisory(name: str) -> bool:
    """Whether this is how an advisory is called, and not a rule of a linter."""
    return _ADVISORY.match(name) is not None


def one_name(names: Iterable[str]) -> str:
    """Of the names of one advisory the one to call it by: its CVE, where it has one."""
    known = [name.strip()[:_MOST] for name in names if name.strip()]
    ranked = sorted(known, key=lambda name: (_rank(name), name))
    return ranked[0] if ranked else ""


def _rank(name: str) -> int:
    folded = name.upper()
    return next(
        (n for n, head in enumerate(_PREFERRED) if folded.startswith(head)), len(_PREFERRED)
    )


def package_of(name: str, kind: str = "", purl: str = "") -> str:
    """What a package is called, by its name or its package URL; of Python in one spelling."""
    if not name and purl.startswith("pkg:"):
        path = re.split(r"[?#]", purl[4:_MOST])[0]
        kind, _, rest = path.partition("/")
        head, slash, tail = rest.rpartition("/")
        name = unquote(f"{head}{slash}{tail.partition('@')[0]}")
    name = name.strip()[:_MOST]
    return _SEPARATORS.sub("-", name).lower() if kind.lower() in _PYTHON else name
