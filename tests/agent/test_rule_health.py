"""Rules that never see, never fire, always fire, or cannot be judged."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.cli._rooms import rooms
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.rule_health import DAY, RuleFacts, ailments
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry
from qmon_sdk.protocol.signals import Point

NOW = 1_000 * DAY
NEW, OLD = NOW - DAY, NOW - 91 * DAY
MOMENT = st.sampled_from([0, NOW, NEW, OLD, NOW - 8 * DAY])


def kinds(**facts):
    rule = RuleFacts(alert="x", **facts)
    return [each.kind for each in ailments([rule], NOW)]


class TestAilments:
    @pytest.mark.parametrize(
        ("facts", "found"),
        [
            ({"created_at": NEW}, []),
            ({"created_at": OLD}, ["never_fired"]),
            ({"created_at": OLD, "last_fired": NEW}, []),
            ({"created_at": OLD, "last_fired": OLD}, ["never_fired"]),
            ({"created_at": OLD, "is_matched": False}, ["never_matched"]),
            ({"created_at": OLD, "firing": 1, "firing_since": NEW}, []),
            ({"created_at": OLD, "firing": 1, "firing_since": NOW - 8 * DAY}, ["always_firing"]),
            ({"created_at": NEW, "failed_at": NOW - SECOND, "is_matched": False}, ["failing"]),
            ({"created_at": NEW, "failed_at": NOW - DAY}, []),
        ],
    )
    def test_are_told_one_of_each_rule_the_worst_first(self, facts, found):
        assert found == kinds(**facts)

    @given(
        st.fixed_dictionaries(
            dict.fromkeys(("created_at", "last_fired", "firing_since", "failed_at"), MOMENT)
        ),
        st.booleans(),
        st.integers(0, 3),
    )
    def test_are_one_at_most_and_begin_before_now(self, times, matched, firing):
        rule = RuleFacts(alert="x", is_matched=matched, firing=firing, **times)
        found = [*ailments([rule], NOW)]

        assert len(found) <= 1
        assert all(each.since <= NOW and each.detail for each in found)


@pytest.fixture
def store(tmp_path):
    store = StateStore.open(f"sqlite:///{tmp_path}/state.db", HandClock())
    yield store
    store.close()


def service_of(store, *alerts):
    service = AlertService(store, clock=store.clock)
    service.declare(alerts)
    return service


def point(service, store, value):
    now = store.clock.now()
    points = [Point(metric="temp", value=value, time=now)]
    service.observe(Observed(service="shop", time=now, points=points))


HOT = AlertOptions(name="hot", metric="temp", threshold=5)


class TestService:
    def found(self, service, store, after):
        return {(each.alert, each.kind) for each in service.health(store.clock.now() + after)}

    def test_is_well_with_a_rule_that_fires_now_and_then(self, store):
        service = service_of(store, HOT)
        point(service, store, 6.0)
        point(service, store, 1.0)

        assert set() == self.found(service, store, 80 * DAY)
        assert {("hot", "never_fired")} == self.found(service, store, 91 * DAY)

    def test_names_what_never_matched_and_what_always_fires(self, store):
        lost = AlertOptions(name="lost", metric="tmep", threshold=5)
        service = service_of(store, HOT, lost)
        point(service, store, 6.0)

        found = {("hot", "always_firing"), ("lost", "never_matched")}
        assert found == self.found(service, store, 8 * DAY)

    def test_names_what_cannot_be_judged_and_why(self, store):
        service = service_of(store, HOT)
        point(service, store, 6.0)
        service.checkpoint()
        (state,) = store.incidents.states()
        torn = state.state.replace('"seen":', '"sen":')
        store.incidents.write(Entry(states=[msgspec.structs.replace(state, state=torn)]))
        again = AlertService(store, clock=store.clock)
        again.tick()
        (ailment,) = again.health(store.clock.now())

        assert torn != state.state
        assert ("hot", "failing") == (ailment.alert, ailment.kind)
        assert "KeyError: 'seen'" in ailment.detail


class TestDoctor:
    async def test_has_a_line_for_each(self, agent):
        status = await agent.desk.status()
        told = {"since": 0, "detail": "why"}
        status["rules"]["health"] = [
            {"alert": "a", "kind": "always_firing", **told},
            {"alert": "b", "kind": "never_fired", **told},
        ]
        lines = {each.what: each for each in rooms(status)}

        assert ("warn", "always firing: why") == (lines["alert a"].verdict, lines["alert a"].detail)
        assert "ok" == lines["alert b"].verdict
