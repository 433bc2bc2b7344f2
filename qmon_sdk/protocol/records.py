"""How both sides say "record": a tuple with named fields, defaults and roles.

A record is a tuple, so it is immutable, cheap to make, and `zip(*records)` turns rows into columns.
A field's role is its annotation.
`dataclasses` would say the same, but importing it costs more than the whole SDK may.
"""

from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found]

TYPE_CHECKING = False  # the type checker knows better, and `import typing` costs milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self, dataclass_transform

    class Values:
        """What a tuple of any values does; said so, because a field may be called `count`."""

        def __new__(cls, *_: Any, **__: Any) -> Self: ...
        def __iter__(self) -> Iterator[Any]: ...
        def __len__(self) -> int: ...
        def __getitem__(self, place: Any) -> Any: ...

else:
    Values = tuple

    def dataclass_transform(**_):  # noqa: ANN003, ANN201 - never seen by a type checker
        """Stand in for `typing.dataclass_transform`, which only type checkers read."""
        return lambda decorated: decorated


class Field(Values):
    """One field of a record: its name, its role, and the value it has when nobody gives one."""

    name: str = _tuplegetter(0, "The field's name, which is also its column's.")
    role: str = _tuplegetter(1, "The role: how the field is encoded, stored and limited.")
    default: Any = _tuplegetter(2, "The value of rows that older writers left out.")


@dataclass_transform(kw_only_default=True, frozen_default=True)
class RecordType(type):
    """Turns annotated fields into a tuple class built by keyword."""

    FIELDS: tuple[Field, ...]

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordType:
        """Read the fields in their order; the order is the wire's order."""
        annotations = namespace.get("__annotations__", {})
        fields = tuple(
            Field((field, role, namespace.pop(field, None))) for field, role in annotations.items()
        )
        for place, field in enumerate(fields):
            namespace[field.name] = _tuplegetter(place, field.role)
        if fields:
            namespace["FIELDS"] = fields
            namespace["__new__"] = _constructor(name, fields)
        namespace["__slots__"] = ()
        return super().__new__(cls, name, bases, namespace)


def _constructor(name: str, fields: tuple[Field, ...]) -> Any:
    """Compile `__new__(cls, *, a=a, b=b)`: one call, no loop over the fields."""
    defaults = {f"_{field.name}": field.default for field in fields}
    arguments = ", ".join(f"{field.name}=_{field.name}" for field in fields)
    values = "".join(f"{field.name}, " for field in fields)
    source = f"lambda _cls, *, {arguments}: _new(_cls, ({values}))"
    made = eval(source, {"_new": tuple.__new__, "__name__": __name__, **defaults})  # noqa: S307 - names come from our own classes
    made.__qualname__ = f"{name}.__new__"
    return made


class Record(Values, metaclass=RecordType):
    """A value of named fields: built by keyword, compared by type and content, never changed."""

    def replace(self, **changes: Any) -> Self:
        """Make another with `changes` in it; raises `TypeError` for a name that is no field."""
        return type(self)(**{**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """Name → value, in field order."""
        return dict(zip((field.name for field in type(self).FIELDS), self, strict=True))

    def __eq__(self, other: object) -> bool:
        """Say whether the other is of the same type and content."""
        return type(self) is type(other) and tuple.__eq__(self, other)  # type: ignore[operator]

    def __ne__(self, other: object) -> bool:
        """Say the opposite of `==`; a bare tuple would compare by content only."""
        return not self == other

    __hash__ = tuple.__hash__

    def __reduce__(self) -> Any:
        """Pickle by keyword, since that is the only way to build one."""
        return (_rebuild, (type(self), self.as_dict()))

    def __repr__(self) -> str:
        """Read like the call that makes it."""
        inside = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{type(self).__name__}({inside})"


def _rebuild(kind: type[Record], values: dict[str, Any]) -> Record:
    return kind(**values)
