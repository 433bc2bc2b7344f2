"""How the SDK looks to a type checker: this file is checked, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

import qmon_sdk as qmon
from qmon_sdk import otel

qmon.init(service="shop", traces_sample_rate=0.5)


@qmon.instrument
def double(number: int) -> int:
    return number * 2


@qmon.instrument(name="slowly", kind="client")
async def slowly(text: str, *, times: int = 1) -> str:
    return text * times


@qmon.instrument
def numbers(upto: int) -> Iterator[int]:
    yield from range(upto)


@qmon.instrument
async def letters(text: str) -> AsyncIterator[str]:
    for letter in text:
        yield letter


@qmon.monitor
def nightly(day: int) -> int:
    return day


@qmon.monitor("weekly", schedule="@weekly", max_runtime=3600)
async def weekly(text: str) -> str:
    return text


async def use() -> None:
    assert_type(nightly(1), int)
    assert_type(await weekly("a"), str)
    assert_type(double(2), int)
    assert_type(await slowly("a", times=2), str)
    assert_type(list(numbers(3)), list[int])
    assert_type([letter async for letter in letters("abc")], list[str])


def verbs() -> None:
    with qmon.span("look up") as span:
        span.set_attribute("rows", 3)
    qmon.count("orders.paid", 2, attributes={"plan": "pro"})
    qmon.gauge("orders.waiting", 4.5)
    qmon.distribution("payment.amount", 12, unit="EUR")
    qmon.track("order_paid", {"amount": 12}, user_id="ada")
    qmon.set_user({"id": "ada"})
    with qmon.monitor("import", schedule="every 15 minutes"):
        qmon.heartbeat("worker", interval=60)
    try:
        double(3)
    except ValueError as error:
        qmon.capture_exception(error)
    with qmon.new_scope():
        qmon.set_tag("step", "payment")
    assert_type(qmon.flush(timeout=1.0), bool)
    assert_type(qmon.shutdown(), bool)


otel.install(traces=True, metrics=False)
assert_type(otel.attach(object()), bool | None)
otel.TracerProvider().add_span_processor(object())
