"""Exceptions as clients of other tools tell them, in the shape and under the key of our own.

Sentry's exceptions have been copied by others, PostHog among them: objects with `type`, `module`,
`value`, `mechanism` and `stacktrace.frames`, outermost frame first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qmon_sdk.protocol.grouping import hashed, key_of_way, template_of

from .loose import as_json, mapping, name, sequence, text, whole

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


class Placed(msgspec.Struct, frozen=True):
    """What is kept of a frame, as it is written or already written, and what it is known by."""

    written: dict[str, Any] | msgspec.Raw
    function: str
    name: str
    """Module and function."""
    in_app: bool


class Shaped(msgspec.Struct):
    """A frame that somebody has read in its shape, and places by himself."""

    def placed(self) -> Placed:
        raise NotImplementedError


class _Stack(msgspec.Struct, frozen=True):
    """The frames of an exception that are kept, outermost first."""

    frames: Sequence[Placed]
    omitted: int = 0


def told_of(exceptions: Sequence[Exception_]) -> Told:
    """Describe an error by its exceptions, the error itself first, then what led to it."""
    root, links, members = _related(exceptions)
    message = text(root.get("value"))
    types = [_full_name(each) for each in (root, *(link for _, link in links))]
    inside = sorted({_full_name(each) for each in members})
    stack = _stack_of(root)
    first = _link(root, stack, members=members)
    chain = [first, *(_link(link, _stack_of(link), relation=of) for of, link in links)]
    return Told(
        type=name(root.get("type")) or "Error",
        message=message,
        culprit=_culprit_of(stack.frames),
        stack=as_json({"chain": chain}),
        grouping=key_of_way((*types, *inside), _way_of(stack.frames), message),
        handled=mapping(root.get("mechanism")).get("handled") is not False,
    )


def told_of_message(message: str, frames: Sequence[Mapping[str, Any]], said: str = "") -> Told:
    """Describe a message as an error: grouped by where it is said and what it says.

    `said` is the message before its values were put into it.
    """
    named = [frame_of(frame) for frame in frames]
    function = named[-1].function if named else MESSAGE
    written = [frame.written for frame in named]
    link = {"type": MESSAGE, "module": "", "value": message, "frames": written}
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


def _stack_of(told: Exception_) -> _Stack:
    said = sequence(mapping(told.get("stacktrace")).get("frames"))
    frames = [each for each in said if isinstance(each, Shaped | dict)]
    omitted = max(0, len(frames) - HEAD - TAIL)
    if omitted:
        frames = [*frames[:HEAD], *frames[-TAIL:]]
    placed = [each.placed() if isinstance(each, Shaped) else frame_of(each) for each in frames]
    return _Stack(placed, omitted)


def _link(
    told: Exception_, stack: _Stack, *, relation: str = "", members: Sequence[Exception_] = ()
) -> dict[str, Any]:
    """One exception, as `qmon_sdk.stacktrace` writes it."""
    link: dict[str, Any] = {
        "type": name(told.get("type")),
        "module": name(told.get("module")),
        "value": text(told.get("value"), 2048),
        "frames": [frame.written for frame in stack.frames],
    }
    more = {
        "relation": relation,
        "omitted": stack.omitted,
        "group": [_link(member, _stack_of(member)) for member in members],
    }
    return link | {key: value for key, value in more.items() if value}


def frame_of(frame: Mapping[str, Any]) -> Placed:
    """What is kept of a frame."""
    file = text(frame.get("abs_path") or frame.get("filename"))[-MAX_PATH:]
    module, function = name(frame.get("module")), name(frame.get("function")) or "<unknown>"
    written: dict[str, Any] = {
        "file": file,
        "function": function,
        "module": module,
        "line": whole(frame.get("lineno")),
        "in_app": _is_in_app(frame.get("in_app"), file),
    }
    if frame.get("context_line"):
        written |= {
            "pre": _lines(frame.get("pre_context")),
            "code": text(frame["context_line"], MAX_LINE),
            "post": _lines(frame.get("post_context")),
        }
    if variables := locals_of(frame.get("vars") or frame.get("code_variables")):
        written["locals"] = variables
    # A file stands for a module that is not named.
    known_by = f"{module or file.rpartition('/')[2]}.{function}".lstrip(".")
    return Placed(written, function, known_by, written["in_app"])


def locals_of(said: Any) -> dict[str, str]:
    """The variables of a frame, as many as are kept."""
    variables = mapping(said)
    if len(variables) > MOST_LOCALS:
        variables = dict([*variables.items()][:MOST_LOCALS])
    return {
        name(key): value
        if type(value) is str and len(value) <= MAX_LOCAL and value.isascii()
        else text(value, MAX_LOCAL)
        for key, value in variables.items()
    }


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


def _way_of(frames: Sequence[Placed]) -> list[str]:
    return [frame.name for frame in frames if frame.in_app] or [frame.name for frame in frames]


def _culprit_of(frames: Sequence[Placed]) -> str:
    way = _way_of(frames)
    return way[-1] if way else ""


def _full_name(told: Exception_) -> str:
    module, kind = name(told.get("module")), name(told.get("type"))
    return f"{module}.{kind}" if module and module != "builtins" else kind
