"""What options there are, of every section and plug-in, from the code that reads them."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.errors import ConfigError, nearest_to
from qmon_agent.domain.hints import is_record, records_in
from qmon_agent.domain.plugins import Registry
from qmon_agent.forward.sinks import SINKS
from qmon_agent.ingest.declared import ProcessorOptions
from qmon_agent.ingest.processors import PROCESSORS
from qmon_agent.ingest.sources import SOURCES
from qmon_agent.monitoring.declared import ProbeOptions
from qmon_agent.monitoring.probes import PROBES
from qmon_agent.monitoring.samplers import SAMPLERS
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.settings import Settings
from qmon_agent.settings.retention import KINDS

PLUGINS: dict[str, Registry[Any]] = {
    "sources": SOURCES,
    "processors": PROCESSORS,
    "sinks": SINKS,
    "probes": PROBES,
    "channels": CHANNELS,
    "samplers": SAMPLERS,
    "rules": RULES,
}
_OF_ALL = {"processors": ProcessorOptions, "probes": ProbeOptions}
"""What every plug-in of a kind has beside its own."""
_UNIONS = (Union, types.UnionType)
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key that may be said."""

    key: str
    type: str
    required: bool
    default: Any = None
    meaning: str = ""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A section or a plug-in: what it is for, what it takes, and what there is below it."""

    path: str
    meaning: str
    options: tuple[Key, ...] = ()
    names: dict[str, str] = {}


_KIND = Key(
    key="kind",
    type="str",
    required=False,
    default="",
    meaning="Which plug-in it is; the section's name, if nothing is said.",
)
_ROUTES = Key(
    key="routes",
    type="list of str",
    required=False,
    default=[],
    meaning="Marks of what it gets, given by `route` processors; without the key it gets all.",
)
_TEMPLATES = Key(
    key="templates",
    type="table",
    required=False,
    default={},
    meaning="Jinja2 templates of what its messages say: `title` and `text`.",
)
_BESIDE = {"sinks": (_KIND, _ROUTES), "channels": (_KIND, _TEMPLATES)}
"""What is read from the table before the plug-in sees it."""
_KEPT = "How long, and how many bytes, is kept of each kind; what is not named is kept for ever."
_AGE = 'How long, as `7d`; the same as `KIND = "7d"`.'
_BYTES = "Of its segments, as `20GB`: beyond them the oldest go."
_OF_SERVICE = "The same of one service, of a kind of signal."


def explain(path: str) -> Explained:
    """`sinks.webhook`, or a list as `sinks`; raises ConfigError or UnknownPluginError."""
    kind, _, name = path.partition(".")
    sections = {
        field.encode_name: [*records_in(field.type)] for field in msgspec.structs.fields(Settings)
    }
    if name and kind in PLUGINS:
        plugin = PLUGINS[kind].find(name)
        records = [plugin, *([_OF_ALL[kind]] if kind in _OF_ALL else [])]
    elif kind in sections | PLUGINS and not name:
        records = sections.get(kind, [])
    else:
        known = (*sections, *PLUGINS)
        raise ConfigError(
            "--explain",
            f"no section {path!r}; there are {', '.join(known)}",
            nearest_to(kind, known),
        )
    options = tuple(key for record in records for key in keys_of(record))
    options += _BESIDE.get(kind, ()) if name else ()
    meaning = sentence_of(records[0]) if records else ""
    if kind == "retention":  # its keys are those of a table, and of no record
        options, meaning = (*_keys_of_retention(),), _KEPT
    listed = PLUGINS[kind] if kind in PLUGINS and not name else None
    names = {each: sentence_of(listed.find(each)) for each in listed.names()} if listed else {}
    return Explained(path=path, meaning=meaning, options=options, names=names)


def _keys_of_retention() -> Iterator[Key]:
    for kind in KINDS:
        yield Key(key=kind, type="str or float or table", required=False)
    for key, of, meaning in (
        ("KIND.age", "str or float", _AGE),
        ("KIND.bytes", "str or int", _BYTES),
        ("services.NAME.KIND", "str or float or table", _OF_SERVICE),
    ):
        yield Key(key=key, type=of, required=False, meaning=meaning)


def keys_of(record: Any, above: str = "", seen: tuple[Any, ...] = ()) -> Iterator[Key]:
    """Every key, and behind it those of the tables it holds; of one that holds itself, once."""
    meanings = meanings_of(record)
    for field in msgspec.structs.fields(record):
        if field.name.startswith("_"):
            continue
        path = f"{above}{field.encode_name}"
        yield Key(
            key=path,
            type=_named(field.type),
            required=field.required,
            default=_default_of(field),
            meaning=meanings.get(field.name, ""),
        )
        for inner in records_in(field.type):
            if inner not in (*seen, record):
                dots = "[]." if get_origin(field.type) in {tuple, list} else "."
                yield from keys_of(inner, f"{path}{dots}", (*seen, record))


def meanings_of(record: Any) -> dict[str, str]:
    """The string under each field, as attribute documentation is written."""
    meanings: dict[str, str] = {}
    for ancestor in reversed(record.__mro__):
        if ancestor in {object, msgspec.Struct}:
            continue
        try:
            source = inspect.getsource(ancestor)
        except (OSError, TypeError):  # a plug-in without its source
            continue
        (made,) = ast.parse(inspect.cleandoc("\n" + source)).body
        for field, below in pairwise(getattr(made, "body", ())):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
                name = getattr(field.target, "id", "")
                meanings[name] = " ".join(str(ast.literal_eval(below.value)).split())
    return meanings


def sentence_of(record: Any) -> str:
    return (inspect.getdoc(record) or "").split("\n\n")[0].replace("\n", " ")


def _default_of(field: Any) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default_factory())
    return None


def _named(hint: Any) -> str:
    """As somebody who writes TOML would say it."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is dict or is_record(hint):
        return "table"
    return _composed(origin, inside) if inside else getattr(hint, "__name__", str(hint))


def _composed(origin: Any, inside: tuple[Any, ...]) -> str:
    if origin is Annotated:
        return " ".join([_named(inside[0]), *_bounds_of(inside[1:])])
    if origin in _UNIONS:
        return " or ".join(_named(each) for each in inside if each is not type(None))
    if origin is Literal:
        return " | ".join(f'"{each}"' for each in inside)
    return f"list of {_named(inside[0])}"


def _bounds_of(said: tuple[Any, ...]) -> Iterator[str]:
    for meta in said:
        for name, sign in _BOUNDS.items():
            if (bound := getattr(meta, name, None)) is not None:
                yield f"{sign} {bound}"
