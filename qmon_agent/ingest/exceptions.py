"""Exceptions as clients of other tools tell them, in the shape and under the key of our own.

Sentry's exceptions have been copied by others, PostHog among them: objects with `type`, `module`,
`value`, `mechanism` and `stacktrace.frames`, outermost frame first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qmon_sdk.protocol.grouping import hashed, key_of_way, template_of

from .loose import as_json, mapping, mappings, name, sequence, text, whole

# As many as the SDK keeps of its own.
MAX_CHAIN, MAX_MEMBERS = 10, 10
HEAD, TAIL = 20, 40
MAX_PATH, MAX_LOCAL, MOST_LOCALS = 400, 512, 40
MAX_LINE, MOST_LINES = 512, 20

MESSAGE = "Message"
DEFAULT = "{{ default }}"
_LIBRARIES = (
    "/site-packages/",
    "/dist-packages/",
    "/lib/python3",
    "/node_modules/",
    "node:",
    "<frozen ",
)

Exception_ = Mapping[str, Any]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an error that are made of its exceptions."""

    type: str
    message: str
    culprit: str
    stack: str
    grouping: str
    handled: bool = True


def told_of(exceptions: Sequence[Exception_]) -> Told:
    """Describe an error by its exceptions, the error itself first, then what led to it."""
    root, links, members = _related(exceptions)
    message = text(root.get("value"))
    types = [_full_name(each) for each in (root, *(link for _, link in links))]
    inside = sorted({_full_name(each) for each in members})
    chain = [_link(root, members=members), *(_link(link, relation) for relation, link in links)]
    frames = chain[0]["frames"]
    return Told(
        type=name(root.get("type")) or "Error",
        message=message,
        culprit=_culprit_of(frames),
        stack=as_json({"chain": chain}),
        grouping=key_of_way((*types, *inside), _way_of(frames), message),
        handled=mapping(root.get("mechanism")).get("handled") is not False,
    )


def told_of_message(message: str, frames: Sequence[Mapping[str, Any]], said: str = "") -> Told:
    """Describe a message as an error: grouped by where it is said and what it says.

    `said` is the message before its values were put into it.
    """
    named = [_frame(frame) for frame in frames]
    function = named[-1]["function"] if named else MESSAGE
    link = {"type": MESSAGE, "module": "", "value": message, "frames": named}
    return Told(
        type=MESSAGE,
        message=message,
        culprit=_culprit_of(named),
        stack=as_json({"chain": [link]}),
        grouping=hashed((function, template_of(said or message))),
    )


def grouping_of(fingerprint: Any, default: str) -> str:
    """Group as the application says; `{{ default }}` stands for our own opinion."""
    words = [text(word) for word in sequence(fingerprint)]
    known = {DEFAULT, "{{default}}"}
    if not words or (len(words) == 1 and words[0] in known):
        return default
    return hashed(default if word in known else word for word in words)


def _related(
    exceptions: Sequence[Exception_],
) -> tuple[Exception_, list[tuple[str, Exception_]], list[Exception_]]:
    """The error, what led to it with its relation, and what it is a group of."""
    root = exceptions[0]
    own_id = mapping(root.get("mechanism")).get("exception_id")
    by_parent: dict[Any, list[tuple[str, Exception_]]] = {}
    for each in exceptions[1:]:
        mechanism = mapping(each.get("mechanism"))
        parent = whole(mechanism.get("parent_id")) if "parent_id" in mechanism else None
        by_parent.setdefault(parent, []).append((text(mechanism.get("source"), 40), each))
    if own_id is None or None in by_parent:
        return root, [("cause", each) for each in exceptions[1:MAX_CHAIN]], []
    links: list[tuple[str, Exception_]] = []
    members = [each for source, each in by_parent.get(own_id, ()) if source not in _RELATIONS]
    before = own_id
    while len(links) < MAX_CHAIN - 1:
        found = [pair for pair in by_parent.pop(before, ()) if pair[0] in _RELATIONS]
        if not found:
            break
        source, each = found[0]
        links.append((_RELATIONS[source], each))
        before = mapping(each.get("mechanism")).get("exception_id")
    return root, links, members[:MAX_MEMBERS]


_RELATIONS = {
    "__cause__": "cause",
    "__context__": "context",
    "cause": "cause",
    "context": "context",
}


def _link(
    told: Exception_, relation: str = "", *, members: Sequence[Exception_] = ()
) -> dict[str, Any]:
    """One exception, as `qmon_sdk.stacktrace` writes it."""
    frames = [*mappings(mapping(told.get("stacktrace")).get("frames"))]
    omitted = max(0, len(frames) - HEAD - TAIL)
    if omitted:
        frames = [*frames[:HEAD], *frames[-TAIL:]]
    link: dict[str, Any] = {
        "type": name(told.get("type")),
        "module": name(told.get("module")),
        "value": text(told.get("value"), 2048),
        "frames": [_frame(frame) for frame in frames],
    }
    more = {
        "relation": relation,
        "omitted": omitted,
        "group": [_link(member) for member in members],
    }
    return link | {key: value for key, value in more.items() if value}


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    file = text(frame.get("abs_path") or frame.get("filename"))[-MAX_PATH:]
    written: dict[str, Any] = {
        "file": file,
        "function": name(frame.get("function")) or "<unknown>",
        "module": name(frame.get("module")),
        "line": whole(frame.get("lineno")),
        "in_app": _is_in_app(frame.get("in_app"), file),
    }
    if frame.get("context_line"):
        written |= {
            "pre": _lines(frame.get("pre_context")),
            "code": text(frame["context_line"], MAX_LINE),
            "post": _lines(frame.get("post_context")),
        }
    if variables := [*mapping(frame.get("vars") or frame.get("code_variables")).items()]:
        written["locals"] = {
            name(key): text(value, MAX_LOCAL) for key, value in variables[:MOST_LOCALS]
        }
    return written


def _lines(said: Any) -> list[str]:
    """Lines of source: most are plain, and looked at together."""
    lines = sequence(said)[:MOST_LINES]
    try:
        are_plain = "".join(lines).isascii() and max(map(len, lines), default=0) <= MAX_LINE
    except TypeError:
        are_plain = False
    return lines if are_plain else [text(line, MAX_LINE) for line in lines]


def _is_in_app(said: Any, file: str) -> bool:
    if isinstance(said, bool):
        return said
    return not any(folder in file for folder in _LIBRARIES)


def _way_of(frames: Sequence[Mapping[str, Any]]) -> list[str]:
    names = [_name_of(frame) for frame in frames if frame["in_app"]]
    return names or [_name_of(frame) for frame in frames]


def _culprit_of(frames: Sequence[Mapping[str, Any]]) -> str:
    way = _way_of(frames)
    return way[-1] if way else ""


def _name_of(frame: Mapping[str, Any]) -> str:
    """Module and function; a file stands for a module that is not named."""
    module = frame["module"] or frame["file"].rpartition("/")[2]
    return f"{module}.{frame['function']}".lstrip(".")


def _full_name(told: Exception_) -> str:
    module, kind = name(told.get("module")), name(told.get("type"))
    return f"{module}.{kind}" if module and module != "builtins" else kind
