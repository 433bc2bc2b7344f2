"""Which commit is checked out, read from the files of `.git`: Git itself is never run."""

from __future__ import annotations

import os

from .reading import read, text_of, upwards

PACKED_BYTES = 8 << 20
"""As much of `packed-refs` as is searched; a hundred thousand branches fit."""

_LINKS = 5  # references to references
_HEX = frozenset("0123456789abcdef")
_LENGTHS = (40, 64)  # SHA-1 and SHA-256


class Revision:
    """What `HEAD` is: empty where nothing is checked out."""

    __slots__ = ("branch", "commit", "place")

    def __init__(self, commit: str = "", branch: str = "") -> None:
        self.commit = commit
        self.branch = branch
        self.place = ""  # the directory that holds `.git`


def revision_of(directory: str) -> Revision:
    """Find the checkout around a directory and read its revision; an empty one if there is none."""
    for above in upwards(directory):
        place = _git_directory(above)
        if place:
            found = _head(place)
            found.place = above
            return found
    return Revision()


def _git_directory(checkout: str) -> str:
    """Name the directory behind `.git`, which is a file in worktrees and submodules."""
    dot_git = os.path.join(checkout, ".git")
    if os.path.isdir(dot_git):
        return dot_git if os.path.exists(os.path.join(dot_git, "HEAD")) else ""
    key, _, path = text_of(dot_git).strip().partition(": ")
    return os.path.join(checkout, path) if key == "gitdir" and path else ""


def _head(git: str) -> Revision:
    said = text_of(os.path.join(git, "HEAD")).strip()
    if not said.startswith("ref:"):
        return Revision(_commit(said))
    reference = said[4:].strip()
    branch = reference.removeprefix("refs/heads/") if reference.startswith("refs/heads/") else ""
    commit = _resolved(git, reference)
    return Revision(commit, branch if commit else "")


def _resolved(git: str, reference: str) -> str:
    """Follow a reference to its commit; a branch without one yet has none."""
    shared = _shared(git)
    for _ in range(_LINKS):
        if not _is_name(reference):
            return ""
        said = next((text for place in (git, shared) if (text := _loose(place, reference))), "")
        if not said:
            return _packed(shared, reference)
        if not said.startswith("ref:"):
            return _commit(said)
        reference = said[4:].strip()
    return ""


def _shared(git: str) -> str:
    """Name the directory that worktrees share: branches are kept there."""
    path = text_of(os.path.join(git, "commondir")).strip()
    return os.path.join(git, path) if path else git


def _is_name(reference: str) -> bool:
    """Say whether it names something below `refs/`, and nothing outside of it."""
    return reference.startswith("refs/") and ".." not in reference and "\0" not in reference


def _loose(git: str, reference: str) -> str:
    return text_of(os.path.join(git, reference)).strip()


def _packed(git: str, reference: str) -> str:
    """Look a branch up where Git keeps those that have not moved for a while."""
    packed = b"\n" + read(os.path.join(git, "packed-refs"), PACKED_BYTES)
    at = (packed + b"\n").find(b" " + reference.encode("utf-8", "replace") + b"\n")
    line = packed[packed.rfind(b"\n", 0, at) + 1 : at] if at > 0 else b""
    return _commit(line.decode("ascii", "replace"))


def _commit(text: str) -> str:
    return text if len(text) in _LENGTHS and _HEX.issuperset(text) else ""
