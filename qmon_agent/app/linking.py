"""The links of messages, made and read: by keys in the agent's state directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import msgspec

from qmon_agent import durable
from qmon_agent.domain.clock import SECOND, Clock
from qmon_agent.domain.links import (
    MUTES,
    Deed,
    Grant,
    Key,
    new_key,
    seal,
    turned,
    unseal,
)
from qmon_agent.domain.notices import STORM, Notice
from qmon_agent.notify.linking import Linked
from qmon_agent.notify.message import MAX_MEMBERS, Action
from qmon_agent.settings import Http

NAMES: dict[Deed, str] = {
    "ack": "Acknowledge",
    "mute_1h": "Mute for 1 h",
    "mute_24h": "Mute for 24 h",
}
_OFFERED: dict[str, tuple[Deed, ...]] = {
    "firing": ("ack", "mute_1h", "mute_24h"),
    "acknowledged": ("mute_1h", "mute_24h"),
    "resolved": (),
}
_MINUTE_S = 60


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    version: int = 1
    keys: tuple[Key, ...] = ()


class LinkKeys:
    """Keys in a file that only its owner reads; made when they are first needed. From any thread.

    A file that cannot be read is replaced: its links are void, and new ones work.
    """

    def __init__(self, path: Path, clock: Clock, *, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._path = path
        self._clock = clock
        self._ttl_ns = round(ttl_s * SECOND)
        self._lock = Lock()
        self._keys: tuple[Key, ...] | None = None

    def seal(self, grant: Grant) -> str:
        return seal(grant, self._known()[-1])

    def unseal(self, text: str) -> Grant | None:
        return unseal(text, self._known())

    def revoke(self) -> None:
        """Make every link void that there is."""
        with self._lock:
            self._keep((new_key(self._clock.now()),))

    def _known(self) -> tuple[Key, ...]:
        with self._lock:
            before = self._read() if self._keys is None else self._keys
            keys = turned(before, self._clock.now(), ttl_ns=self._ttl_ns)
            if keys != self._keys:
                self._keep(keys)
            return keys

    def _read(self) -> tuple[Key, ...]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept).keys
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return ()

    def _keep(self, keys: tuple[Key, ...]) -> None:
        durable.replace(self._path, msgspec.json.encode(_Kept(keys=keys)), mode=0o600)
        self._keys = keys


class MessageLinks:
    """What the notifier asks for the links of a message."""

    def __init__(
        self, options: Http, keys: LinkKeys, *, kinds: Mapping[str, str], clock: Clock
    ) -> None:
        """`kinds`: of each channel, by its name."""
        self._options = options
        self._base = options.public_url.rstrip("/")
        self._keys = keys
        self._kinds = kinds
        self._clock = clock

    def of(self, notice: Notice, channel: str, *, is_log: bool) -> Linked:
        """The page of the incident, what may be done now, and where its chart is drawn."""
        place = f"{self._base}/incidents/{quote(notice.incident, safe='')}"
        if is_log:
            return Linked(show=place)
        whom = f"{self._kinds.get(channel, channel)}:{channel}"
        right = self._sealed("show", notice, whom)
        acts = [
            Action(name=NAMES[deed], link=f"{self._base}/links/{self._sealed(deed, notice, whom)}")
            for deed in _offered(notice)
        ]
        why = Action(name="Why", link=f"{place}?link={right}#why")
        chart = f"{self._base}/links/{self._sealed('chart', notice, whom)}/chart.png"
        return Linked(
            show=f"{place}?link={right}",
            actions=(*acts, why),
            chart=chart if self._options.chart_links else "",
        )

    def _sealed(self, deed: Deed, notice: Notice, whom: str) -> str:
        now = self._clock.now() // SECOND
        # To the minute, so that a message that is sent again hardly ever differs.
        until = -(-(now + round(self._options.link_ttl_s)) // _MINUTE_S) * _MINUTE_S
        at = now if deed == "chart" else 0
        grant = Grant(
            deed=deed,
            incident=notice.incident,
            channel=whom,
            until=until,
            at=at,
            group=notice.group,
        )
        return self._keys.seal(grant)


def _offered(notice: Notice) -> Iterator[Deed]:
    if notice.rule == STORM:
        # It is about many that nobody has read of: they are looked at first.
        return
    firing = sum(each.status == "firing" for each in notice.members) + notice.left_out
    for deed in _OFFERED[notice.status]:
        # Each incident is muted by itself, so that nothing else is.
        if deed not in MUTES or firing <= MAX_MEMBERS:
            yield deed
