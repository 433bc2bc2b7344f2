"""The notifier: leases messages from the outbox and sends them until each has arrived or died."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

import msgspec

from qmon_agent.domain.clock import SECOND, Clock, SystemClock
from qmon_agent.domain.errors import StoreError
from qmon_agent.domain.notices import Notice
from qmon_agent.domain.pulses import Pulse
from qmon_agent.store.state.sendings import Leased, Settled
from qmon_agent.vitals import Vitals

from .channels import Channel, Delivery
from .linking import UNLINKED, Linked
from .message import Address, Message, compose
from .retrying import Sending, asked_s, settle_as
from .wording import plain

T = TypeVar("T")

STORE_PAUSE_S = 1.0
LONGEST_SLEEP_S = 30.0
_AWAY = 3
"""So many attempts in vain, one after the other, and a receiver was away."""
_PATIENCE_S = 60.0  # beyond a channel's own time: for a state store that is busy


class Outbox(Protocol):
    """Where messages wait. Every call is one transaction; called from threads."""

    def pass_over(self, channel: str) -> int: ...
    def lease(self, channel: str, *, owner: str, until: int, limit: int = 10) -> list[Leased]: ...
    def settle(self, leased: Leased, became: Settled) -> bool: ...
    def give_back(self, unsent: Sequence[Leased]) -> None: ...
    def hurry(self, channel: str) -> int: ...
    def release(self, owner: str) -> int: ...
    def bury_strangers(self, known: list[str]) -> int: ...
    def next_due(self, channel: str) -> int | None: ...


class Charts(Protocol):
    """Who can draw what an alert is about."""

    async def chart_of(self, notice: Notice, *, others: int) -> bytes | None: ...


class AlertNotifier:
    """One task per channel, so that a slow one holds up nobody.

    A crash between any two steps leaves a lease that ends: the message is sent again with the same
    key, and never lost.
    """

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        *,
        clock: Clock | None = None,
        vitals: Vitals | None = None,
        sending: Sending | None = None,
        charts: Charts | None = None,
    ) -> None:
        self._outbox = outbox
        self._channels = dict(channels)
        self._clock = clock or SystemClock()
        self._vitals = vitals or Vitals()
        self._sending = sending or Sending()
        self._charts = charts
        self._chance = Random()
        self._news = {name: asyncio.Event() for name in channels}
        longest_s = self._sending.timeout_s + _PATIENCE_S
        self.pulses = {name: Pulse(longest_s) for name in channels}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._troubles: dict[str, str] = {}
        self._in_vain = Counter[str]()
        self._rests: dict[str, tuple[int, int]] = {}
        """Channels that want to be left alone: from when until when."""

    def problems(self) -> Iterator[str]:
        """The channels whose last message did not arrive, and why."""
        for name, trouble in self._troubles.items():
            yield f"channel {name}: {trouble}"

    async def run(self) -> None:
        """Send until cancelled; what is leased then is given back."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._begin()
            async with asyncio.TaskGroup() as tasks:
                for name in self._channels:
                    tasks.create_task(self._serve(name))
        finally:
            self._loop = None
            self._outbox.release(self._sending.owner)

    def wake(self) -> None:
        """There is something new in the outbox; from any thread, running or not."""
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._tell_all)

    async def send_due(self) -> int:
        """Send what is due now, once, without running; how many attempts that were."""
        await self._begin()
        return sum([await self._pass(name) for name in self._channels])

    def _tell_all(self) -> None:
        for news in self._news.values():
            news.set()

    async def _begin(self) -> None:
        try:
            await self._tidy()
        except StoreError:
            # Leases end by themselves, and strangers can wait.
            self._vitals.add("notify_failures", channel="", error="StoreError")

    async def _tidy(self) -> None:
        if freed := await asyncio.to_thread(self._outbox.release, self._sending.owner):
            self._vitals.add("notify_leases_recovered", freed)
        if buried := await asyncio.to_thread(self._outbox.bury_strangers, list(self._channels)):
            self._vitals.add("notify_dead", buried, channel="unknown")

    async def _serve(self, name: str) -> None:
        while True:
            self._news[name].clear()
            self.pulses[name].begin()
            try:
                if await self._pass(name):
                    continue
                pause_s = await self._pause_s(name)
            except Exception as error:  # noqa: BLE001 - whatever it is, it may pass, and a sender stays
                self._vitals.add("notify_failures", channel=name, error=type(error).__name__)
                pause_s = STORE_PAUSE_S
            self.pulses[name].rest()
            await self._sleep(name, pause_s)

    async def _sleep(self, name: str, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._news[name].wait()
        except TimeoutError:
            pass

    async def _pause_s(self, name: str) -> float:
        if self._is_resting(name):
            due: int | None = self._rests[name][1]
        else:
            due = await asyncio.to_thread(self._outbox.next_due, name)
        if due is None:
            return LONGEST_SLEEP_S
        return min(max((due - self._clock.now()) / SECOND, 0.001), LONGEST_SLEEP_S)

    def _is_resting(self, name: str) -> bool:
        since, until = self._rests.get(name, (0, 0))
        return since <= self._clock.now() < until  # a clock that was set back ends it

    async def _pass(self, name: str) -> int:
        if self._is_resting(name):
            return 0
        if outdated := await asyncio.to_thread(self._outbox.pass_over, name):
            self._vitals.add("notify_superseded", outdated, channel=name)
        until = self._clock.now() + round(self._sending.lease_s * SECOND)
        leased = await asyncio.to_thread(
            self._outbox.lease,
            name,
            owner=self._sending.owner,
            until=until,
            limit=self._sending.at_once,
        )
        done = 0
        try:
            for each in leased:
                self.pulses[name].begin()
                done += 1
                if not await self._send(each):
                    break
        finally:
            # What has begun to fire meanwhile does not wait behind them.
            if leased[done:]:
                await surely(asyncio.to_thread(self._outbox.give_back, leased[done:]))
        return done

    async def _send(self, leased: Leased) -> bool:
        started = time.perf_counter_ns()
        delivery = await self._attempt(leased)
        self._note(leased.channel, delivery)
        now = self._clock.now()
        became = settle_as(leased, delivery, now, sending=self._sending, chance=self._chance)
        self._rests[leased.channel] = now, now + round(asked_s(delivery) * SECOND)
        spent = time.perf_counter_ns() - started
        became = msgspec.structs.replace(became, duration_ns=spent)
        if not await surely(self._settle(leased, became)):
            self._vitals.add("notify_leases_lost", channel=leased.channel)
        self._vitals.add(f"notify_{became.status}", channel=leased.channel)
        await self._note_presence(leased.channel, is_back=became.status == "sent")
        return became.status == "sent"

    async def _settle(self, leased: Leased, became: Settled) -> bool:
        """Write down what became of it, as long as nobody else may lease it: it is told once."""
        last = time.monotonic() + self._sending.lease_s
        while True:
            try:
                return await asyncio.to_thread(self._outbox.settle, leased, became)
            except StoreError:
                if time.monotonic() + STORE_PAUSE_S >= last:
                    raise
                self.pulses[leased.channel].begin()
                await asyncio.sleep(STORE_PAUSE_S)

    async def _note_presence(self, channel: str, *, is_back: bool) -> None:
        """What waits for a receiver that was away waits no longer, so that the worst is first."""
        was_away = self._in_vain[channel] >= _AWAY
        self._in_vain[channel] = 0 if is_back else self._in_vain[channel] + 1
        if is_back and was_away:
            await asyncio.to_thread(self._outbox.hurry, channel)

    def _note(self, channel: str, delivery: Delivery) -> None:
        if delivery.outcome == "delivered":
            self._troubles.pop(channel, None)
        else:
            became = "waits" if delivery.outcome == "retry" else "will not arrive"
            self._troubles[channel] = f"a message {became}: {delivery.detail}"

    async def _attempt(self, leased: Leased) -> Delivery:
        try:
            notice = msgspec.json.decode(leased.notice, type=Notice)
        except msgspec.MsgspecError as error:
            return Delivery(outcome="refused", detail=f"unreadable notice: {error}")
        try:
            async with asyncio.timeout(self._sending.timeout_s):
                message = await self._message(leased, notice)
                return await self._channels[leased.channel].send(message)
        except TimeoutError:
            return Delivery(
                outcome="retry", detail=f"no answer within {self._sending.timeout_s:g} s"
            )
        except Exception as error:  # noqa: BLE001 - a channel may raise anything; the message waits
            return Delivery(outcome="retry", detail=f"{type(error).__name__}: {error}")

    async def _message(self, leased: Leased, notice: Notice) -> Message:
        channel = plain(self._channels[leased.channel])
        links = await self._links(notice, channel, leased.channel)
        address = Address(
            key=leased.key,
            channel=leased.channel,
            link=links.show,
            actions=links.actions,
            attempt=leased.attempts,
            sent_at=self._clock.now(),
            reference=leased.reference,
            others=leased.others,
        )
        message = compose(notice, address)
        takes = getattr(channel, "TAKES_CHART", False)
        link = links.chart if getattr(channel, "TAKES_CHART_LINK", False) else ""
        if takes or link:
            # Drawn also where only its address is sent: there is none of what has no values.
            chart = await self._chart(notice, message.others)
            link = link if chart else ""
            message = msgspec.structs.replace(
                message, chart=chart if takes else None, chart_link=link
            )
        return message

    async def _links(self, notice: Notice, channel: Channel, name: str) -> Linked:
        """None where they cannot be made: what is said matters more."""
        if (links := self._sending.links) is None:
            return UNLINKED
        is_log = getattr(channel, "IS_LOG", False)
        try:
            return await asyncio.to_thread(links.of, notice, name, is_log=is_log)
        except Exception as error:  # noqa: BLE001 - a disk that is full keeps no message back
            self._vitals.add("notify_links_missed", error=type(error).__name__)
            return UNLINKED

    async def _chart(self, notice: Notice, others: int) -> bytes | None:
        """None where it is hard to have: what is said matters more."""
        if self._charts is None:
            return None
        try:
            return await self._charts.chart_of(notice, others=others)
        except Exception as error:  # noqa: BLE001 - a store that is away keeps no message back
            self._vitals.add("notify_charts_missed", error=type(error).__name__)
            return None


async def surely(work: Coroutine[Any, Any, T]) -> T:
    """Finish the work also when we are told to stop: what has arrived shall be known to have."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
