"""Sites of calls to other systems, within a budget: the flight ring has room for so many names.

What a site says of all its spans costs them nothing. When the budget is spent, further spans say it
themselves, which costs each of them a few microseconds.
"""

from __future__ import annotations

from qmon_sdk.recorder.sites import Site
from qmon_sdk.spans import site_of as site_of_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Said = tuple[Site, dict[str, Any]]
    Pair = tuple[str, Any]

BUDGET = 96 << 10
"""Characters of names and attributes that these sites may have together."""

FEW = frozenset({0, 1})
"""Numbers, and truths, that are worth a site of their own."""


class Shelf:
    """The sites there are, and what they have cost."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.left = budget
        self._sites: dict[tuple[Any, ...], Site] = {}
        self._variants: dict[tuple[int, Pair], Site] = {}

    def site(self, name: str, attributes: dict[str, str]) -> Site | Said:
        """Return the site of a name with attributes; without room, one of the name alone."""
        found = self._made(name, attributes)
        return (site_of_name(name, "client"), dict(attributes)) if found is None else found

    def variant(self, site: Site, pair: Pair) -> tuple[Site, dict[str, Any] | None]:
        """Return the site that says one thing more, and what its span still has to say."""
        found = self._variants.get((site.number, pair))
        if found is not None:
            return found, None
        if pair[1] in FEW:
            found = self._made(site.name, {**site.attributes, pair[0]: _text(pair[1])})
        if found is None:
            return site, dict([pair])
        self._variants[site.number, pair] = found
        return found, None

    def _made(self, name: str, attributes: dict[str, str]) -> Site | None:
        key = (name, *attributes.items())
        found = self._sites.get(key)
        if found is None:
            size = len(name) + sum(len(word) + len(text) for word, text in attributes.items())
            if size > self.left:
                return None
            self.left -= size
            found = self._sites[key] = Site(name, kind="client", attributes=attributes)
        return found


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


SHELF = Shelf()
