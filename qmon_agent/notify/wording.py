"""Other words for a channel: templates of its title and text, in a language that always ends.

Jinja2's sandbox would still let a template run for hours; so there are no calls and no variables
to set, loops go over what a message has, one inside another at most, and filters are a few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.domain.errors import ConfigError, QmonError, raise_all
from qmon_agent.domain.notices import Notice
from qmon_agent.domain.tables import convert_all

from .channels import Channel, Delivery
from .message import MAX_MEMBERS, Action, Address, Message, clean, compose, moment, title_of

HOW = "python -m pip install 'qmon[templates]'"
MOST_TITLE, MOST_TEXT = 1_000, 20_000
_SOURCE = 10_000
_DEPTH = 2
_LOOPS = frozenset({"labels", "lines", "actions", "members"})
_OF_MEMBERS = ("alert", "status", "severity", "system", "value", "description")
_LOOP_FILTERS = frozenset({"dictsort", "items", "sort"})
_FILTERS = (
    *("abs", "capitalize", "d", "default", "dictsort", "first", "float", "int", "items", "last"),
    *("length", "lower", "round", "sort", "string", "title", "trim", "truncate", "upper"),
)
_NODES = (
    *("Template", "Output", "TemplateData", "Name", "Getattr", "Getitem", "Const", "If", "For"),
    *("CondExpr", "Compare", "Operand", "And", "Or", "Not", "Neg", "Filter", "Test", "Concat"),
    *("Add", "Sub", "Div", "Keyword", "Tuple"),
)


class Templates(msgspec.Struct, frozen=True, kw_only=True):
    """`[channels.NAME.templates]`: Jinja2 templates; what is not said stays as it is."""

    title: str = ""
    """Of one line."""
    text: str = ""
    """Of as many as it takes."""


class Worded:
    """A channel with words of its own; where they fail, the usual ones are said."""

    def __init__(self, inner: Channel, templates: Templates) -> None:
        """Raises ConfigError for a template that does not fit an ordinary message."""
        self.inner = inner
        self._render: dict[str, Callable[[Message], str]] = {}
        problems: list[QmonError] = []
        for name in ("title", "text"):
            try:
                if source := getattr(templates, name):
                    self._render[name] = _renderer(source, is_title=name == "title")
            except ConfigError as problem:
                problems.append(ConfigError(f"templates.{name}", problem.reason))
        raise_all(problems)

    async def send(self, message: Message) -> Delivery:
        return await self.inner.send(self.worded(message))

    def worded(self, message: Message) -> Message:
        """The message with its words, and what went wrong with them below it."""
        said: dict[str, str] = {}
        failed = []
        for name, render in self._render.items():
            try:
                said[name] = render(message)
            except Exception as error:  # noqa: BLE001 - whatever a template does, people are told
                failed.append(f"the template of this {name} failed: {clean(str(error), 200)}")
        text = "\n".join([said.pop("text", message.text), *failed])
        return msgspec.structs.replace(message, text=text, **said)


def plain(channel: Channel) -> Channel:
    """The channel itself, without the words that were put before it."""
    return channel.inner if isinstance(channel, Worded) else channel


def with_words(channel: Channel, table: Mapping[str, Any], path: str) -> Channel:
    """The channel, with the templates of its table; raises ConfigError with all that is wrong."""
    templates, problems = convert_all(dict(table), Templates, path)
    if templates is None or problems:
        raise_all(problems)
        return channel
    try:
        return Worded(channel, templates)
    except ConfigError as problem:
        of_channel = path.removesuffix("templates")
        raise_all([_at(of_channel, one) for one in (problem, *problem.others)])
        raise


def _at(where: str, problem: QmonError) -> ConfigError:
    return ConfigError(f"{where}{problem.path}", getattr(problem, "reason", str(problem)))


def _renderer(source: str, *, is_title: bool) -> Callable[[Message], str]:
    """What makes words of a message; tried on messages with much and with little in them."""
    template = _compiled(source)
    most = MOST_TITLE if is_title else MOST_TEXT

    def render(message: Message) -> str:
        text = _bounded(template.generate(_known_of(message)), most)
        lines = [clean(line, most) for line in text.splitlines()]
        return " ".join(" ".join(lines).split()) if is_title else "\n".join(lines)

    for what, sample in _samples():
        try:
            render(sample)
        except Exception as error:  # noqa: BLE001 - whatever it is, the configuration is wrong
            raise ConfigError("", f"{error} (tried on {what})") from None
    return render


def _compiled(source: str) -> Any:
    try:
        # Here, since an agent without templates need not carry it.
        from jinja2 import StrictUndefined, TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ModuleNotFoundError:
        raise ConfigError("", f"the library jinja2 is not installed; {HOW}") from None
    if len(source) > _SOURCE:
        raise ConfigError("", f"is longer than {_SOURCE} characters")
    known = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    known.filters = {name: known.filters[name] for name in _FILTERS}
    known.globals = {}
    try:
        _check(known.parse(source), depth=0)
        return known.from_string(source)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ConfigError("", f"line {line}: {error}" if line else str(error)) from None
    except RecursionError:
        raise ConfigError("", "is nested too deeply") from None


def _check(node: Any, *, depth: int) -> None:
    """Raise ConfigError for what may take long, or become large."""
    kind = type(node).__name__
    if kind not in _NODES:
        raise ConfigError("", f"line {node.lineno}: no {kind.lower()} in templates of messages")
    if kind == "For":
        depth += 1
        if depth > _DEPTH or not _is_short(node.iter) or node.recursive:
            known = ", ".join(sorted(_LOOPS))
            reason = f"a loop goes over {known}, at most one inside another"
            raise ConfigError("", f"line {node.lineno}: {reason}")
    for child in node.iter_child_nodes():
        _check(child, depth=depth)


def _is_short(node: Any) -> bool:
    while type(node).__name__ == "Filter":
        if node.name not in _LOOP_FILTERS:
            return False
        node = node.node
    return type(node).__name__ == "Name" and node.name in _LOOPS


def _bounded(pieces: Iterator[str], most: int) -> str:
    text = ""
    for piece in pieces:
        text += piece[: most + 1]
        if len(text) > most:
            return f"{text[: most - 1]}…"
    return text


class _Labels(dict[str, str]):
    """Labels that are not there are empty: not every alert has the same."""

    def __missing__(self, name: str) -> str:
        return ""


def _known_of(message: Message) -> dict[str, Any]:
    """What a template may speak of."""
    notice = message.notice
    moments = ("since", "fired_at", "resolved_at", "event_time")
    words = ("alert", "status", "severity", "system", "metric", "threshold", "rule", "reason")
    return {
        **{name: getattr(notice, name) for name in (*words, "description", "incident", "value")},
        **{name: moment(at) if (at := getattr(notice, name)) else "" for name in moments},
        "said": notice.text,
        "labels": _Labels(notice.labels),
        "title": message.title,
        "text": message.text,
        "lines": message.text.splitlines(),
        "link": message.link,
        "chart": message.chart_link,
        "actions": [{"name": each.name, "link": each.link} for each in message.actions],
        "members": [_member(each) for each in notice.members[:MAX_MEMBERS]],
        "others": message.others,
        "attempt": message.attempt,
        "channel": message.channel,
        "key": message.key,
    }


def _member(notice: Notice) -> dict[str, Any]:
    """One incident of a group."""
    return {"title": title_of(notice), **{name: getattr(notice, name) for name in _OF_MEMBERS}}


def _samples() -> Iterator[tuple[str, Message]]:
    """Messages as they come, made up."""
    little = Notice(incident="0" * 16, status="firing", reason="new", alert="Something is new")
    yield "a message without a value", compose(little, Address(key="k", channel="c"))
    much = Notice(
        incident="0" * 16,
        status="resolved",
        reason="cleared",
        alert="Too many are waiting",
        description="Open a second till.",
        severity="critical",
        rule="threshold",
        system="shop",
        metric="orders.waiting",
        threshold="> 20",
        value=23.5,
        labels={"service": "shop"},
        event_time=1,
        since=1,
        fired_at=1,
        resolved_at=2,
    )
    much = msgspec.structs.replace(much, members=(much, little))
    address = Address(
        key="k",
        channel="c",
        link="https://qmon.example/incidents/0",
        actions=(Action(name="Acknowledge", link="https://qmon.example/ack"),),
        others=2,
    )
    yield "a message with everything", compose(much, address)
