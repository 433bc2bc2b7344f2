"""Hide what must not be kept: secrets by the rules of our SDK, whoever sent them, and your own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.lots import Lot
from qmon_agent.ingest.scrubbing import HIDDEN, Rules, Wishes

from . import ALL_KINDS


class ScrubProcessor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Reads every text of a signal by the SDK's rules; what it fails at is dropped, never kept."""

    kinds: ClassVar[frozenset[str]] = ALL_KINDS
    fail_closed: ClassVar[bool] = True

    keys: tuple[str, ...] = ()
    """More words of keys under which a value is hidden, as `iban`."""
    patterns: tuple[str, ...] = ()
    """Regular expressions; what fits is hidden in every text."""
    allow: tuple[str, ...] = ()
    """Keys that the rules leave alone."""
    keep_personal: bool = False
    """Whether e-mail addresses and where somebody is are no secrets here."""
    remove: tuple[str, ...] = ()
    """Keys of attributes that go with their values; `*` stands for anything."""
    hash: tuple[str, ...] = ()
    """Keys of attributes, and `user_id`, whose values become a short digest: same to same."""
    hash_key: str = ""
    """Makes the digests yours: nobody without it can try what they are of."""
    replacement: str = HIDDEN
    """What stands where something was hidden."""
    _rules: Rules | None = None

    def __post_init__(self) -> None:
        for number, pattern in enumerate(self.patterns):
            try:
                re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as problem:
                reason = f"{pattern!r} is no regular expression: {problem}"
                raise ConfigError(f"patterns[{number}]", reason) from None
        if self.hash and not self.hash_key:
            raise ConfigError("hash_key", "is needed where something is hashed")
        wishes = Wishes(
            scrub={"keys": self.keys, "patterns": self.patterns, "allow": self.allow},
            send_default_pii=self.keep_personal,
        )
        self._rules = Rules(
            wishes,
            remove=self.remove,
            hashed=self.hash,
            hash_key=self.hash_key,
            replacement=self.replacement,
        )

    def process(self, lot: Lot) -> Iterable[Lot]:
        assert self._rules is not None  # noqa: S101 - made with it
        before = lot.resource.attributes
        after = self._rules.labels(before)
        if after != before:
            lot = lot.of(lot.resource.replace(attributes=after))
        return (lot.mapped(self._rules.changes[lot.kind]),)
