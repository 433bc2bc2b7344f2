"""Who is called of a group, and when: at once, later while nobody reacts, and the whole again."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of a receiver, and whether it hears that something is over.

    With `after_ns` it is told only when something of the group has fired for so long since the
    first message, and nobody has taken it on. It is called again up to `rounds` times, one every
    `round_ns`, while that stays so.
    """

    channel: str
    send_resolved: bool = True
    after_ns: int = 0
    rounds: int = 0
    round_ns: int = 0
    is_gone: bool = False
    """Named no more: it hears only that all it was told of is over."""

    def last_call(self, since: int, now: int) -> int:
        """When it was to be called once more, the last time by now; zero: not yet."""
        rounds = min(self._begun(since, now), self.rounds) if since else 0
        return since + self.after_ns + rounds * self.round_ns if rounds > 0 else 0

    def next_call(self, since: int, now: int) -> int | None:
        """When it is to be called once more, after now."""
        rounds = max(self._begun(since, now) + 1, 1)
        if not since or rounds > self.rounds:
            return None
        return since + self.after_ns + rounds * self.round_ns

    def _begun(self, since: int, now: int) -> int:
        return (now - since - self.after_ns) // self.round_ns if self.round_ns else 0


Receivers = Mapping[str, tuple[Endpoint, ...]]
