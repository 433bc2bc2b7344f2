"""`qmon-agent test-channel`: does a channel reach whom it shall reach."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from qmon_agent.cli._place import Place, with_place
from qmon_agent.cli._shown import printable, show_json

if TYPE_CHECKING:
    from qmon_agent.domain.notices import Notice
    from qmon_agent.notify.channels import Channel

_PATIENCE_S = 20.0


@click.command
@click.argument("name")
@click.option("--resolved", is_flag=True, help="Say afterwards that it is over, too.")
@with_place
def command(*, name: str, resolved: bool, place: Place) -> int:
    """Send a test message by the channel NAME of the configuration, and say how that went.

    No agent is needed, and none is asked. It is tried once, and what a real message would do then
    is said. Exit code 1: it did not arrive.
    """
    # Imported here: only the channel that is meant is built.
    from qmon_agent.app.checking import make_channel
    from qmon_agent.domain.errors import ConfigError, nearest_to
    from qmon_agent.settings import load_settings

    settings = load_settings(place.locations.config)
    if name not in settings.channels:
        known = tuple(settings.channels)
        raise ConfigError(f"channels.{name}", "no such channel", nearest_to(name, known) or known)
    channel = make_channel(name, settings.channels[name])
    statuses = ("firing", "resolved") if resolved else ("firing",)
    outcomes = [*asyncio.run(_told(name, channel, statuses))]
    if place.json:
        show_json({"version": 1, "channel": name, "messages": outcomes})
    else:
        for line in _lines(outcomes):
            click.echo(printable(line))
    return int(any(each["outcome"] != "delivered" for each in outcomes))


def _lines(outcomes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in outcomes:
        detail = f": {each['detail']}" if each["detail"] else ""
        became = "delivered" if each["outcome"] == "delivered" else "not delivered"
        yield f"{each['status']}: {became} in {each['ms']:.0f} ms{detail}"
        if each["outcome"] == "refused":
            yield "  this was not tried again, nor would a real message be: the answer is final"
        if each["again_in_s"] is not None:
            yield (
                f"  this was tried once; a real message would be tried again in about "
                f"{each['again_in_s']:g} s, then ever more rarely, for a day"
            )


async def _told(name: str, channel: Channel, statuses: tuple[str, ...]) -> list[dict[str, Any]]:
    """What became of each; the second is one of the same incident."""
    from qmon_agent.notify.message import Address, compose
    from qmon_agent.notify.retrying import again_in_s
    from qmon_agent.notify.wording import plain

    outcomes: list[dict[str, Any]] = []
    reference = ""
    for notice in _notices(statuses):
        key = f"{notice.incident}.{notice.status}.{name}"
        address = Address(key=key, channel=name, sent_at=time.time_ns(), reference=reference)
        began = time.perf_counter()
        message = compose(notice, address)
        if getattr(plain(channel), "TAKES_CHART", False):
            message = msgspec.structs.replace(message, chart=_a_chart())
        delivery = await _sent(channel, message)
        spent_ms = (time.perf_counter() - began) * 1_000
        reference = delivery.reference or reference
        outcomes.append(
            {"status": notice.status, "key": key, "ms": round(spent_ms, 1)}
            | {key: getattr(delivery, key) for key in ("outcome", "detail")}
            | {"again_in_s": again_in_s(delivery) if delivery.outcome == "retry" else None}
        )
    return outcomes


async def _sent(channel: Channel, message: Any) -> Any:
    from qmon_agent.notify.channels import Delivery

    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await channel.send(message)
    except TimeoutError:
        return Delivery(outcome="retry", detail=f"no answer within {_PATIENCE_S:g} s")
    except Exception as error:  # noqa: BLE001 - the notifier would go on as well
        return Delivery(outcome="retry", detail=f"{type(error).__name__}: {error}")


def _a_chart() -> bytes:
    """Something that rises."""
    from qmon_agent.domain.charts import drawn

    values = [(at, float(at * at)) for at in range(101)]
    return drawn(values, start=0, end=100, bound=7_500.0)


def _notices(statuses: tuple[str, ...]) -> Iterator[Notice]:
    from qmon_agent.domain.notices import Notice

    now, incident = time.time_ns(), f"test{secrets.token_hex(6)}"
    firing = Notice(
        incident=incident,
        status="firing",
        reason="test",
        alert="Test of a channel",
        description="Somebody tries whether messages of qmon arrive here. Nothing is wrong.",
        severity="info",
        rule="test",
        labels={"test": "yes"},
        event_time=now,
        since=now,
        fired_at=now,
    )
    over = msgspec.structs.replace(firing, status="resolved", resolved_at=now)
    known = {"firing": firing, "resolved": over}
    yield from (known[status] for status in statuses)
