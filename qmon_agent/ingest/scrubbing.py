"""What a scrubber does to each field of each kind of signal, be it ours or a foreign client's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from itertools import islice
from typing import Any

import msgspec

from qmon_agent.ingest.lots import Change
from qmon_agent.ingest.matching import PLACES, Pattern
from qmon_sdk.scrub import MAX_LABELS, Scrubber

HIDDEN = "[scrubbed]"
_TEXTS = ("body", "culprit", "message", "name", "template")
_JSON = ("events", "links", "stack")
_PEOPLE = ("anonymous_id", "user_id")
_MAPS = ("attributes", "locals")
# Ids look like tokens, and are none.
_IDS = frozenset({"span_id", "trace_id", "tracestate"})
_HASHED = re.compile(r"hash:[0-9a-f]{16}")


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the SDK's scrubber asks of settings."""

    scrub: dict[str, tuple[str, ...]]
    send_default_pii: bool
    max_value_length: int = 1 << 23
    """Nothing is cut here: whoever took the signals has seen to that."""


class Rules:
    """One scrubber, and what is done besides."""

    def __init__(
        self,
        wishes: Wishes,
        *,
        remove: tuple[str, ...],
        hashed: tuple[str, ...],
        hash_key: str,
        replacement: str,
    ) -> None:
        self._scrubber = Scrubber(wishes)  # type: ignore[arg-type]  # all that it asks of settings
        self._removed = Pattern(remove)
        self._hashed = Pattern(hashed)
        self._has_own = bool(remove or hashed)
        self._key = blake2b(hash_key.encode(), digest_size=32).digest()
        self._replacement = replacement
        self.changes: dict[str, dict[int, Change]] = {
            kind: {
                place: change
                for field, place in places.items()
                if (change := self._change(field)) is not None
            }
            for kind, places in PLACES.items()
        }
        """Kind → place of a field → what becomes of its value."""

    def labels(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Attributes without their secrets."""
        if len(attributes) <= MAX_LABELS:
            scrubbed = self._scrubber.labels(attributes)
        else:
            scrubbed = {}
            rest = iter(attributes.items())
            while some := dict(islice(rest, MAX_LABELS)):
                scrubbed |= self._scrubber.labels(some)
        if self._has_own:
            scrubbed = self._own(attributes, scrubbed)
        if self._replacement != HIDDEN:
            scrubbed = {key: self._replaced(value) for key, value in scrubbed.items()}
        return scrubbed

    def text(self, text: str) -> str:
        """A text without its secrets."""
        return self._replaced(self._scrubber.texts[text])

    def json(self, text: str) -> str:
        """JSON without its secrets; what is none is a text like any other."""
        if not self._has_own and not self._scrubber.is_suspect(text):
            return text
        try:
            value = json.loads(text) if text else ""
        except ValueError:
            return self.text(text)
        scrubbed = self._value(value)
        if scrubbed == value:
            return text
        return json.dumps(scrubbed, ensure_ascii=False, separators=(",", ":"))

    def _change(self, field: str) -> Change | None:
        if field == "attributes":
            return self.labels
        if field in _TEXTS:
            return self.text
        if field in _JSON:
            return self.json
        return self._person_of(field) if field in _PEOPLE else None

    def _person_of(self, field: str) -> Change:
        is_hashed = self._hashed.fits(field)

        def person(said: str) -> str:
            if is_hashed and said:
                return self._digest(said)
            return self._replaced(self._scrubber.person(said))

        return person

    def _own(self, attributes: Mapping[str, str], scrubbed: dict[str, str]) -> dict[str, str]:
        own = {key: value for key, value in scrubbed.items() if not self._removed.fits(key)}
        for key in own:
            if self._hashed.fits(key):
                own[key] = self._digest(attributes.get(key, ""))
        return own

    def _value(self, value: Any, key: str = "") -> Any:
        if key and key not in _MAPS and self._scrubber.hides(key):
            return self._replacement
        if isinstance(value, dict):
            if key in _MAPS and all(isinstance(each, str) for each in value.values()):
                return self.labels(value)
            return {inside: self._value(each, inside) for inside, each in value.items()}
        if isinstance(value, list):
            return [self._value(each) for each in value]
        return self.text(value) if isinstance(value, str) and key not in _IDS else value

    def _digest(self, value: str) -> str:
        if _HASHED.fullmatch(value):
            return value  # it has been here before
        data = value.encode("utf-8", "replace")
        return f"hash:{blake2b(data, key=self._key, digest_size=8).hexdigest()}"

    def _replaced(self, text: str) -> str:
        return text if self._replacement == HIDDEN else text.replace(HIDDEN, self._replacement)
