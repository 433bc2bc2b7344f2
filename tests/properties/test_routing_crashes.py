"""An agent that dies at any step tells by its tree what one that lives tells, and nothing twice."""

import tempfile

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.notices import Notice
from qmon_agent.settings import AlertOptions
from qmon_agent.settings.routing import RoutingOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

TREE = {
    "receiver": "all",
    "group_by": ["service"],
    "group_wait": "10s",
    "group_interval": "40s",
    "repeat_interval": "90s",
    "routes": [{"matchers": ["service=b"], "receiver": "pager", "group_wait": 0, "continue": True}],
    "receivers": {"all": {"channels": ["chat", "pager"]}},
}
PLAN = make_plan(msgspec.convert(TREE, RoutingOptions), ["chat", "pager"])
STEPS = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from("ab"), st.integers(0, 2), st.booleans()),
    max_size=12,
)
"""Seconds later, at this service, this instance is bad or well."""


class Agent:
    """Alerting over a journal that a restart reads on from where it was written."""

    def __init__(self, folder):
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{folder}/state.db", self.clock)
        self.journal = []
        self.start()

    def start(self):
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)
        self.service.tell(("chat", "pager"), PLAN)
        self.service.declare([AlertOptions(name="hot", metric="temp", threshold=5)])
        for record in self.journal[int(self.service.resume() or 0) :]:
            self.service.observe(record)

    def play(self, steps, deaths=()):
        for number, (seconds, service, instance, is_bad) in enumerate(steps):
            if number in deaths:
                self.start()
            self.pass_by(seconds)
            value, now = (6.0 if is_bad else 1.0), self.clock.now()
            points = [Point(metric="temp", value=value, time=now, attributes={"n": str(instance)})]
            position = str(len(self.journal) + 1)
            record = Observed(service=service, time=now, points=points, position=position)
            self.journal.append(record)
            self.service.observe(record)
        self.pass_by(200)
        return self.told()

    def pass_by(self, seconds):
        for _ in range(seconds // 5):
            self.clock.turn(5)
            self.service.tick()
        self.clock.turn(seconds % 5)

    def told(self):
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql("SELECT channel, notice, created_at FROM outbox")
            notices = [(row[0], row[2], msgspec.json.decode(row[1], type=Notice)) for row in rows]
        self.store.close()
        return sorted(
            (at, channel, said.incident, said.reason, sorted(m.incident for m in said.members))
            for channel, at, said in notices
        )


@settings(max_examples=15)
@given(STEPS, st.sets(st.integers(0, 12), max_size=4))
def test_a_death_changes_nothing_that_is_told(steps, deaths):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        lived, died = Agent(one).play(steps), Agent(other).play(steps, deaths)

    assert lived == died
