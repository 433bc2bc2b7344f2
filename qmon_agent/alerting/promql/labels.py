"""Label sets: equal ones are one object, and what is made of one is remembered beside it.

So a vector is a plain dict whose keys hash by identity, and grouping the same series again at the
next evaluation is one look-up for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from threading import Lock
from weakref import WeakValueDictionary

NAME = "__name__"

Pairs = tuple[tuple[str, str], ...]


class Labels:
    """Sorted pairs, none with an empty value; made by `labels_of` only."""

    __slots__ = ("__weakref__", "_derived", "_values", "pairs")

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self._values = dict(pairs)
        self._derived: dict[Cut, Labels] | None = None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __lt__(self, other: Labels) -> bool:
        return self.pairs < other.pairs

    def __repr__(self) -> str:
        name = self.get(NAME)
        rest = (f'{key}="{value}"' for key, value in self.pairs if key != NAME)
        return f"{name}{{{', '.join(rest)}}}"

    def get(self, name: str) -> str:
        """The value of a label; a label that is not there has an empty one."""
        return self._values.get(name, "")

    def mapping(self) -> dict[str, str]:
        """A copy to change."""
        return dict(self._values)

    def cut(self, by: Cut) -> Labels:
        """What the cut leaves of them."""
        derived = self._derived
        if derived is None:
            derived = self._derived = {}
        found = derived.get(by)
        if found is None:
            found = derived[by] = labels_of(
                (key, value) for key, value in self.pairs if (key in by.names) is by.keeps
            )
        return found


class Cut:
    """Some labels to keep, or to leave out; made by `cut_of` only."""

    __slots__ = ("keeps", "names")

    def __init__(self, names: frozenset[str], *, keeps: bool) -> None:
        self.names = names
        self.keeps = keeps


def cut_of(names: Iterable[str], *, keeps: bool) -> Cut:
    """The one object for these names: what is made by it is remembered under it, for long."""
    return _cut_of(frozenset(names), keeps)


@lru_cache(10_000)
def _cut_of(names: frozenset[str], keeps: bool) -> Cut:  # noqa: FBT001 - the key of a cache
    return Cut(names, keeps=keeps)


_KNOWN: WeakValueDictionary[Pairs, Labels] = WeakValueDictionary()
_MAKING = Lock()


def labels_of(said: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """The one object for these labels; empty values are as good as none."""
    items = said.items() if isinstance(said, Mapping) else said
    pairs = tuple(sorted((key, value) for key, value in items if value))
    with _MAKING:
        found = _KNOWN.get(pairs)
        if found is None:
            found = _KNOWN[pairs] = Labels(pairs)
    return found


NONE = labels_of(())
NAMELESS = cut_of([NAME], keeps=False)
