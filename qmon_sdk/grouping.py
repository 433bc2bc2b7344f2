"""Which errors are one problem: of one type, raised along one way through the application."""

from __future__ import annotations

from .anatomy import chain_of, members_of, message_of
from .rendering import label, type_name

try:
    from _blake2 import blake2b  # without the cryptography library that `hashlib` loads
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import FrameType

    from .stacktrace import Place

DEFAULT = "{{ default }}"
"""In a fingerprint: what the grouping would have been."""

_MAX_MESSAGE = 200


def key_of_error(error: BaseException, places: Sequence[Place]) -> str:
    """Group by type, the types that led to it, and the application's functions on the way.

    Lines do not count, so that an edit above keeps the group, and neither do repetitions, so that
    a recursion groups the same however deep it got. Members of a group count once per type.
    """
    types = [type_name(type(link)) for _, link in chain_of(error)]
    members = sorted({type_name(type(member)) for member in members_of(error)})
    names = [place.name for place in places if place.in_app] or [place.name for place in places]
    ways = [name for before, name in zip(["", *names], names, strict=False) if name != before]
    return hashed((*types, *members, *(ways or [template_of(message_of(error, _MAX_MESSAGE))])))


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


def hashed(parts: Iterable[str]) -> str:
    """Make a key of 32 hexadecimal digits."""
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()


def template_of(message: str) -> str:
    """Leave out of a message what varies between those of one kind: the digits."""
    return "".join(letter for letter in message[:_MAX_MESSAGE] if not letter.isdigit())
