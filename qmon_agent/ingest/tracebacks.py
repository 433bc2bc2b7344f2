"""Stacks that came as text, of several languages, as the chain that an error of ours keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

Frame = dict[str, Any]
Link = dict[str, Any]
"""One exception of a chain, as `qmon_sdk.stacktrace` describes it."""

_MAX_TEXT = 64 * 1024
_MAX_LINKS = 10
_HEAD, _TAIL = 20, 40
_MAX_VALUE = 2048

_PYTHON = re.compile(r'  File "([^"\n]+)", line (\d{1,9}), in (.+)')
_TITLE = re.compile(r"(?:Uncaught )?([A-Za-z_$][\w.$]*)(?:: (.*))?$")
_AT = re.compile(r"\s+at (?:(.+?) ?\((.+)\)|(.+))$")
_PLACE = re.compile(r"(?:file://)?(.+?)(?::(\d{1,9}))?(?::\d+)?$")
_CAUSED = "Caused by: "
_RELATIONS = {
    "The above exception was the direct cause of the following exception:": "cause",
    "During handling of the above exception, another exception occurred:": "context",
}
_FOREIGN = re.compile(
    r"site-packages/|dist-packages/|/lib/python\d|^<|node_modules/|^node:|^internal/|"
    r"^(?:java|javax|jdk|sun|kotlin|scala|org\.springframework|System|Microsoft)\."
)


def chain_of(text: str, *, kind: str, value: str) -> list[Link]:
    """The exception itself and what led to it; without frames where the text is of no known form.

    `kind` and `value` are what its sender says beside the text.
    """
    text = text[:_MAX_TEXT]
    chain = _python(text) if "Traceback (most recent call last)" in text else _inward(text)
    own: Link = chain[0] if chain else {"frames": []}
    module, _, name = kind.rpartition(".")
    own |= {"type": name or own.get("type", ""), "value": (value or own.get("value", ""))}
    own |= {"module": module or own.get("module", "")}
    own["value"] = own["value"][:_MAX_VALUE]
    if text and not own["frames"]:
        own["text"] = text
    return [own, *chain[1:_MAX_LINKS]]


def written(chain: list[Link]) -> str:
    """As the JSON that stands in an error's `stack`."""
    return msgspec.json.encode({"chain": chain}).decode()


def is_in_app(place: str) -> bool:
    """Whether a file, or a function's full name, is the application's own."""
    return not _FOREIGN.search(place)


# --- Python: what led to it comes first, frames from the outside in ---------------------------


def _python(text: str) -> list[Link]:
    parts: list[list[str]] = [[]]
    relations: list[str] = []
    for line in text.splitlines():
        if relation := _RELATIONS.get(line.strip()):
            relations.append(relation)
            parts.append([])
        else:
            parts[-1].append(line)
    chain = [_python_link(lines) for lines in reversed(parts)]
    for link, relation in zip(chain[1:], reversed(relations), strict=False):
        link["relation"] = relation
    return chain


def _python_link(lines: list[str]) -> Link:
    frames: list[Frame] = []
    title = ""
    for line in lines:
        if found := _PYTHON.match(line):
            file, number, function = found.groups()
            frames.append(_frame(file, function, line=int(number), module=_module_of(file)))
        elif line.startswith("    ") and frames:
            frames[-1].setdefault("code", line[4:])
        elif line[:1].strip() and not title and frames:
            title = line
    return _link(title, frames)


def _module_of(file: str) -> str:
    """The last part of its name, for there is no telling where the package begins."""
    name = file.replace("\\", "/").rpartition("/")[2]
    return name.removesuffix(".py")


# --- JavaScript, Java, .NET: what it led to comes first, frames from the inside out -----------


def _inward(text: str) -> list[Link]:
    chain: list[Link] = []
    title, frames = "", list[Frame]()
    for line in text.splitlines():
        if line.startswith(_CAUSED):
            chain.append(_link(title, frames[::-1]))
            title, frames = line.removeprefix(_CAUSED), []
        elif found := _AT.match(line):
            function, place, bare = found.groups()
            frames.append(_placed(function or "", place or bare))
        elif not title:
            title = line
    chain.append(_link(title, frames[::-1]))
    for link in chain[1:]:
        link["relation"] = "cause"
    return chain if any(link["frames"] for link in chain) else []


def _placed(function: str, place: str) -> Frame:
    file, line = place, "0"
    if found := _PLACE.match(place):
        file, line = found.group(1), found.group(2) or "0"
    # Java tells the class with the function, and only the last part of the file's name.
    module, _, name = function.rpartition(".")
    return _frame(file, name or function, line=int(line), module=module)


# --- all ---------------------------------------------------------------------------------------


def _frame(file: str, function: str, *, line: int, module: str) -> Frame:
    own = is_in_app(file.replace("\\", "/")) and is_in_app(f"{module}.")
    return {"file": file, "function": function, "module": module, "line": line, "in_app": own}


def _link(title: str, frames: list[Frame]) -> Link:
    found = _TITLE.match(title)
    kind, value = found.groups() if found else ("", title)
    module, _, name = kind.rpartition(".")
    link: Link = {"type": name, "module": module, "value": (value or "")[:_MAX_VALUE]}
    link["frames"] = [*_bounded(frames)]
    if (omitted := len(frames) - _HEAD - _TAIL) > 0:
        link["omitted"] = omitted
    return link


def _bounded(frames: list[Frame]) -> Iterator[Frame]:
    if len(frames) <= _HEAD + _TAIL:
        yield from frames
        return
    yield from frames[:_HEAD]
    yield from frames[-_TAIL:]
