"""What whoever helps has to see of an agent: how it is set, built and laid out, and no data."""

from __future__ import annotations

import os
import platform
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import msgspec

from qmon_agent.app.checking import load_plugins
from qmon_agent.app.origins import options_in_force
from qmon_agent.domain.errors import QmonError
from qmon_agent.journal import START, JournalReader
from qmon_agent.settings import Locations
from qmon_agent.settings.masking import MASK, secrets_of, without_shapes

_MOST_FILES = 2_000
_MOST_LETTERS = 100
_LETTER_BYTES = 8 << 20
_SIGNED_IN = re.compile(r"(?<=://)[^/@\s\"]+(?=@)")
# Names alone: a value may be anything.
_OURS = re.compile(r"^(QMON|OTEL|SENTRY|PYTHON|LISTEN|WATCHDOG|NOTIFY|STATE_DIR|RUNTIME_DIR)")


class Scrubber:
    """Takes every secret out of a text: those that are known, and what looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: one may be a part of another.
        self._secrets = sorted({*_forms(secrets)}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return without_shapes(_SIGNED_IN.sub(MASK, text))


def scrubber_for(locations: Locations, *, pid: int = 0) -> Scrubber:
    """One that knows what the file says, what it refers to, and both environments."""
    written: Mapping[str, Any] = {}
    try:
        text = locations.config.read_text("utf-8") if locations.config else ""
        written = tomllib.loads(text)
    except (OSError, ValueError):
        pass  # what cannot be read is not put in either
    environments = (dict(os.environ), _environment_of(pid))
    return Scrubber(set[str]().union(*(secrets_of(written, each) for each in environments)))


def about(locations: Locations) -> dict[str, Any]:
    """Where it runs, and in which versions of what."""
    return {
        "python": sys.version,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "user": os.getuid(),
        "places": {name: str(getattr(locations, name)) for name in ("state", "socket", "config")},
        "variables": sorted(name for name in os.environ if _OURS.match(name)),
        "packages": {each.name: each.version for each in distributions()},
    }


def configuration(locations: Locations) -> dict[str, Any]:
    """Every option in force with its origin, or what is wrong."""
    try:
        settings, plugins = load_plugins(locations.config)
        options = options_in_force(locations, settings, plugins)
    except QmonError as problem:
        return {"problems": [str(one) for one in (problem, *problem.others)]}
    return {"options": msgspec.to_builtins(options)}


def layout(locations: Locations) -> list[dict[str, Any]]:
    """Names and sizes below the state directory."""
    found = []
    for path in sorted(locations.state.rglob("*"))[:_MOST_FILES]:
        try:
            status = path.lstat()
        except OSError:
            continue
        name = str(path.relative_to(locations.state))
        found.append({"name": name, "bytes": status.st_size, "changed": int(status.st_mtime)})
    return found


def dead_letters(locations: Locations) -> list[dict[str, Any]]:
    """Why the last ones were put aside; nothing of what is in them."""
    return [*_letters(locations.journal / "dead")][-_MOST_LETTERS:]


def _letters(directory: Path) -> Iterator[dict[str, Any]]:
    if not directory.is_dir():
        return
    reader = JournalReader(directory, START)
    try:
        for record in reader.read(max_bytes=_LETTER_BYTES):
            reason, size, _ = msgspec.msgpack.decode(record.payload)
            yield {"time": record.time, "reason": reason, "bytes": size}
    except (OSError, ValueError, msgspec.MsgspecError):
        return
    finally:
        reader.close()


def _environment_of(pid: int) -> dict[str, str]:
    """What the running agent was given; only its own user may look."""
    try:
        lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if pid else []
    except OSError:
        return {}
    pairs = (line.decode("utf-8", "replace").partition("=") for line in lines)
    return {name: value for name, _, value in pairs}


def _forms(secrets: Iterable[str]) -> Iterator[str]:
    """As they are, and as JSON writes them."""
    for secret in secrets:
        yield secret
        yield msgspec.json.encode(secret).decode()[1:-1]
