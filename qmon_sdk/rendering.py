"""Text of any value, bounded in every direction, without running a line of the user's code."""

from __future__ import annotations

import sys
from itertools import islice
from types import BuiltinFunctionType, CodeType, FunctionType, GetSetDescriptorType, ModuleType

from .accelerator import speedups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

HIDDEN = "[scrubbed]"
OURS = "__qmon_"
"""How the names of what we leave among the fields of an exception begin."""

_module_of = type.__dict__["__module__"].__get__  # as the interpreter itself asks
_name_of = type.__dict__["__qualname__"].__get__
CUT = "…"
_SECRET = repr(HIDDEN)
_AS_JSON = {True: "true", False: "false", None: ""}
_ITEMS = 12  # of one container
_DEPTH = 3
_PAIR = 2
_NAME = 200  # characters
_HUGE_BITS = 4096  # the decimal text of a larger number takes longer than it tells

# Their text is made by the standard library, which is quick and has no side effects.
_TRUSTED = {
    "datetime": ("datetime", "date", "time", "timedelta"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "ipaddress": ("IPv4Address", "IPv6Address"),
    "pathlib": ("PosixPath", "WindowsPath", "PurePosixPath"),
    "pathlib._local": ("PosixPath", "WindowsPath", "PurePosixPath"),
    "uuid": ("UUID",),
}


def cut(text: str, limit: int) -> str:
    """Keep the first `limit` characters, and say so when there were more."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + CUT


def encodable(text: str) -> str:
    """Replace what is half a character: UTF-8 has no bytes for it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def label(value: Any, limit: int = 1024) -> str:
    """Write a value as a label: a text as it is, the rest as JSON would or as `render` does."""
    kind = type(value)
    if kind is str:
        is_short = len(value) <= limit and value.isascii()
        return value if is_short else cut(encodable(value[: limit + 1]), limit)
    if kind is bool or value is None:
        return _AS_JSON[value]
    simple = _RENDERERS.get(kind)
    if simple is not None:
        return cut(simple(value, limit), limit)
    if is_a(kind, str):
        return cut(encodable(str.__getitem__(value, slice(limit + 1))), limit)
    return cut(str(value) if is_trusted(kind) else render(value, limit), limit)


def render(value: Any, limit: int = 512, *, hides: Callable[[str], bool] | None = None) -> str:
    """Write a value as `repr` would; what stands under a key that `hides` knows stays hidden.

    Only values of built-in and a few standard-library types speak for themselves: of all others the
    class is named and their plain attributes listed, since a `__repr__` may block, raise or query.
    """
    return Renderer(limit, hides or _hides_nothing).text(value)


def type_name(kind: type) -> str:
    """Name a class with its module, whatever its metaclass makes of attribute access."""
    module, name = module_of(kind), _name_of(kind)
    return name if module in {"builtins", ""} else f"{module}.{name}"


def module_of(kind: type) -> str:
    """Name the module of a class; "" when the class tells something else than a text."""
    try:
        module = _module_of(kind)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def fields_of(value: object) -> Mapping[str, Any]:
    """Read an instance's own attributes, unless reading them would run somebody's property."""
    for kind in type.__getattribute__(type(value), "__mro__"):
        reader = type.__getattribute__(kind, "__dict__").get("__dict__")
        if type(reader) is GetSetDescriptorType:
            found: Mapping[str, Any] = reader.__get__(value)
            return found
        if reader is not None:
            break
    return {}


class Renderer:
    """Writes values as `render` does, many of them; the parts of a container share its limit."""

    __slots__ = ("hides", "known", "limit")

    def __init__(
        self,
        limit: int,
        hides: Callable[[str], bool],
        known: tuple[dict[Any, Any], Any] | None = None,
    ) -> None:
        """Hide what stands under a key that `hides` knows.

        `known` are the rules of the keys that it was asked about, and which of them hides.
        """
        self.limit = limit
        self.hides = hides
        self.known = ({}, None) if known is None else known

    def text(self, value: Any) -> str:
        """Write one value."""
        simple = _RENDERERS.get(type(value))
        if simple is not None:
            return cut(simple(value, self.limit), self.limit)
        if speedups is not None:
            plain: str | None = speedups.plain(value, self.limit, *self.known)
            if plain is not None:
                return plain
        return cut(self._text(value, _DEPTH), self.limit)

    def _text(self, value: Any, depth: int) -> str:
        kind = type(value)
        simple = _RENDERERS.get(kind) or _inherited(kind)
        if simple is not None:
            return simple(value, self.limit)
        if depth <= 0:
            return f"<{type_name(kind)}>"
        if kind is dict:
            return self._mapping(value, depth - 1)
        if kind in _BRACKETS:
            return self._sequence(value, depth - 1, _BRACKETS[kind])
        return repr(value) if is_trusted(kind) else self._object(value)

    def _sequence(self, values: Any, depth: int, brackets: tuple[str, str]) -> str:
        texts: list[str] = []
        room = self.limit
        is_pair = len(values) == _PAIR and type(values) in _ROWS
        secret = False
        try:
            for value in values:
                if room <= 0 or len(texts) == _ITEMS:
                    texts.append(CUT)
                    break
                text = _SECRET if secret else self._text(value, depth)
                secret = names_secret(value, self.hides, in_pair=is_pair and not texts)
                room -= len(text)
                texts.append(text)
        except RuntimeError:  # another thread changed it in the middle
            texts.append(CUT)
        return ", ".join(texts).join(brackets)

    def _mapping(self, mapping: dict[Any, Any], depth: int) -> str:
        texts: list[str] = []
        room = self.limit
        try:
            for key, value in mapping.items():
                if room <= 0 or len(texts) == _ITEMS:
                    texts.append(CUT)
                    break
                secret = type(key) is str and self.hides(key)
                shown = _SECRET if secret else self._text(value, depth)
                text = f"{self._text(key, 0)}: {shown}"
                room -= len(text)
                texts.append(text)
        except RuntimeError:  # another thread changed it in the middle
            texts.append(CUT)
        return ", ".join(texts).join("{}")

    def _object(self, value: object) -> str:
        fields = {
            key: field
            for key, field in fields_of(value).items()
            if type(key) is str and not key.startswith(OURS)
        }
        texts = [
            f" {key}={_SECRET if self.hides(key) else self._text(field, 0)}"
            for key, field in list(fields.items())[:_ITEMS]
        ]
        more = f" {CUT}" if len(fields) > _ITEMS else ""
        return f"<{type_name(type(value))}{''.join(texts)}{more}>"


def names_secret(value: Any, hides: Callable[[str], bool], *, in_pair: bool) -> bool:
    """Say whether a part of a row is the name of the secret after it.

    It is in a pair, as those of headers are, and in a command, whose options begin with a dash.
    """
    kind = type(value)
    if kind is bytes and in_pair:
        return hides(value[:_NAME].decode("latin-1"))
    return kind is str and (in_pair or value.startswith("-")) and hides(value[:_NAME])


def _inherited(kind: type) -> Callable[[Any, int], str] | None:
    return next((base for parent, base in _PARENTS if is_a(kind, parent)), None)


def pairs_of(mapping: Any, most: int = 1024) -> list[tuple[Any, Any]]:
    """List what a mapping of any class holds; nothing when it is none, or fails to say."""
    try:
        if is_a(type(mapping), dict):
            return list(islice(dict.items(mapping), most))
        return [(name, value) for name, value in islice(mapping.items(), most)]
    except Exception:  # noqa: BLE001 - the class's own code
        return []


def is_a(kind: type, parent: type) -> bool:
    """Ask the class itself: an object may say anything of its `__class__`."""
    return parent in type.__getattribute__(kind, "__mro__")


def is_trusted(kind: type) -> bool:
    """Say whether a class of the standard library writes its values, quickly and harmlessly."""
    module, name = module_of(kind), _name_of(kind)
    return name in _TRUSTED.get(module, ()) and vars(sys.modules[module]).get(name) is kind


def _hides_nothing(_: str) -> bool:
    return False


def _text(value: str, limit: int) -> str:
    return repr(value) if len(value) <= limit else repr(value[:limit]) + CUT


def _as_text(value: str, limit: int) -> str:
    return _text(str.__getitem__(value, slice(limit + 1)), limit)


def _as_whole(value: int, limit: int) -> str:
    return _whole(int.__add__(value, 0), limit)


def _as_float(value: float, _: int) -> str:
    return float.__repr__(value)


def _bytes(value: bytes, limit: int) -> str:
    return repr(bytes(value[:limit])) + (CUT if len(value) > limit else "")


def _whole(value: int, _: int) -> str:
    bits = value.bit_length()
    return repr(value) if bits <= _HUGE_BITS else f"<int of {bits} bits>"


def _plain(value: object, _: int) -> str:
    return repr(value)


def _function(value: Any, _: int) -> str:
    return f"<function {_said(value.__module__)}.{value.__qualname__}>"


def _said(module: Any) -> str:
    return module if type(module) is str else ""


def _builtin(value: Any, _: int) -> str:
    return f"<function {value.__name__}>"  # its `repr` would call that of the object it is bound to


def _module(value: ModuleType, _: int) -> str:
    name = ModuleType.__getattribute__(value, "__dict__").get("__name__")
    return f"<module {name}>" if type(name) is str else "<module>"


def _class(value: type, _: int) -> str:
    return f"<class {type_name(value)}>"


_RENDERERS: dict[type, Callable[[Any, int], str]] = {
    str: _text,
    int: _whole,
    float: _plain,
    bool: _plain,
    type(None): _plain,
    complex: _plain,
    bytes: _bytes,
    bytearray: _bytes,
    type(Ellipsis): _plain,
    FunctionType: _function,
    BuiltinFunctionType: _builtin,
    CodeType: _plain,
    ModuleType: _module,
    type: _class,
}
_PARENTS: tuple[tuple[type, Callable[[Any, int], str]], ...] = (
    (str, _as_text),
    (int, _as_whole),
    (float, _as_float),
)
"""What is one of these by inheritance speaks as these do, whatever its class says."""

_ROWS = frozenset({list, tuple})  # the others have no order

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}
