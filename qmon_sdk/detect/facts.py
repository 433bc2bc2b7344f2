"""Everything found out about a process, and where each fact comes from."""

from __future__ import annotations

import os
import sys

from .container import container_attributes
from .git import revision_of
from .interpreter import CODE, launch_of
from .platforms import platform_of
from .program import program_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .platforms import Platform
    from .program import Program


class Facts:
    """Name, release and environment as guessed, and resource attributes by OpenTelemetry's names.

    `origins` says by what each was found: a variable, a file, the command.
    """

    __slots__ = ("environment", "origins", "release", "resource", "service")

    def __init__(self, service: str) -> None:
        self.service = service
        self.release = self.environment = ""
        self.resource: dict[str, str] = {}
        self.origins: dict[str, str] = {}


_NO_SCRIPT = ("", "-", "-c", "-m")
_NO_PLATFORM = "production", "unless somebody says otherwise"
_ENVIRONMENTS = ("APP_ENV", "ENVIRONMENT", "FLASK_ENV", "DJANGO_ENV")
"""Variables in which people keep the environment's name."""


def detect(
    command: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    cwd: str | None = None,
) -> Facts:
    """Find out what can be known of a process, this one by default; takes a fraction of 1 ms."""
    variables = os.environ if environ is None else environ
    program = program_of(_own() if command is None else command, variables, cwd=cwd or _here())
    platform = platform_of(variables)
    facts = Facts("")
    facts.service, facts.origins["service"] = _service(program, platform)
    facts.environment, facts.origins["environment"] = _environment(platform, variables)
    facts.release, facts.origins["release"], vcs = _release(program, platform)
    told = platform.resource if platform is not None else {}
    facts.resource = {**vcs, **container_attributes(variables), **told}
    return facts


def _own() -> list[str]:
    """Return this process's command line; the interpreter's own part of it comes first."""
    own = [word for word in getattr(sys, "orig_argv", ()) if isinstance(word, str)]
    told = [word for word in getattr(sys, "argv", ()) if isinstance(word, str)]
    if told and told[0] not in _NO_SCRIPT and (not own or launch_of(own[1:]).kind == CODE):
        return [sys.executable or "python", *told]  # what `multiprocessing` spawned knows it so
    return own


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been deleted under us
        return os.sep


def _service(program: Program, platform: Platform | None) -> tuple[str, str]:
    if platform is not None and platform.service:
        return platform.service, platform.name
    return program.name, program.found


def _environment(platform: Platform | None, environ: Mapping[str, str]) -> tuple[str, str]:
    if platform is not None and platform.environment:
        return platform.environment, platform.name
    for name in _ENVIRONMENTS:
        if environ.get(name):
            return environ[name], name
    return _NO_PLATFORM


def _release(program: Program, platform: Platform | None) -> tuple[str, str, dict[str, str]]:
    """Take the platform's word; without one, what is checked out where the program is."""
    if platform is not None and platform.release:
        return platform.release, platform.name, {}
    revision = revision_of(program.directory)
    if not revision.commit:
        return "", "no .git around the program", {}
    told = {"vcs.ref.head.revision": revision.commit}
    if revision.branch:
        told |= {"vcs.ref.head.name": revision.branch, "vcs.ref.type": "branch"}
    return revision.commit, f".git in {revision.place}", told
