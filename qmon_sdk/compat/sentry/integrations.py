"""Names of Sentry's integrations, so that they can be imported and given to `init`.

qmon watches libraries with its own, all that it has, and takes these as names of them.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Integration:
    """Says the name of a library; its options have no effect, but for those of `logging`."""

    identifier = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.args, self.options = args, options

    @staticmethod
    def setup_once() -> None:
        """Do nothing: `qmon_sdk.integrations` does it."""


class DidNotEnable(Exception):  # noqa: N818 - Sentry's name
    """Never raised here."""


NAMES = (
    *("aiohttp", "argv", "asgi", "asyncio", "asyncpg", "atexit", "aws_lambda", "boto3", "bottle"),
    *("celery", "clickhouse_driver", "cloud_resource_context", "dedupe", "django", "excepthook"),
    *("executing", "falcon", "fastapi", "flask", "gcp", "gnu_backtrace", "graphene", "grpc"),
    *("httpx", "huey", "langchain", "litestar", "logging", "loguru", "modules", "openai"),
    *("pure_eval", "pymongo", "pyramid", "quart", "ray", "redis", "rq", "rust_tracing", "sanic"),
    *("serverless", "socket", "spark", "sqlalchemy", "starlette", "statsig", "stdlib", "sys_exit"),
    *("threading", "tornado", "trytond", "typer", "unleash", "unraisablehook", "wsgi"),
)


class _Names(ModuleType):
    """A module in which every name of an integration is found."""

    def __getattr__(self, name: str) -> Any:
        if not name.endswith("Integration"):
            raise AttributeError(name)
        made = type(name, (Integration,), {"identifier": self.__name__.rpartition(".")[2]})
        setattr(self, name, made)
        return made


def _register() -> None:
    for name in NAMES:
        full = f"{__name__}.{name}"
        module = _Names(full, f"Names of Sentry's `{name}` integration.")
        sys.modules.setdefault(full, module)
        globals().setdefault(name, module)
    sys.modules[f"{__name__}.logging"].__dict__.update(
        ignore_logger=_ignore_logger, unignore_logger=_unignore_logger
    )


def _ignore_logger(name: str) -> None:
    """Make neither steps nor events of a logger's records."""
    from .logging import IGNORED

    IGNORED.add(name)


def _unignore_logger(name: str) -> None:
    """Make them again."""
    from .logging import IGNORED

    IGNORED.discard(name)


__path__: list[str] = []  # a package, as far as imports are concerned
_register()
