"""Libraries that qmon watches from outside: one file each, named as the library is imported.

`init(integrations="auto")` watches every library of this folder that the program has imported or is
going to import; a tuple of names watches only those, `("auto", "-flask")` all but one, and `()`
none. To watch one application and patch nothing, wrap it in `qmon.asgi(app)` or `qmon.wsgi(app)`.
"""

from __future__ import annotations

import os

from ._imports import Imports
from ._watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

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
    "excepthook": "sys",
    "thread_excepthook": "threading",
    "unraisablehook": "sys",
}
"""Integration → the module it waits for, where that is not its name."""

GROUP = "qmon_sdk.integrations"
"""The entry points by which other distributions bring integrations, used when named."""


def integrate(client: Client) -> None:
    """Watch the libraries the settings ask for, now or as soon as they are imported."""
    imports = Imports()
    for name in _wanted(client.settings.integrations):
        _begin(name, client, imports)


def _begin(name: str, client: Client, imports: Imports) -> None:
    if name in client.integrations:
        return
    client.integrations[name] = watch = Watch(name, imports, module=MODULES.get(name, name))

    def install() -> None:
        integration = _class(name)()
        for needed in getattr(integration, "needs", ()):
            _begin(needed, client, imports)
        integration.install(watch)

    if name in names() or watch.attempt(lambda _: _class(name)):
        watch.begin(install)


def _wanted(integrations: str | tuple[str, ...]) -> tuple[str, ...]:
    asked = (integrations,) if isinstance(integrations, str) else tuple(integrations)
    wanted = [name for name in asked if name != AUTO and name[:1] != "-"]
    if AUTO in asked:
        wanted += names()
    return tuple(name for name in dict.fromkeys(wanted) if f"-{name}" not in asked)


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
