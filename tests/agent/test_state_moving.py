"""A state moves from SQLite to PostgreSQL and back: every row or none."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmon_agent.cli.move_state import command
from qmon_agent.domain.alarms.silences import Silence
from qmon_agent.domain.catalog import Alert, Analytics, Metric
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import StateOwnedError, StoreError
from qmon_agent.settings import find_locations
from qmon_agent.settings.claim import Claim
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import Entry, IncidentRecord, TransitionRecord
from qmon_agent.store.state.moving import AT_ONCE, move_state

WORDS = st.text(max_size=20)


@pytest.fixture
def opened():
    stores, clock = [], HandClock()

    def open_(dsn, owner="me"):
        stores.append(StateStore.open(dsn, clock, owner=owner))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


def fill(store, words=("hot", "Über", "a\0b")):
    """Something in most tables, with words that engines sort differently."""
    system = store.catalog.add_system("shop")
    metric = store.catalog.add_metric(Metric(name="temp", monitoring_system=system.id))
    store.catalog.add_analytics([Analytics(metric=metric.id, value=0.1, timestamp=1)])
    store.catalog.put_alerts([Alert(name=word, options={"word": word}) for word in {*words}])
    alerts = {alert.id: alert.name for alert in store.catalog.alerts()}
    incidents = {
        f"i{number}": IncidentRecord(
            id=f"i{number}",
            alert=number,
            instance=word,
            labels={"w": word},
            state="firing",
            since=1,
        )
        for number, word in alerts.items()
    }
    moved = [
        TransitionRecord(incident=name, before="", after="firing", reason="", value=1e300, at=2)
        for name in incidents
    ]
    store.incidents.write(Entry(incidents=incidents, transitions=moved, position="7"))
    store.tokens.create("read", name="ann")
    store.silences.put([Silence(id="s", matchers=(), starts_at=1, ends_at=2, until_resolved=True)])


class TestMoving:
    def test_brings_every_row_and_counts_on(self, opened, tmp_path, state_place):
        source, target = opened(f"sqlite:///{tmp_path}/state.db"), opened(state_place.dsn)
        fill(source)

        moved = move_state(source, target)

        assert (1, 3, 3, 1) == tuple(
            moved.rows[name] for name in ("systems", "alerts", "incidents", "tokens")
        )
        assert source.incidents.position() == target.incidents.position()
        assert source.incidents.transitions_of("i1") == target.incidents.transitions_of("i1")
        assert 4 == target.catalog.put_alert(Alert(name="new")).id

    def test_there_and_back_is_the_same(self, opened, tmp_path, state_place):
        first, there = opened(f"sqlite:///{tmp_path}/a.db"), opened(state_place.dsn)
        back = opened(f"sqlite:///{tmp_path}/b.db")
        fill(first, words=("hot", "Über"))

        sums = {move_state(first, there).checksum, move_state(there, back).checksum}

        assert 1 == len(sums)
        assert first.catalog.alerts() == back.catalog.alerts()

    def test_brings_more_than_is_read_at_once(self, opened, tmp_path, state_place):
        source, target = opened(f"sqlite:///{tmp_path}/state.db"), opened(state_place.dsn)
        fill(source)
        source.catalog.add_analytics(
            [Analytics(metric=1, value=n, timestamp=n) for n in range(2 * AT_ONCE)]
        )

        assert 2 * AT_ONCE + 1 == move_state(source, target).rows["analytics"]

    def test_leaves_what_is_there_alone(self, opened, tmp_path, state_place):
        source, target = opened(f"sqlite:///{tmp_path}/state.db"), opened(state_place.dsn)
        fill(source)
        target.catalog.add_system("other")

        with pytest.raises(StoreError, match="systems is not empty"):
            move_state(source, target)
        assert ["other"] == [each.name for each in target.catalog.systems()]

    def test_that_is_cut_moves_nothing_and_can_be_done_again(self, opened, tmp_path, state_place):
        source, target = opened(f"sqlite:///{tmp_path}/state.db"), opened(state_place.dsn)
        fill(source)

        def cut(table):
            if table.endswith("outbox"):
                state_place.cut()

        with pytest.raises(StoreError):
            move_state(source, target, say=cut)
        assert [(0,)] == state_place.ask("SELECT count(*) FROM systems")
        target.close()
        assert 3 == move_state(source, opened(state_place.dsn)).rows["alerts"]

    @settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(words=st.lists(WORDS, min_size=1, max_size=3))
    def test_keeps_any_words(self, make_state_place, tmp_path_factory, words):
        source = StateStore.open(f"sqlite:///{tmp_path_factory.mktemp('any')}/state.db")
        target = StateStore.open(make_state_place().dsn)
        fill(source, words)

        moved = move_state(source, target)

        assert len({*words}) == moved.rows["alerts"]
        source.close()
        target.close()


class TestTheCommand:
    @pytest.fixture
    def home(self, opened, tmp_path):
        store = opened(f"sqlite:///{tmp_path}/state.db")
        fill(store)
        return store

    def run(self, tmp_path, dsn):
        return CliRunner().invoke(command, ["--state", str(tmp_path), "--to", dsn, "--json"])

    def test_moves_what_nobody_owns(self, home, tmp_path, state_place):
        home.close()

        done = self.run(tmp_path, state_place.dsn)

        assert '"ok": true' in done.output.replace('"ok":true', '"ok": true'), done.output
        assert [(3,)] == state_place.ask("SELECT count(*) FROM alerts")

    def test_moves_nothing_beside_an_agent(self, home, tmp_path, state_place):
        claim = Claim(find_locations(state=str(tmp_path), config=None, socket=None).lock)

        refused = self.run(tmp_path, state_place.dsn).exception

        claim.release()
        assert isinstance(refused, StoreError)
        assert isinstance(self.run(tmp_path, state_place.dsn).exception, StateOwnedError)
