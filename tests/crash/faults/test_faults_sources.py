"""Every source under every fault: no acknowledged item is lost, none is doubled."""

from __future__ import annotations

import time

import foreign_producers
import judges
import local_producers
import producers
import pytest
import storms

from qmon_agent.ingest.sources import SOURCES

pytestmark = pytest.mark.timeout(300)
CALM_S = 1.0
MODULES = (producers, foreign_producers, local_producers)
PRODUCERS = {
    made.name_of_source: made
    for module in MODULES
    for made in vars(module).values()
    if isinstance(made, type) and issubclass(made, producers.Producer) and made.name_of_source
}
CONFIG = f"[samplers]\nenabled = false\n{storms.BUDGETS}"
IN_TURN = "all in turn"


def in_turn(stage):
    """Each of them, while what the one before left behind is mended still."""
    for fault in storms.FAULTS.values():
        fault(stage)
        time.sleep(CALM_S)


FAULTS = {IN_TURN: in_turn, **storms.FAULTS}


REPEATING = ("otlp", "sentry", "posthog", "remote_write", "alertmanager")


@pytest.fixture
def crowd(stage, backends):
    """One producer of each source, at work."""
    stage.nats = backends.nats.url
    made = [producer(stage) for producer in PRODUCERS.values()]
    stage.agent.configure(CONFIG + "".join(each.config for each in made))
    stage.agent.start()
    stage.make_token()
    for producer in made:
        producer.begin()
    yield made
    for producer in made:
        producer.close()


@pytest.mark.parametrize("name", SOURCES.names())
def test_every_source_has_a_producer(name):
    assert name in PRODUCERS


@pytest.mark.parametrize("fault", FAULTS if storms.WHOLE else ["kill -9"])
def test_nothing_acknowledged_is_lost_or_doubled(fault, stage, crowd, results):
    time.sleep(CALM_S)
    FAULTS[fault](stage)
    time.sleep(CALM_S)
    judges.all_ended(crowd)

    verdicts = judges.verdicts_of(crowd, fault)

    results(fault, verdicts)
    assert not judges.complaints(verdicts)
    assert stage.books()["adds_up"]


def test_what_is_sent_again_after_the_clock_stepped_is_known(stage):
    repeating = [PRODUCERS[name](stage) for name in REPEATING]
    stage.agent.configure(CONFIG)
    stage.agent.start()
    stage.make_token()
    for producer in repeating:
        producer.reach()
        producer.sent = [f"{producer.name_of_source}_1"]
        producer.acknowledged = {*producer.sent}
        assert producer.deliver(producer.sent)
    for hours in (1, 0, -1):
        stage.step_clock(hours * storms.HOUR_S)
        assert all(producer.deliver(producer.sent) for producer in repeating)

    verdicts = judges.verdicts_of(repeating, "")

    assert not judges.complaints(verdicts)
