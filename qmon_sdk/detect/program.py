"""What a command line runs, and what one would call it."""

from __future__ import annotations

import os

from .interpreter import CODE, MODULE, SCRIPT, is_interpreter, launch_of
from .reading import text_of, upwards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Arguments = Sequence[str]
    Naming = Callable[[Arguments, Mapping[str, str]], str]


class Program:
    """A program by its name, and where its source is."""

    __slots__ = ("directory", "found", "name")

    def __init__(self, name: str, directory: str, *, found: str) -> None:
        self.name = name
        self.directory = directory
        self.found = found  # by what, in words


SAYING_NOTHING = frozenset(
    (
        "__main__", "api", "app", "application", "asgi", "celery", "celery_app", "celeryapp",
        "cli", "index", "main", "manage", "run", "runserver", "server", "src", "start", "tasks",
        "web", "worker", "wsgi",
    )
)  # fmt: skip
"""Names that half of all programs have: the project's own says more, where there is one."""

_PYPROJECT_BYTES = 1 << 16
_MANAGE_BYTES = 1 << 14
_SETTINGS = "DJANGO_SETTINGS_MODULE"


def program_of(command: Arguments, environ: Mapping[str, str], *, cwd: str) -> Program:
    """Name what `command` runs, be it `["python", "shop.py"]` or `["gunicorn", "shop:app"]`."""
    if not command:
        return _named("", cwd, "no command")
    if is_interpreter(command[0]):
        return _launched(command[1:], environ, cwd)
    return _started(command[0], command[1:], environ, cwd)


def _launched(arguments: Arguments, environ: Mapping[str, str], cwd: str) -> Program:
    launch = launch_of(arguments)
    if launch.kind == MODULE:
        tool = launch.target.partition(".")[0]
        if tool in TOOLS:
            return _started(tool, launch.arguments, environ, cwd)
        return _named(launch.target.removesuffix(".__main__"), cwd, "the module")
    if launch.kind == SCRIPT and launch.target != "-":
        return _started(launch.target, launch.arguments, environ, cwd)
    return _named("", cwd, "code on the command line" if launch.kind == CODE else "an interpreter")


def _started(path: str, arguments: Arguments, environ: Mapping[str, str], cwd: str) -> Program:  # noqa: PLR0917 - private, and in the order of a command line
    """Name a script or a console command, by what it serves if it is a server."""
    name = os.path.basename(path).removesuffix(".exe").removesuffix(".py")
    naming = TOOLS.get(name)
    if naming is not None:
        where = os.path.join(cwd, _value_after(arguments, "--chdir", "--app-dir") or "")
        if name == "manage":
            where = os.path.join(cwd, os.path.dirname(path))
            environ = {_SETTINGS: _settings_in(os.path.join(cwd, path)), **environ}
        module = naming(arguments, environ)
        return _named(module or name, where, f"the application of {name}" if module else name)
    is_ours = path.endswith(".py")
    directory = os.path.join(cwd, os.path.dirname(path)) if is_ours else cwd
    if os.path.isdir(os.path.join(cwd, path)):  # `python shop/`, with a `__main__.py`
        return _named(os.path.basename(os.path.normpath(path)), os.path.join(cwd, path), "folder")
    return _named(name, directory, "the script" if is_ours else "the command")


def _named(name: str, directory: str, found: str) -> Program:
    """Take the best name there is: a telling one, else the project's, else any."""
    parts = [part for part in name.split(".") if part]
    while len(parts) > 1 and parts[-1] in SAYING_NOTHING:
        parts.pop()
    if len(parts) > 1 and parts[0] == "src":
        del parts[0]
    best = ".".join(parts)
    if not best or best in SAYING_NOTHING:
        project = project_name(directory)
        if project:
            return Program(project, directory, found="pyproject.toml")
    return Program(best or "python", directory, found=found)


def project_name(directory: str) -> str:
    """Read `name` from the nearest `pyproject.toml`, up to where the checkout ends."""
    for above in upwards(directory):
        text = text_of(os.path.join(above, "pyproject.toml"), _PYPROJECT_BYTES)
        if text:
            return _name_in(text)
        if os.path.exists(os.path.join(above, ".git")):
            return ""
    return ""


def _name_in(toml: str) -> str:
    """Read it line by line: `tomllib` costs as much as the rest of a start."""
    section = ""
    for line in toml.splitlines():
        text = line.strip()
        if text.startswith("["):
            section = text
        key, equals, value = text.partition("=")
        if equals and key.strip() == "name" and section in ("[project]", "[tool.poetry]"):
            return value.partition("#")[0].strip().strip("\"'")
    return ""


# ---------------------------------------------------------------- what servers serve


def _application(arguments: Arguments, _: Mapping[str, str]) -> str:
    """Find `module:attribute` among a server's arguments, else the last that may be a module."""
    for word in arguments:
        module, colon, attribute = word.partition(":")
        if colon and _is_module(module) and attribute.partition("(")[0].isidentifier():
            return module
    words = [word for word in arguments[-1:] if _is_module(word)]
    return words[0] if words else ""


def _celery(arguments: Arguments, _: Mapping[str, str]) -> str:
    module = _value_after(arguments, "-A", "--app").partition(":")[0]
    return module if _is_module(module) else ""


def _flask(arguments: Arguments, environ: Mapping[str, str]) -> str:
    told = _value_after(arguments, "-A", "--app") or environ.get("FLASK_APP", "")
    return _module_at(told.partition(":")[0])


def _fastapi(arguments: Arguments, _: Mapping[str, str]) -> str:
    return next((_module_at(word) for word in arguments if word.endswith(".py")), "")


def _uwsgi(arguments: Arguments, environ: Mapping[str, str]) -> str:
    told = _value_after(arguments, "-w", "--module", "--wsgi", "--wsgi-file", "--file")
    return _module_at(told.partition(":")[0]) or _application(arguments, environ)


def _django(_: Arguments, environ: Mapping[str, str]) -> str:
    parts = environ.get(_SETTINGS, "").split(".")
    while len(parts) > 1 and (parts[-1] == "settings" or "settings" in parts):
        parts.pop()
    return ".".join(parts) if parts != ["settings"] else ""


def _nothing(_: Arguments, __: Mapping[str, str]) -> str:
    return ""


TOOLS: dict[str, Naming] = {
    "gunicorn": _application,
    "uvicorn": _application,
    "hypercorn": _application,
    "daphne": _application,
    "granian": _application,
    "waitress-serve": _application,
    "uwsgi": _uwsgi,
    "pyuwsgi": _uwsgi,
    "celery": _celery,
    "flask": _flask,
    "fastapi": _fastapi,
    "django-admin": _django,
    "manage": _django,
    "rq": _nothing,
    "pytest": _nothing,
}
"""Commands that run somebody's application → how that is found in what they are given."""


def _settings_in(manage: str) -> str:
    """Find the settings that a `manage.py` sets, in the line every one of them has."""
    _, _, after = text_of(manage, _MANAGE_BYTES).partition(_SETTINGS)
    line = after.partition("\n")[0]
    quoted = [word for word in line.replace("'", '"').split('"') if _is_module(word)]
    return quoted[0] if quoted else ""


def _value_after(arguments: Arguments, *options: str) -> str:
    """Read `--option value`, `--option=value` and `-Ovalue`."""
    for place, word in enumerate(arguments):
        if word in options:
            return arguments[place + 1] if place + 1 < len(arguments) else ""
        for option in options:
            joint = f"{option}=" if option.startswith("--") else option
            if word.startswith(joint):
                return word[len(joint) :]
    return ""


def _module_at(path: str) -> str:
    """Make a module of what may be a file: `src/shop.py` is `shop`."""
    if path.endswith(".py") or os.sep in path:
        path = os.path.basename(path.rstrip(os.sep)).removesuffix(".py")
    return path if _is_module(path) else ""


def _is_module(word: str) -> bool:
    return bool(word) and all(part.isidentifier() for part in word.split("."))
