"""Settings that may be shown: what is secret reads `***`, and where it comes from stays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from qmon_agent.settings.lines import flat

MASK = "***"
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_WORDS = (
    *("token", "secret", "password", "passwd", "passphrase", "credential", "authorization"),
    *("apikey", "api_key", "access_key", "private", "cookie", "dsn", "signature", "body"),
)
# Whole keys, and endings of keys.
_KEYS = re.compile(r"(^|_)(key|keys|auth|pass|pwd)$")
# Settings that have such a word in their name, and are none.
_PLAIN = re.compile(r"(_s|_bytes|_file|_path|_rows|_credit)$")
# What `scrub` looks for are names, not what is under them.
_NAMES = re.compile(r"^processors\[\d+\]\.(keys|allow|remove|hash)(\[\d+\])?$")
_PLAIN_HEADERS = frozenset({"accept", "content-type", "user-agent", "x-scope-orgid"})
# How a header begins before its secret.
_SCHEMES = re.compile(r"^(Bearer|Basic|Token|ApiKey|Splunk)\s+$", re.IGNORECASE)
_SHAPES = re.compile(
    r"qmon_[\w-]{16,}|whsec_[\w+/=]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|AKIA[0-9A-Z]{12,}"
    r"|gh[pousr]_\w{16,}|xox[abprs]-[\w-]{8,}|sk-[\w-]{16,}|phc_\w{16,}"
)
# Where the path of an address is the secret.
_HIDING = ("channels.", "heartbeat.")
# In the addresses of Apprise, anything may be.
_USUAL_SCHEMES = frozenset({"http", "https"})
_LONG_WORD = 16
_NOT_SECRET = frozenset({"PWD", "OLDPWD"})
_WORDS_OF_NO_SECRET = frozenset({"true", "false", "none", "null", "auto", "default"})
_SHORTEST = 4
Environ = Mapping[str, str]


def masked(path: str, value: Any) -> Any:
    """The value as it is written, as far as anybody may see it."""
    if isinstance(value, (list, tuple)):
        return [masked(path, item) for item in value]
    if isinstance(value, Mapping):
        return {key: masked(f"{path}.{key}", item) for key, item in value.items()}
    if not isinstance(value, str) or not value:
        return value
    if is_secret(path):
        return value if value.startswith("file:") else _references_of(value)
    text = _without_secrets(path, value) if "://" in value else value
    return without_shapes(text)


def without_shapes(text: str) -> str:
    """Whatever looks like a token, wherever it stands."""
    return _SHAPES.sub(MASK, text)


def is_secret(path: str) -> bool:
    """Whether what is said there is a secret by its name."""
    if _NAMES.match(path):
        return False
    *outer, key = path.lower().replace("-", "_").split(".")
    if outer and outer[-1] == "headers":
        return key.replace("_", "-") not in _PLAIN_HEADERS
    key = key.partition("[")[0]
    if _PLAIN.search(key):
        return False
    return bool(_KEYS.search(key)) or any(word in key for word in _WORDS)


def secrets_of(written: Mapping[str, Any], environ: Environ) -> set[str]:
    """Every text that must not leave: of the file, of what it refers to, and of the environment."""
    found = {
        value
        for name, value in environ.items()
        if is_secret(name) and name not in _NOT_SECRET and value.lower() not in _WORDS_OF_NO_SECRET
    }
    for path, value in flat(written):
        for text in _texts(value):
            found.update(environ.get(name, "") for name in _REFERENCE.findall(text))
            found.update(_parts(path, text))
    return {text for text in found if len(text) >= _SHORTEST}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _parts(path: str, text: str) -> Iterator[str]:
    """What a text of the file gives away."""
    if text.startswith("file:"):
        try:
            yield Path(text.removeprefix("file:")).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError):
            return
    elif is_secret(path):
        yield text
        yield from text.split()[1:]
    elif "://" in text and masked(path, text) != text:
        parts = _split(text)
        yield text
        if parts is not None:
            yield from (parts.password or "", parts.username or "", parts.query)
            yield from (each for each in parts.path.split("/") if len(each) >= _LONG_WORD)
            if path.startswith(_HIDING):
                yield parts.path
                if parts.scheme not in _USUAL_SCHEMES:
                    yield from (parts.netloc, *parts.path.split("/"))
    yield from _SHAPES.findall(text)


def _references_of(text: str) -> str:
    """References stay, as does how a header begins; all else between them is gone."""
    pieces = re.split(r"(\$\{\w+\})", text)
    return "".join(
        piece if _REFERENCE.fullmatch(piece) or _SCHEMES.match(piece) or not piece else MASK
        for piece in pieces
    )


def _without_secrets(path: str, text: str) -> str:
    """An address: who signs in, what is asked, and what nobody could guess are left out."""
    parts = _split(text)
    if parts is None:
        return MASK
    if path.startswith(_HIDING) and parts.scheme not in _USUAL_SCHEMES:
        return f"{parts.scheme}://{MASK}"
    host = parts.netloc.rpartition("@")
    netloc = f"{_references_of(host[0])}@{host[2]}" if host[1] else parts.netloc
    all_hidden = path.startswith(_HIDING)
    steps = [_step(step, is_hidden=all_hidden) for step in parts.path.split("/")]
    query = _references_of(parts.query) if parts.query else ""
    return urlunsplit((parts.scheme, netloc, "/".join(steps), query, ""))


def _step(step: str, *, is_hidden: bool) -> str:
    if not step or _REFERENCE.fullmatch(step):
        return step
    is_random = len(step) >= _LONG_WORD and any(c.isdigit() for c in step)
    return MASK if is_hidden or is_random else step


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None
