"""The routing tree: which receivers hear of an alert, in which groups, and how often.

Depth first; of a node's children the first that matches is the last, unless it says `continue`;
where no child matches, the node itself answers. A child has of its parent what it does not say
itself, except when it is muted or active.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from qmon_agent.domain.clock import SECOND

from .matchers import Labels, Matchers, all_hold, print_matchers

T = TypeVar("T")
GROUP_WAIT_NS = 30 * SECOND
GROUP_INTERVAL_NS = 5 * 60 * SECOND
REPEAT_INTERVAL_NS = 4 * 3_600 * SECOND
ALL_LABELS = "..."
"""In `group_by`: every set of labels is a group by itself."""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A node as it is written; `None` is what its parent says."""

    receiver: str = ""
    matchers: Matchers = ()
    goes_on: bool = False
    """Whether the next branches are looked at as well: `continue`."""
    group_by: tuple[str, ...] | None = None
    group_wait_ns: int | None = None
    group_interval_ns: int | None = None
    repeat_interval_ns: int | None = None
    mute_intervals: tuple[str, ...] = ()
    active_intervals: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A node with all that holds for it."""

    name: str = "{}"
    """The matchers on the way to it: the same also when other branches come and go."""
    receiver: str
    matchers: Matchers = ()
    goes_on: bool = False
    group_by: tuple[str, ...] = ()
    group_wait_ns: int = GROUP_WAIT_NS
    group_interval_ns: int = GROUP_INTERVAL_NS
    repeat_interval_ns: int = REPEAT_INTERVAL_NS
    mute_intervals: tuple[str, ...] = ()
    active_intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()

    def group_labels(self, labels: Labels) -> dict[str, str]:
        """The labels by which an alert is put with others."""
        if ALL_LABELS in self.group_by:
            return dict(labels)
        return {name: labels[name] for name in self.group_by if name in labels}


def plant(branch: Branch, above: Route | None = None, name: str = "{}") -> Route:
    """The tree in which every node knows all that holds for it."""
    parent = above or Route(receiver="")
    own = Route(
        name=name,
        receiver=branch.receiver or parent.receiver,
        matchers=branch.matchers,
        goes_on=branch.goes_on,
        group_by=_said(branch.group_by, parent.group_by),
        group_wait_ns=_said(branch.group_wait_ns, parent.group_wait_ns),
        group_interval_ns=_said(branch.group_interval_ns, parent.group_interval_ns),
        repeat_interval_ns=_said(branch.repeat_interval_ns, parent.repeat_interval_ns),
        mute_intervals=branch.mute_intervals,
        active_intervals=branch.active_intervals,
    )
    return msgspec.structs.replace(own, routes=tuple(_children(branch, own)))


def _children(branch: Branch, own: Route) -> Iterator[Route]:
    taken: dict[str, int] = {}
    for child in branch.branches:
        name = f"{own.name}/{print_matchers(child.matchers)}"
        count = taken[name] = taken.get(name, 0) + 1
        yield plant(child, own, name if count == 1 else f"{name}#{count}")


def routes_for(root: Route, labels: Labels) -> tuple[Route, ...]:
    """The nodes that answer for an alert, in the order of the tree."""
    if not all_hold(root.matchers, labels):
        return ()
    found: list[Route] = []
    for child in root.routes:
        answers = routes_for(child, labels)
        found += answers
        if answers and not child.goes_on:
            break
    return tuple(found) or (root,)


def asked(root: Route, labels: Labels) -> Iterator[tuple[Route, bool]]:
    """Every node that is asked about an alert, in order, and whether it matches."""
    matches = all_hold(root.matchers, labels)
    yield root, matches
    for child in root.routes if matches else ():
        yield from asked(child, labels)
        if not child.goes_on and all_hold(child.matchers, labels):
            return


def walk(root: Route) -> Iterator[Route]:
    """Every node, parents first."""
    yield root
    for child in root.routes:
        yield from walk(child)


def _said(own: T | None, parents: T) -> T:
    return parents if own is None else own
