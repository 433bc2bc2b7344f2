"""Reference pages written from the code at every build, so that they are never late.

Each page is a function that answers Markdown; Sphinx writes it to `reference/generated/NAME.md`,
which a page written by hand includes. `tests/house/test_house_documented.py` reads the same text.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import msgspec

OURS = ("qmon_sdk", "qmon_agent")
# kind of plug-in -> where its registry is, and the section of the configuration file it reads.
REGISTRIES = {
    "source": ("qmon_agent.ingest.sources", "SOURCES", "[sources.{}]"),
    "processor": ("qmon_agent.ingest.processors", "PROCESSORS", '[[processors]] kind = "{}"'),
    "sampler": ("qmon_agent.monitoring.samplers", "SAMPLERS", "[samplers]"),
    "probe": ("qmon_agent.monitoring.probes", "PROBES", '[[probes]] kind = "{}"'),
    "rule": ("qmon_agent.alerting.rules", "RULES", '[[alerts]] rule = "{}"'),
    "channel": ("qmon_agent.notify.channels", "CHANNELS", '[channels.NAME] kind = "{}"'),
    "sink": ("qmon_agent.forward.sinks", "SINKS", '[sinks.NAME] kind = "{}"'),
}
WIRE_FILES = (("Frames", "frames"), ("Columns", "columns"), ("Buckets", "buckets"))
COMMON = ("time", "service", "release", "environment", "host", "process", "attributes")


def setup(app):
    app.connect("builder-inited", write_all)
    return {"version": "1", "parallel_read_safe": True}


def write_all(app):
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / f"{name}.md").write_text(page(), encoding="utf-8")


# ---------------------------------------------------------------- signals and tables


def signals():
    """Every signal with its fields and their roles, from the one file that defines them."""
    from qmon_sdk.protocol.signals import FIELDS, ROLES, SIGNALS

    roles = table(("role", "is"), [(f"`{name}`", meaning) for name, meaning in ROLES.items()])
    parts = ["## Roles", "", *roles]
    for kind, signal in SIGNALS.items():
        rows = [(f"`{f.name}`", f"`{f.role}`", shown(f.default)) for f in FIELDS[kind]]
        parts += ["", f"## `{kind}`", "", inspect.getdoc(signal) or "", ""]
        parts += table(("field", "role", "default"), rows)
    return text(parts)


def tables():
    """Every table with its own columns; the common ones are listed once."""
    from qmon_sdk.protocol.signals import FIELDS, SIGNALS

    parts = []
    for kind, signal in SIGNALS.items():
        own = [(f"`{f.name}`", f"`{f.role}`") for f in FIELDS[kind] if f.name not in COMMON]
        parts += ["", f"## `{kind}s`", "", inspect.getdoc(signal) or "", ""]
        parts += table(("column", "role"), own)
    return text(parts)


def wire():
    """How a batch is written: the sentences that open the files which write it."""
    parts = []
    for title, name in WIRE_FILES:
        module = importlib.import_module(f"qmon_sdk.protocol.{name}")
        parts += ["", f"## {title}", "", inspect.getdoc(module)]
    return text(parts)


# ---------------------------------------------------------------- settings


def settings():
    """Every section and key of the configuration file, with default and meaning."""
    from qmon_agent.settings.options import Settings

    parts = []
    for name, kind, repeated in sections_of(Settings):
        head = f"[[{name}]]" if repeated else f"[{name}]"
        parts += ["", f"## `{head}`", "", first_sentence(kind), ""]
        parts += options_table(kind)
    return text(parts)


def sections_of(settings_type):
    """The sections that are records of their own: name, record, and whether it may come again."""
    for field in msgspec.structs.fields(settings_type):
        for candidate in (field.type, *getattr(field.type, "__args__", ())):
            if is_record(candidate):
                yield field.encode_name, candidate, candidate is not field.type


def options_table(kind):
    from qmon_agent.app.explaining import meanings_of

    meanings = meanings_of(kind)
    rows = [
        (f"`{field.encode_name}`", default_of(field), meanings.get(field.name, ""))
        for field in options_of(kind)
    ]
    return table(("key", "default", "meaning"), rows) if rows else ["No options."]


def options_of(kind):
    """The fields that somebody may set; those with an underscore are a plug-in's own memory."""
    return [field for field in msgspec.structs.fields(kind) if not field.name.startswith("_")]


def is_record(candidate):
    return isinstance(candidate, type) and issubclass(candidate, msgspec.Struct)


def default_of(field):
    if field.default is not msgspec.NODEFAULT:
        return shown(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return shown(field.default_factory())
    return "*required*"


# ---------------------------------------------------------------- plug-ins


def plugins():
    """Every plug-in that is found, by kind, with the section it reads and its options."""
    parts = []
    for kind, (module, registry, section) in REGISTRIES.items():
        found = registry_of(module, registry)
        if found is None:
            continue
        parts += ["", f"## {kind.title()}s", "", first_sentence(importlib.import_module(module))]
        for name in found.names():
            plugin = found.find(name)
            parts += ["", f"### {kind} `{name}`", "", first_sentence(plugin), ""]
            parts += [f"Configured by `{section.format(name)}`.", "", *options_table(plugin)]
    return text(parts)


def registry_of(module, name):
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as absent:
        if absent.name and module.startswith(absent.name):
            return None
        raise


# ---------------------------------------------------------------- commands


def commands():
    """Every command of `qmon-agent`, with its arguments and options, from click itself."""
    import click

    from qmon_agent.cli._program import program

    context = click.Context(program, info_name="qmon-agent")
    parts = [program.help or "", "", *parameters(program, context)]
    for path, command in walk(program, context, ("qmon-agent",)):
        parts += ["", f"## `{' '.join(path)}`", "", inspect.cleandoc(command.help or ""), ""]
        parts += parameters(command, context)
    return text(parts)


def walk(group, context, path):
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from walk(command, context, (*path, name))


def parameters(command, context):
    rows = [row for each in command.params if (row := parameter_row(each, context))]
    return table(("option", "meaning"), rows) if rows else []


def parameter_row(parameter, context):
    record = parameter.get_help_record(context)
    if record:
        return f"`{record[0]}`", record[1]
    if parameter.param_type_name == "argument":
        return f"`{parameter.make_metavar(context)}`", "argument"
    return None


# ---------------------------------------------------------------- tests of rules


def rule_tests():
    """Every key of a file for `test-rules`."""
    parts = []
    for head, kind in rule_test_tables():
        parts += ["", f"## `{head}`", "", first_sentence(kind), "", *options_table(kind)]
    return text(parts)


def rule_test_tables():
    """The tables of such a file, as they are written there, and the records they are."""
    from qmon_agent.app.rule_acts import Deeds
    from qmon_agent.app.rule_cases import Case, Expected, Series

    return (("[[tests]]", Case), ("series", Series), ("input", Deeds), ("expect", Expected))


# ---------------------------------------------------------------- errors


def errors():
    """Every error either side raises on purpose."""
    parts = []
    for module in error_files():
        parts += ["", f"## `{module.__name__}`", "", first_sentence(module), ""]
        parts += table(("error", "is a", "means"), map(error_row, errors_in(module)))
    return text(parts)


def error_files():
    """Every file called `errors.py`: a tree of errors is drawn at the top of its file."""
    for package in map(importlib.import_module, OURS):
        root = Path(package.__file__).parent
        for path in sorted(root.rglob("errors.py")):
            parts = path.relative_to(root.parent).with_suffix("").parts
            yield importlib.import_module(".".join(parts))


def errors_in(module):
    classes = [each for each in vars(module).values() if inspect.isclass(each)]
    own = [each for each in classes if each.__module__ == module.__name__]
    return [each for each in own if issubclass(each, BaseException)]


def error_row(error):
    return f"`{error.__name__}`", f"`{error.__bases__[0].__name__}`", first_sentence(error)


# ---------------------------------------------------------------- Markdown


def table(head, rows):
    """A Markdown table; a pipe inside a cell would end it."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines]


def shown(value):
    if is_record(type(value)):
        return ""
    return f"`{value!r}`"


def first_sentence(thing):
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")


def text(parts):
    return "\n".join(parts).strip() + "\n"


PAGES = {
    "signals": signals,
    "tables": tables,
    "wire": wire,
    "settings": settings,
    "plugins": plugins,
    "commands": commands,
    "errors": errors,
    "rule_tests": rule_tests,
}
