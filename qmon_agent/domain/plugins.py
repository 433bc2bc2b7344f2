"""Plug-ins whose fields are their options: the config table is the constructor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

import msgspec

from qmon_sdk.plugins import UnknownPlugin, found

from .errors import ConfigError, UnknownPluginError, nearest_to

T = TypeVar("T")
# How the names of options end that are sizes, times or limits.
_SIZES = ("_s", "_bytes", "_rows", "files")


class Registry(Generic[T]):
    """One kind of plug-in: a file `slack.py` of `package` holding `SlackChannel` is `slack`."""

    def __init__(self, package: str, *, role: str) -> None:
        """Look into `package` and the entry points `qmon.<role>s`; nothing is imported yet."""
        self.kind = role.lower()
        self._plugins = found(package, role=role, group=f"qmon.{self.kind}s")

    def names(self) -> tuple[str, ...]:
        """Every name that can be configured, sorted."""
        return self._plugins.names()

    def find(self, name: str) -> type[T]:
        """The class behind a name; raises UnknownPluginError with the nearest names."""
        try:
            return cast("type[T]", self._plugins[name])
        except UnknownPlugin as error:
            raise UnknownPluginError(name, error.nearest, kind=self.kind) from None

    def build(self, name: str, options: Mapping[str, Any], *, path: str = "") -> T:
        """Construct it from a config table; raises ConfigError that names the wrong option."""
        plugin = self.find(name)
        where = path or f"{self.kind}s.{name}"
        self._refuse_unknown(plugin, options, where)
        try:
            built = msgspec.convert(dict(options), plugin)
            refuse_negative(built, where)
            return built
        except msgspec.ValidationError as error:
            raise ConfigError(where, str(error)) from None
        except ConfigError as error:
            # The plug-in knows only its own table.
            inside = error.path.removeprefix(f"{where}.")
            raise ConfigError(f"{where}.{inside}", error.reason, error.nearest) from None

    @staticmethod
    def _refuse_unknown(plugin: type[T], options: Mapping[str, Any], where: str) -> None:
        known = options_of(plugin)
        for key in options:
            if key not in known:
                raise ConfigError(f"{where}.{key}", "no such option", nearest_to(key, known))


def refuse_negative(record: Any, where: str) -> None:
    """Raise ConfigError for a size, a time or a limit below nothing, or none at all (NaN)."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        is_size = name.startswith("max_") or name.endswith(_SIZES)
        if is_size and isinstance(value, (int, float)) and not value >= 0:
            raise ConfigError(f"{where}.{name}", f"{value!r} is less than nothing")


def options_of(plugin: type[Any]) -> tuple[str, ...]:
    """The keys of its config table; fields that begin with an underscore are its memory."""
    fields = msgspec.structs.fields(plugin)
    return tuple(each.encode_name for each in fields if not each.name.startswith("_"))
