"""Another agent, or several gateways of many: the frames themselves, as they came."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from qmon_agent.domain.bounds import Seconds
from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.balancing import Presence, ranked
from qmon_agent.forward.batch import Batch

from . import Delivery
from ._gateways import Gateway, Line, Remainder
from ._http import HttpSink, check_address, without_secrets

# A sending is to end within a minute: what is begun by then may take three timeouts.
_TURN_S = 30.0


class NativeSink(HttpSink, kw_only=True, forbid_unknown_fields=True):
    """Process and sequence stay those of the first sender, so the other agent keeps each once."""

    endpoint: str = ""
    """Where to, as `https://gateway:7690`; `/api/qmon/frames` is added."""
    urls: tuple[str, ...] = ()
    """Or several: each sender's frames go to one of them, and to another while that is away."""
    gateways: tuple[Gateway, ...] = ()
    """Further ones, each with a token or certificates of its own."""
    token: str = ""
    """Of the other agent, of scope ingest."""
    away_s: Seconds = 5.0
    """How long a gateway that did not answer is left alone, at first; a minute at most."""
    _lines: Any = None
    _presence: Any = None
    _remainder: Any = None

    def __post_init__(self) -> None:
        if bool(self.endpoint) == bool(self.urls or self.gateways):
            raise ConfigError("endpoint", "say either where to, or several `urls`")
        gateways = [*self._all_gateways()]
        for gateway in gateways:
            check_address("endpoint" if self.endpoint else "urls", gateway.url)
        self._lines = {gateway.url: self._line_to(gateway) for gateway in gateways}
        if len(self._lines) < len(gateways):
            raise ConfigError("urls", "names a gateway twice")
        self._presence = Presence(self._lines, first_s=self.away_s)

    def send(self, batch: Batch) -> Delivery:
        """To whom each sender belongs; what one does not take goes to the next at once."""
        if self._remainder is None or self._remainder.id != batch.id:
            self._remainder = Remainder(batch)
        remainder: Remainder = self._remainder
        until_s = time.monotonic() + _TURN_S
        if not self._presence.present(time.monotonic()):
            self._presence.everybody_may_be_tried()
        while remainder.left:
            place, parcel = self._chosen()
            delivery: Delivery = self._lines[place].send(parcel)
            if delivery.outcome != "retry":
                self._presence.answered(place)
                remainder.settled(parcel, delivery)
            elif not self._goes_on(place, delivery, until_s):
                return delivery
        self._remainder = None
        return remainder.delivery()

    def close(self) -> None:
        for line in self._lines.values():
            line.close()

    def describe(self) -> Mapping[str, Any]:
        if self.endpoint:
            return {"endpoint": without_secrets(self.endpoint)}
        states = self._presence.states()
        return {"gateways": {without_secrets(url): state for url, state in states.items()}}

    def _all_gateways(self) -> Iterator[Gateway]:
        yield from (Gateway(url=url) for url in (self.endpoint, *self.urls) if url)
        yield from self.gateways

    def _line_to(self, gateway: Gateway) -> Line:
        ours = gateway if gateway.certificate else self
        return Line(
            endpoint=gateway.url,
            token=gateway.token or self.token,
            headers=self.headers,
            timeout_s=self.timeout_s,
            compress=self.compress,
            ca_file=gateway.ca_file or self.ca_file,
            certificate=ours.certificate,
            key=ours.key,
            proxy_from_environment=self.proxy_from_environment,
        )

    def _chosen(self) -> tuple[str, Batch]:
        """The first sender that is left, and all who belong to the same gateway now."""
        present = self._presence.present(time.monotonic())
        left = self._remainder.left
        first = {frame.process: "" for frame, _ in left}
        first = {sender: ranked(sender, present)[0] for sender in first}
        place = first[left[0][0].process]
        return place, self._remainder.parcel(
            [both for both in left if first[both[0].process] == place]
        )

    def _goes_on(self, place: str, delivery: Delivery, until_s: float) -> bool:
        """Whether another one may be asked, and there is the time for it."""
        now = time.monotonic()
        asked_s = delivery.retry_after_s
        self._presence.missed(place, now, why=delivery.detail, asked_s=asked_s)
        return now < until_s and bool(self._presence.present(now))
