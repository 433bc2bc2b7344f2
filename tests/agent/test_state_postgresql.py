"""The state store on PostgreSQL: the same as on SQLite, owned by one, and there again when lost."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest
from sqlalchemy import create_engine, inspect, make_url

from qmon_agent.domain.catalog import Alert
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.errors import ConfigError, StateAwayError, StateOwnedError, StoreError
from qmon_agent.store.state import VIEWS, StateStore, examine, schema
from qmon_agent.store.state.ledger import (
    Entry,
    IncidentRecord,
    Posting,
    RemarkRecord,
    TransitionRecord,
)
from qmon_agent.store.state.sendings import Settled

REVISIONS = [f"{number:04}" for number in range(1, int(schema.HEAD))]


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def opened(clock):
    """Opens stores, and closes them."""
    stores = []

    def open_(dsn, **how):
        stores.append(StateStore.open(dsn, clock, **how))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def dsn(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return request.getfixturevalue("state_place").dsn


def entry_of(store, number=1, *, said="{}"):
    """An incident that fires, and the message about it."""
    store.catalog.put_alert(Alert(name="hot"))
    now, name = store.clock.now(), f"i{number}"
    alert = store.catalog.alerts()[0].id
    incident = IncidentRecord(id=name, alert=alert, instance=name, state="firing", since=now)
    moved = TransitionRecord(
        incident=name, before="pending", after="firing", reason="breach", at=now
    )
    posting = Posting(
        key=name,
        incident=name,
        channel="pager",
        notice=said,
        created_at=now,
        due_at=now,
        deadline=now + 3_600 * SECOND,
    )
    return Entry(
        incidents={name: incident},
        transitions=[moved],
        postings=[posting],
        remarks=[RemarkRecord(incident=name, at=now, kind="comment", text="seen")],
        position=str(number),
    )


def shape_of(engine):
    """Tables with columns, keys and indexes, as the server has them."""
    looked = inspect(engine)
    return {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"], c["default"]) for c in columns),
            looked.get_pk_constraint(table),
            sorted(looked.get_foreign_keys(table), key=str),
            sorted(looked.get_indexes(table), key=str),
        )
        for table in looked.get_table_names()
        for columns in [looked.get_columns(table)]
    }


OF_OUTBOX = (
    "INSERT INTO outbox (key, incident, channel, created_at, due_at, deadline) "
    "VALUES ('n1', 'i1', 'pager', 1, 1, 9)"
)


def at_revision(dsn, revision):
    """A database as an older version has left it, with an alert, an incident and a message."""
    engine = create_engine(dsn)
    schema.upgrade(engine, revision)
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO alerts (name, created_at, updated_at) VALUES ('hot', 1, 1)",
            "INSERT INTO incidents (id, alert, since, updated_at) VALUES ('i1', 1, 1, 1)",
            OF_OUTBOX,
        ):
            connection.exec_driver_sql(statement)
        if revision >= "0005":
            connection.exec_driver_sql("UPDATE outbox SET thread = incident")
    engine.dispose()


class TestSchema:
    def test_is_the_same_created_and_migrated(self, opened, make_state_place):
        created, migrated = make_state_place().dsn, make_state_place().dsn
        opened(created)
        engines = [create_engine(each) for each in (created, migrated)]
        schema.upgrade(engines[1])

        shapes = [shape_of(each) for each in engines]
        for engine in engines:
            engine.dispose()
        assert shapes[0] == shapes[1]

    @pytest.mark.parametrize("revision", REVISIONS)
    def test_of_every_release_is_brought_up_with_all_in_it(self, opened, dsn, revision):
        at_revision(dsn, revision)

        store = opened(dsn, owner="me")

        assert ["hot"] == [each.name for each in store.catalog.alerts()]
        told = store.outbox.lease("pager", owner="a", until=store.clock.now())
        assert [("n1", "i1")] == [(each.key, each.thread) for each in told]
        assert store.status().backup

    def test_before_a_migration_is_kept_in_a_schema_beside_it(self, opened, state_place):
        at_revision(state_place.dsn, "0003")

        kept = opened(state_place.dsn).backup.removeprefix("schema ")

        assert [("n1",)] == state_place.ask(f"SELECT key FROM {kept}.outbox")
        assert [("0003",)] == state_place.ask(f"SELECT version_num FROM {kept}.alembic_version")

    def test_of_a_newer_version_is_refused_and_left_alone(self, opened, state_place):
        opened(state_place.dsn).close()
        state_place.ask("UPDATE alembic_version SET version_num = '9999'")

        with pytest.raises(StoreError, match="another version of qmon"):
            opened(state_place.dsn)


class TestTheSameCode:
    def test_writes_leases_and_settles(self, opened, dsn):
        store = opened(dsn)
        store.incidents.write(entry_of(store, said=json.dumps({"status": "firing"})))

        (leased,) = store.outbox.lease("pager", owner="a", until=store.clock.now() + SECOND)
        assert store.outbox.settle(leased, Settled(status="sent", at=store.clock.now()))

        assert {("pager", "sent"): 1} == store.outbox.counts()
        assert ["firing"] == [each.after for each in store.incidents.transitions_of("i1")]

    @pytest.mark.parametrize("view", VIEWS)
    def test_answers_views(self, opened, dsn, view):
        store = opened(dsn)
        store.incidents.write(entry_of(store))

        assert "id" in store.view(view)[0]

    def test_forgets(self, opened, dsn, clock):
        store = opened(dsn)
        store.incidents.write(entry_of(store))
        clock.turn(60)

        assert {"notifications", "incidents", "silences", "analytics"} <= {
            *store.forget(store.clock.now())
        }

    def test_takes_a_text_with_a_zero_in_it(self, opened, dsn):
        store = opened(dsn)

        store.catalog.add_system("sh\0p")

        assert 1 == len(store.catalog.systems())


class TestWritingAgain:
    def test_after_a_commit_nobody_heard_of_doubles_nothing(self, opened, dsn):
        store = opened(dsn)
        entry = entry_of(store)
        store.incidents.write(entry)
        # As after a connection that was lost in the commit: the same entry, and more in it.
        more = TransitionRecord(incident="i1", before="firing", after="inactive", reason="", at=9)
        entry.transitions.append(more)

        store.incidents.write(entry)

        lived = [each.after for each in store.incidents.transitions_of("i1")]
        assert ["firing", "inactive"] == lived
        assert 1 == len(store.handlings.remarks_of("i1"))

    def test_after_one_that_was_not_committed_leaves_nothing_out(self, opened, dsn):
        store = opened(dsn)
        entry = entry_of(store)
        entry.incidents["i1"] = IncidentRecord(
            id="i1", alert=99, instance="", state="firing", since=1
        )
        with pytest.raises(StoreError):
            store.incidents.write(entry)
        entry.incidents = entry_of(store).incidents

        store.incidents.write(entry)

        assert 1 == len(store.incidents.transitions_of("i1"))
        assert 1 == len(store.handlings.remarks_of("i1"))


class TestOwner:
    def test_is_one_and_the_second_hears_who_it_is(self, opened, dsn):
        opened(dsn, owner="host-1, process 7")

        with pytest.raises(StateOwnedError, match=r"host-1, process 7, since .*\[store\] state"):
            opened(dsn, owner="host-2")

    def test_is_another_after_the_first_is_gone(self, opened, dsn):
        opened(dsn, owner="host-1").close()

        opened(dsn, owner="host-2").catalog.add_system("shop")

        assert examine(dsn).owner.startswith("agent host-2")

    def test_keeps_nobody_from_asking(self, opened, dsn):
        opened(dsn, owner="host-1").catalog.add_system("shop")

        assert ["shop"] == [each.name for each in opened(dsn).catalog.systems()]

    def test_that_has_lost_its_lock_is_fenced_off_by_the_next(self, opened, state_place):
        first = opened(state_place.dsn, owner="host-1")
        first.catalog.add_system("shop")
        state_place.cut()
        opened(state_place.dsn, owner="host-2").catalog.add_system("till")

        with pytest.raises(StateOwnedError):
            first.catalog.add_system("late")

        assert ["shop", "till"] == [each.name for each in first.catalog.systems()]
        assert "belongs to" in first.status().trouble

    def test_that_was_replaced_between_two_looks_is_fenced_off_too(self, opened, state_place):
        first = opened(state_place.dsn, owner="host-1")
        first.catalog.add_system("shop")
        state_place.ask(
            "UPDATE checkpoints SET position = replace(position, '\"fence\":1', '\"fence\":2') "
            "WHERE name = 'owner'"
        )

        with pytest.raises(StateOwnedError):
            first.catalog.add_system("late")

    def test_takes_its_lock_again_when_nobody_has_it(self, opened, state_place):
        store = opened(state_place.dsn, owner="host-1")
        state_place.cut()
        store.catalog.add_system("shop")

        with pytest.raises(StateOwnedError):
            opened(state_place.dsn, owner="host-2")


class TestAServerThatGoes:
    def test_is_missed_at_once_and_found_again(self, opened, mortal_place):
        store = opened(mortal_place.dsn, owner="me")
        store.catalog.add_system("before")
        mortal_place.server.kill()

        with pytest.raises(StoreError):
            store.catalog.add_system("during")
        assert "cannot be reached" in store.status().trouble
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(StateAwayError):
                store.catalog.systems()
        assert time.monotonic() - began < 2

        mortal_place.server.start_again()
        until_it_takes(store, "after")
        assert ["after", "before"] == [each.name for each in store.catalog.systems()]
        assert not store.status().trouble

    def test_is_no_reason_to_fail_where_connections_are_only_cut(self, opened, state_place):
        store = opened(state_place.dsn)
        store.catalog.add_system("shop")
        state_place.cut()

        assert ["shop"] == [each.name for each in store.catalog.systems()]


def until_it_takes(store, name):
    deadline = time.monotonic() + 20
    while True:
        try:
            store.catalog.add_system(name)
        except StoreError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


class TestAddress:
    def test_without_a_server_is_away_and_not_wrong(self, opened, postgres):
        nowhere = make_url(postgres.url).set(port=1, drivername="postgresql")

        with pytest.raises(StateAwayError, match="cannot be opened"):
            opened(nowhere.render_as_string())

    def test_does_not_show_its_password(self, opened, state_place):
        dsn = state_place.dsn.replace("postgres@", "postgres:geheim@")

        assert "geheim" not in opened(dsn, password="noch geheimer").status().path

    @pytest.mark.parametrize("dsn", ["mysql://host/db", "nonsense", "sqlite://"])
    def test_that_is_none_is_named_by_its_setting(self, dsn):
        with pytest.raises(ConfigError, match=r"store\.state"):
            StateStore.open(dsn)


class TestExamining:
    def test_finds_what_is_damaged_in_a_file(self, opened, tmp_path):
        path = tmp_path / "state.db"
        opened(f"sqlite:///{path}").close()
        with closing(sqlite3.connect(path)) as state:
            state.execute("INSERT INTO incidents (id, alert, since, updated_at) VALUES ('i',9,1,1)")
            state.commit()

        assert "incidents" in examine(f"sqlite:///{path}", thoroughly=True).trouble

    def test_says_what_is_there(self, opened, dsn):
        assert not examine(dsn).revision
        opened(dsn, owner="host-1")

        found = examine(dsn, thoroughly=True)

        assert (schema.HEAD, "") == (found.revision, found.trouble)
