"""Libraries that qmon watches from outside: one file each, named as the library is imported.

`init(integrations="auto")` watches every library of this folder that the program has imported or is
going to import; a tuple of names watches only those, `("auto", "-flask")` all but one, and `()`
none. In place of a name there may be an integration made with options of its own. To watch one
application and patch nothing, wrap it in `qmon.asgi(app)` or `qmon.wsgi(app)`.
"""

from __future__ import annotations

import os

from qmon_sdk.client import current, guarded

from . import _uwsgi
from ._imports import Imports
from ._watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from qmon_sdk.client import Client

    class Integration(Protocol):
        """How one library is watched; `name.py` holds `NameIntegration`.

        Importing the file must import nothing of the library. A class may name other integrations
        that it `needs`: they are begun before it.
        """

        def install(self, watch: Watch) -> None:
            """Change the library through `watch`, which undoes all of it when qmon stops.

            Called once, after the library was imported, on the thread that did; what it raises
            disables this integration, undoes what it had changed, and is told by `stats()`.
            """


AUTO = "auto"
MODULES = {
    "asyncio_errors": "asyncio",
    "concurrent_futures": "concurrent.futures.thread",
    "excepthook": "sys",
    "gc": "sys",
    "lru_cache": "qmon_sdk.integrations.lru_cache",
    "multiprocessing": "multiprocessing.process",
    "thread_excepthook": "threading",
    "threads": "threading",
    "unraisablehook": "sys",
}
"""Integration → the module it waits for, where that is not its name."""

GROUP = "qmon_sdk.integrations"
"""The entry points by which other distributions bring integrations, used when named."""


WATCHED_BY_OTHERS: set[str] = set()
"""Libraries that `auto` leaves to others, who record with qmon too: once is enough."""


def integrate(client: Client) -> None:
    """Watch the libraries the settings ask for, now or as soon as they are imported."""
    imports = Imports()
    named = client.settings.integrations
    for name, made in _wanted(named).items():
        if name not in WATCHED_BY_OTHERS or made is not None or name in named:
            _begin(name, client, imports, made=made)
    if AUTO in client.settings.integrations:
        _begin(_uwsgi.NAME, client, imports, made=_uwsgi.UwsgiForks())


@guarded
def add(integration: str | Integration) -> None:
    """Watch one more library from now on, by its name or with options of your own."""
    client = current()
    if client.recording:
        for name, made in _wanted((integration,)).items():
            remove(name)
            _begin(name, client, Imports(), made=made)  # type: ignore[arg-type]


@guarded
def stand_aside(name: str) -> None:
    """Leave a library to another who watches it, unless it was asked for by name."""
    if name not in WATCHED_BY_OTHERS:
        WATCHED_BY_OTHERS.add(name)
        client = current()
        if client.recording and name not in client.settings.integrations:
            remove(name)


@guarded
def remove(name: str) -> None:
    """Leave a library as it was before; what it has begun to record ends as it would have."""
    watch = current().integrations.pop(name, None)
    if watch is not None:
        watch.remove()


def _begin(name: str, client: Client, imports: Imports, *, made: Integration | None = None) -> None:
    if name in client.integrations:
        return
    client.integrations[name] = watch = Watch(name, imports, module=MODULES.get(name, name))

    def install() -> None:
        integration = made or _class(name)()
        for needed in getattr(integration, "needs", ()):
            _begin(needed, client, imports)
        integration.install(watch)

    if made or name in names() or watch.attempt(lambda _: _class(name)):
        watch.begin(install)


def _wanted(integrations: str | tuple[Any, ...]) -> dict[str, Integration | None]:
    asked = (integrations,) if isinstance(integrations, str) else tuple(integrations)
    made = {_name(one): one for one in asked if not isinstance(one, str)}
    named = [one for one in asked if isinstance(one, str)]
    wanted = [name for name in named if name != AUTO and name[:1] != "-"]
    if AUTO in named:
        wanted += names()
    return {name: made.get(name) for name in (*made, *wanted) if f"-{name}" not in named}


def problems_of(integrations: str | tuple[Any, ...]) -> list[str]:
    """Say what is left out that is not there; what is to be watched tells of itself."""
    left_out = [one[1:] for one in integrations if isinstance(one, str) and one[:1] == "-"]
    unknown = [name for name in left_out if name not in names()]
    if not unknown:  # else: nobody pays for the search for others'
        return []
    from difflib import get_close_matches

    from qmon_sdk.plugins import found

    known = found(__name__, group=GROUP).names()
    near = {name: get_close_matches(name, known, n=1) for name in unknown if name not in known}
    return [
        f"integrations: there is no {name!r} to be left out"
        + (f"; did you mean {meant[0]}?" if meant else "")
        for name, meant in near.items()
    ]


def _name(integration: Integration) -> str:
    """Name an integration as its file is named, which is how its library is imported."""
    return type(integration).__module__.rpartition(".")[2]


def names() -> tuple[str, ...]:
    """Say which libraries this folder knows; imports nothing, since every start asks."""
    try:
        files = os.listdir(__path__[0])
    except OSError:  # in an archive
        from qmon_sdk.plugins import found

        return found(__name__).names()
    return tuple(sorted(file[:-3] for file in files if file.endswith(".py") and file[0] != "_"))


def _class(name: str) -> type[Integration]:
    """Find the class of a name; raises `UnknownPlugin` with the nearest names."""
    from qmon_sdk.plugins import found, member

    named: type[Integration]
    if name in names():  # without the search for others', which some starts need not pay
        named = member(__name__, name, role="Integration")
    else:
        named = found(__name__, role="Integration", group=GROUP)[name]
    return named
