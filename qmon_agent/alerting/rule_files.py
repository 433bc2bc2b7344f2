"""Rule files of Prometheus as alerts of ours: what can be run, and why the rest cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from qmon_agent.domain.durations import print_duration
from qmon_agent.domain.errors import ConfigError, QmonError

from .promql import Expressions
from .promql.templates import Template, TemplateError
from .promql.tree import UnsupportedError
from .rules import RULES

EVERY = "1m"
"""How often a group is asked that does not say, in Prometheus."""
_KNOWN = {
    "alert": {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"},
    "record": {"record", "expr", "labels"},
}
_IN_GROUPS = {"name", "interval", "rules", "limit", "query_offset", "labels"}
_SEVERITIES = {
    "critical": "critical",
    "page": "critical",
    "error": "error",
    "warning": "warning",
    "info": "info",
    "none": "info",
}
_META = {"ALERTS", "ALERTS_FOR_STATE"}
_REFERENCE = re.compile(r"\$\{[A-Za-z_]|^file:")
_TEXTS = ("summary", "description", "message")
_PART = re.compile(r"(\d+)(ms|[ywdhms])")
_UNITS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_MILLI = 1_000_000


class RuleFileError(QmonError):
    """A file that is no rule file of Prometheus."""


class Imported(msgspec.Struct, kw_only=True):
    """One rule: as it can be run, or why not."""

    file: str
    group: str
    kind: str
    name: str
    expr: str = ""
    runs: bool = True
    reason: str = ""
    """Why it cannot be run."""
    notes: list[str] = []
    """What of it is otherwise, or left out."""
    table: dict[str, Any] = {}
    """Of an alert that can be run: its `[[alerts]]` table."""


def read_rules(files: Mapping[str, str], *, every: str = EVERY) -> list[Imported]:
    """The rules of files, given as name and text; raises RuleFileError for what is none."""
    rules = [rule for name, text in files.items() for rule in _rules(name, text, every)]
    records: dict[str, list[Imported]] = {}
    for rule in rules:
        if rule.kind == "record":
            records.setdefault(rule.name, []).append(rule)
    names: set[str] = set()
    for rule in rules:
        if rule.kind == "alert" and rule.runs:
            _need(rule, records)
            rule.table["name"] = _name(rule, names)
    return rules


Said = Mapping[str, Any]


def _rules(file: str, text: str, every: str) -> Iterator[Imported]:
    try:
        import yaml
    except ImportError:
        raise RuleFileError("rule files need the package pyyaml: install qmon[promql]") from None
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise RuleFileError(f"{file}: no YAML: {problem}") from None
    groups = read.get("groups") if isinstance(read, dict) else None
    if not isinstance(groups, list):
        raise RuleFileError(f"{file}: no rule file: it has no list `groups`")
    for group in groups:
        if not isinstance(group, dict) or not isinstance(group.get("rules") or [], list):
            raise RuleFileError(f"{file}: a group is a table with a list `rules`")
        for said in group.get("rules") or []:
            yield _rule(file, group, said=said, every=every)


def _rule(file: str, group: Said, *, said: Any, every: str) -> Imported:
    said = said if isinstance(said, dict) else {}
    kind = "record" if "record" in said else "alert"
    rule = Imported(
        file=file,
        group=str(group.get("name", "")),
        kind=kind,
        name=str(said.get(kind, "")),
        expr=str(said.get("expr", "")).strip(),
    )
    try:
        _judge(rule, group, said=said, every=every)
    except (UnsupportedError, TemplateError, ConfigError, ValueError) as problem:
        rule.runs, rule.reason = False, str(problem)
    return rule


def _judge(rule: Imported, group: Said, *, said: Said, every: str) -> None:
    _refuse_strange(rule, group, said=said)
    if group.get("limit"):
        rule.notes.append("`limit` is left out: an alert has at most 10,000 instances")
    asked = {selector.name for selector, _ in Expressions().parse(rule.expr).walk()}
    if meta := sorted(asked & _META):
        raise UnsupportedError(f"{meta[0]} is a series of Prometheus's own alerts")
    if rule.kind == "alert":
        rule.table = _table(rule, group, said=said, every=every)
        return
    labels = {**_texts(group.get("labels")), **_texts(said.get("labels"))}
    rule.table = {"record": rule.name, "expr": rule.expr}
    if labels:
        rule.table["labels"] = labels


def _refuse_strange(rule: Imported, group: Said, *, said: Said) -> None:
    if not rule.name:
        raise UnsupportedError("neither `alert` nor `record`")
    for keys, known in ((said, _KNOWN[rule.kind]), (group, _IN_GROUPS)):
        if strange := sorted(str(key) for key in keys if key not in known):
            raise UnsupportedError(f"{strange[0]!r} is not known")
    if group.get("query_offset"):
        raise UnsupportedError("`query_offset` is not supported")
    texts = (rule.expr, *_texts(said.get("labels")).values())
    if any(_REFERENCE.search(text) for text in texts):
        raise UnsupportedError("a configuration would take `${name}` and `file:` for references")


def _table(rule: Imported, group: Said, *, said: Said, every: str) -> dict[str, Any]:
    labels = {**_texts(group.get("labels")), **_texts(said.get("labels"))}
    severity = labels.get("severity", "").lower()
    options: dict[str, Any] = {
        "expr": rule.expr,
        "interval": _duration(group.get("interval") or every),
    }
    if labels:
        options["labels"] = labels
    text, others = _annotations(said.get("annotations"), rule.notes)
    if text:
        options["text"] = text
    RULES.build("promql", options)
    table = {
        "name": rule.name,
        "rule": "promql",
        "severity": _SEVERITIES.get(severity, ""),
        "for": _duration(said.get("for") or "0s"),
        "keep_firing_for": _duration(said.get("keep_firing_for") or "0s"),
        "description": others,
    }
    kept = {key: value for key, value in table.items() if value and value != "0s"}
    return {**kept, "options": options}


def _annotations(said: Any, notes: list[str]) -> tuple[str, str]:
    """What is told of each instance, and where there is more to read."""
    texts = _texts(said)
    chosen = ""
    for name in _TEXTS:
        if name not in texts:
            continue
        try:
            Template(texts[name])
        except TemplateError as problem:
            notes.append(f"annotation {name!r} is left out: {problem}")
            continue
        chosen = chosen or texts[name]
    link = texts.get("runbook_url", "")
    return chosen, link if "{{" not in link else ""


def _texts(said: Any) -> dict[str, str]:
    if not isinstance(said or {}, dict):
        raise UnsupportedError(f"{said!r} is no table of labels or annotations")
    return {str(key): str(value) for key, value in (said or {}).items()}


def _duration(said: Any) -> str:
    text = str(said).strip()
    if text == "0":
        return "0s"
    if _PART.sub("", text) or not text:
        raise UnsupportedError(f"{text!r} is no duration")
    return print_duration(sum(int(n) * _UNITS[unit] for n, unit in _PART.findall(text)) * _MILLI)


def _need(rule: Imported, records: Mapping[str, list[Imported]]) -> None:
    """Add the recording rules whose series it asks for, those first that others ask for."""
    wanted: dict[str, list[Imported]] = {}
    _collect(rule.expr, records, wanted)
    needed = [each for same in wanted.values() for each in same]
    for each in needed:
        if not each.runs:
            rule.runs = False
            rule.reason = f"it needs {each.name}, which cannot be recorded: {each.reason}"
            return
    if needed:
        rule.table["options"]["records"] = [each.table for each in needed]


def _collect(
    expr: str, records: Mapping[str, list[Imported]], wanted: dict[str, list[Imported]]
) -> None:
    for selector, _ in Expressions().parse(expr).walk():
        same = records.get(selector.name, [])
        if not same or selector.name in wanted:
            continue
        wanted[selector.name] = []
        for record in same:
            if record.runs:
                _collect(record.expr, records, wanted)
        wanted[selector.name] = wanted.pop(selector.name) or same


def _name(rule: Imported, taken: set[str]) -> str:
    """Names are ours alone; in Prometheus, warning and critical often share one."""
    severity = rule.table.get("severity", "")
    several = (f"{rule.name} {number}" for number in range(2, 10_000))
    for name in (rule.name, f"{rule.name} ({severity})", *several):
        if name not in taken:
            taken.add(name)
            return name
    raise RuleFileError(f"too many alerts are called {rule.name!r}")


def toml_of(rules: Iterable[Imported]) -> str:
    """The `[[alerts]]` of the alerts that can be run, to be put into a configuration."""
    return "\n".join(_toml(rule.table) for rule in rules if rule.kind == "alert" and rule.runs)


def _toml(table: Mapping[str, Any]) -> str:
    lines = ["[[alerts]]"]
    lines += [f"{key} = {_quoted(value)}" for key, value in table.items() if key != "options"]
    options = table["options"]
    lines.append("[alerts.options]")
    lines += [f"{key} = {_quoted(value)}" for key, value in options.items() if key != "records"]
    for record in options.get("records", ()):
        lines.append("[[alerts.options.records]]")
        lines += [f"{key} = {_quoted(value)}" for key, value in record.items()]
    return "\n".join(lines) + "\n"


def _quoted(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_quoted(key)} = {_quoted(text)}" for key, text in value.items())
        return f"{{ {inner} }}"
    return msgspec.json.encode(str(value)).decode().replace("\x7f", "\\u007f")
