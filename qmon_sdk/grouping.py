"""Which errors are one problem: of one type, raised along one way through the application."""

from __future__ import annotations

from .anatomy import chain_of, members_of, message_of
from .protocol.grouping import MAX_MESSAGE, hashed, key_of_way, template_of
from .rendering import label, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import FrameType

    from .stacktrace import Place

DEFAULT = "{{ default }}"
"""In a fingerprint: what the grouping would have been."""

__all__ = [
    "DEFAULT",
    "culprit_of",
    "hashed",
    "key_of_error",
    "key_of_fingerprint",
    "message_parts",
    "template_of",
]


def key_of_error(error: BaseException, places: Sequence[Place]) -> str:
    """Group by type, the types that led to it, and the application's functions on the way.

    Lines do not count, so that an edit above keeps the group, and neither do repetitions, so that
    a recursion groups the same however deep it got. Members of a group count once per type.
    """
    types = [type_name(type(link)) for _, link in chain_of(error)]
    members = sorted({type_name(type(member)) for member in members_of(error)})
    names = [place.name for place in places if place.in_app] or [place.name for place in places]
    message = "" if names else message_of(error, MAX_MESSAGE)
    return key_of_way((*types, *members), names, message)


def message_parts(caller: FrameType, message: str) -> tuple[str, str]:
    """Group messages by where they are said and what they say, numbers aside."""
    return caller.f_code.co_qualname, template_of(label(message))


def key_of_fingerprint(fingerprint: str | Iterable[str], default: str) -> str:
    """Group as the application says; `{{ default }}` stands for our own opinion."""
    words = (fingerprint,) if isinstance(fingerprint, str) else fingerprint
    return hashed(
        default if type(word) is str and word == DEFAULT else label(word) for word in words
    )


def culprit_of(places: Sequence[Place]) -> str:
    """Name the application's function that is nearest to the trouble, or the nearest of all."""
    for place in reversed(places):
        if place.in_app:
            return place.name
    return places[-1].name if places else ""
