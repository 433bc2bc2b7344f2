"""The state store: its schema, its start on any file, its records."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import msgspec
import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError
from sqlalchemy.schema import CreateIndex, CreateTable

from qmon_agent.domain.catalog import Alert, Analytics, Metric
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import (
    ConfigError,
    MetricNotFoundError,
    QueryError,
    StoreError,
    SystemNotFoundError,
)
from qmon_agent.domain.retention import FOR_EVER, Hold
from qmon_agent.store.state import VIEWS, StateStore, schema
from qmon_agent.store.state import sqlite as state_sqlite
from qmon_agent.store.state.tables import METADATA

GOLDEN = Path(__file__).parents[1] / "golden" / "state_ddl.sql"


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "state.db"


@pytest.fixture
def open_store(path, clock):
    opened = []

    def open_():
        opened.append(StateStore.open(f"sqlite:///{path}", clock))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def catalog(open_store):
    return open_store().catalog


def ddl(dialect):
    statements = []
    for table in METADATA.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(each).compile(dialect=dialect)) for each in indexes]
    return (
        ";\n".join(line.replace("\t", "    ") for line in statements).replace(" \n", "\n") + ";\n"
    )


def shape_of(path):
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT m.name, i.name, i.type, i.[notnull], i.dflt_value, i.pk FROM sqlite_master m "
            "JOIN pragma_table_info(m.name) i WHERE m.type='table' ORDER BY 1, i.cid"
        ).fetchall()
        keys = connection.execute(
            'SELECT m.name, f."from", f."table" FROM sqlite_master m '
            "JOIN pragma_foreign_key_list(m.name) f WHERE m.type='table' ORDER BY 1, 2"
        ).fetchall()
        indexes = connection.execute(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE type='index' ORDER BY 1"
        ).fetchall()
    return rows, keys, indexes


class TestSchema:
    def test_is_the_one_we_promised(self):
        assert GOLDEN.read_text() == ddl(sqlite.dialect())

    def test_can_be_said_to_postgresql(self):
        assert "BIGSERIAL" in ddl(postgresql.dialect())

    def test_is_the_same_created_and_migrated(self, open_store, path, tmp_path):
        open_store()
        migrated = tmp_path / "migrated.db"
        engine = create_engine(f"sqlite:///{migrated}")
        schema.upgrade(engine)
        engine.dispose()

        assert shape_of(path) == shape_of(migrated)

    def test_ends_at_the_revision_the_migrations_end_at(self, tmp_path):
        engine = create_engine(f"sqlite:///{tmp_path / 'head.db'}")
        schema.upgrade(engine)

        with engine.connect() as connection:
            assert schema.HEAD == schema.revision_of(connection)
        engine.dispose()

    def test_of_before_recipients_had_threads_of_their_own_is_brought_up_with_all_in_it(
        self, tmp_path, clock
    ):
        old = tmp_path / "old.db"
        fill_with_0004(old)

        store = StateStore.open(f"sqlite:///{old}", clock)

        asked = [store.outbox.lease(name, owner="a", until=1) for name in ("pager", "mail")]
        told = [(each.key, each.thread, each.reference) for each in (*asked[0], *asked[1])]
        assert [("n3", "g1", "C1"), ("n4", "g2", "C1"), ("n5", "i1", "")] == told
        assert store.backup is not None
        store.close()
        # What was tried may have arrived, and what fires is worth as much as it was bad.
        assert [("n1", "firing", 3, 2), ("n3", "firing", 3, 0)] == read_again(old)


def read_again(path):
    asked = "SELECT key, says, weight, doubts - (status = 'leased') FROM outbox WHERE thread = 'g1'"
    with closing(sqlite3.connect(path)) as state:
        return state.execute(f"{asked} ORDER BY id").fetchall()


def fill_with_0004(path):
    """A database of the schema before: two groups of one incident to one channel, and no group."""
    engine = create_engine(f"sqlite:///{path}")
    schema.upgrade(engine, "0004")
    engine.dispose()
    groups = {"n1": "g1", "n2": "g2", "n3": "g1", "n4": "g2", "n5": ""}
    rows = [
        (
            key,
            "mail" if key == "n5" else "pager",
            json.dumps({"group": group, "status": "firing", "severity": "critical"}),
        )
        for key, group in groups.items()
    ]
    with closing(sqlite3.connect(path)) as old:
        old.execute("INSERT INTO alerts (id, name, created_at, updated_at) VALUES (1, 'hot', 1, 1)")
        old.execute("INSERT INTO incidents (id, alert, since, updated_at) VALUES ('i1', 1, 1, 1)")
        old.executemany(
            "INSERT INTO outbox (key, incident, channel, notice, created_at, due_at, deadline) "
            "VALUES (?, 'i1', ?, ?, 1, 1, 9)",
            rows,
        )
        old.execute("UPDATE outbox SET status = 'sent', attempts = 2 WHERE key IN ('n1', 'n2')")
        old.execute("INSERT INTO threads VALUES ('i1', 'pager', 'C1', 1)")
        old.commit()


class TestStart:
    def test_makes_the_directory_and_keeps_what_was_written(self, open_store):
        open_store().catalog.add_system("shop")

        assert "shop" == open_store().catalog.system("shop").name

    @pytest.mark.parametrize("damage", [b"", b"rubbish" * 1_000])
    def test_sets_a_damaged_file_aside_and_goes_on(self, open_store, path, damage):
        store = open_store()
        store.catalog.add_system("shop")
        store.close()
        content = path.read_bytes()
        path.write_bytes(damage or content[:4096] + b"\xff" * (len(content) - 4096))

        again = open_store()

        assert [] == again.catalog.systems()
        assert again.set_aside is not None
        assert again.set_aside.exists()
        assert str(again.set_aside) == again.status().set_aside

    def test_copies_an_older_file_before_it_migrates_it(self, open_store, path):
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as old:
            old.execute("CREATE TABLE from_before (id INTEGER)")
            old.commit()

        store = open_store()

        assert store.backup is not None
        with closing(sqlite3.connect(store.backup)) as copy:
            assert [] == copy.execute("SELECT * FROM from_before").fetchall()
        assert [] == store.catalog.systems()

    def test_refuses_a_file_of_a_newer_version_and_leaves_it_alone(self, open_store, path):
        open_store().close()
        with closing(sqlite3.connect(path)) as newer:
            newer.execute("UPDATE alembic_version SET version_num = '9999'")
            newer.commit()

        with pytest.raises(StoreError, match="another version of qmon"):
            open_store()

    @pytest.mark.parametrize("dsn", ["mysql://host/db", "nonsense", "sqlite://"])
    def test_names_the_setting_when_the_dsn_is_wrong(self, dsn):
        with pytest.raises(ConfigError, match=r"store\.state"):
            StateStore.open(dsn)

    def test_says_so_when_the_place_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("in the way")

        with pytest.raises(StoreError, match="cannot be opened"):
            StateStore.open(f"sqlite:///{tmp_path}/file/state.db")


def handles_of(path):
    """Open files of this process that belong to the database."""
    found = (each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
    return [each for each in map(str, found) if each.startswith(str(path))]


class TestClosing:
    def test_also_closes_what_another_thread_is_using(self, open_store, path):
        store, is_used, may_end = open_store(), Event(), Event()

        def use():
            with store.reading():
                is_used.set()
                may_end.wait(10)

        thread = Thread(target=use)
        thread.start()
        is_used.wait(10)
        store.close()
        may_end.set()
        thread.join()

        assert [] == handles_of(path)

    def test_is_for_good(self, open_store, path):
        store = open_store()
        store.close()

        with pytest.raises(StoreError, match="is closed"):
            store.catalog.systems()
        assert [] == handles_of(path)

    def test_follows_an_opening_that_fails(self, open_store, path):
        open_store().close()
        with closing(sqlite3.connect(path)) as newer:
            newer.execute("UPDATE alembic_version SET version_num = '9999'")
            newer.commit()

        with pytest.raises(StoreError):
            open_store()
        assert [] == handles_of(path)

    def test_follows_a_connection_that_cannot_be_prepared(self, open_store, path):
        open_store().close()
        engine = create_engine(f"sqlite:///{path}")
        state_sqlite.attach(engine)
        path.write_bytes(b"rubbish" * 1_000)

        with pytest.raises(DatabaseError) as refused:
            engine.connect()
        assert ([], refused.typename) == (handles_of(path), "DatabaseError")


class TestCatalog:
    def test_names_the_nearest_systems(self, catalog):
        catalog.add_system("checkout")

        with pytest.raises(SystemNotFoundError) as missing:
            catalog.system("chekout")

        assert ("checkout",) == missing.value.nearest

    def test_leaves_a_system_that_is_there_as_it_is(self, catalog):
        first = catalog.add_system("shop", created_by="ann")

        assert first == catalog.add_system("shop", created_by="sdk")

    def test_says_when_a_metric_is_not_there(self, catalog):
        with pytest.raises(MetricNotFoundError):
            catalog.metric(7)

    def test_refuses_a_metric_of_no_system(self, catalog):
        with pytest.raises(StoreError):
            catalog.add_metric(Metric(name="orphan", monitoring_system=99))

    def test_changes_an_alert_of_the_same_name(self, catalog, clock):
        first = catalog.put_alert(Alert(name="hot", threshold="> 1"))
        clock.turn(60)

        second = catalog.put_alert(Alert(name="hot", threshold="> 2", channels=("pager",)))

        assert (first.id, first.created_at) == (second.id, second.created_at)
        assert ("> 2", ("pager",)) == (second.threshold, second.channels)
        assert second.updated_at > first.updated_at

    def test_knows_the_newest_value_and_forgets_old_ones(self, catalog):
        metric = catalog.add_metric(
            Metric(name="temp", monitoring_system=catalog.add_system("shop").id)
        )
        values = [Analytics(metric=metric.id, value=v, timestamp=int(v)) for v in (3.0, 1.0, 2.0)]
        catalog.add_analytics(values)

        assert 3.0 == catalog.newest_analytics(metric.id).value
        assert 2 == catalog.forget_analytics(before=3)


class TestTokens:
    def test_are_known_until_they_end(self, open_store, clock):
        tokens = open_store().tokens
        secret, token = tokens.create("ingest", name="shop", ttl_s=60)

        assert token == tokens.check(secret)
        clock.turn(60)
        assert tokens.check(secret) is None

    def test_is_a_word_which_every_client_takes_for_a_key(self, open_store):
        secrets = {open_store().tokens.create("ingest")[0] for _ in range(5)}

        assert 5 == len(secrets)
        assert all(secret.replace("_", "").isalnum() for secret in secrets)

    def test_are_never_written_down(self, open_store, path):
        secret, _ = open_store().tokens.create("read")

        files = b"".join(each.read_bytes() for each in path.parent.iterdir())
        assert secret.encode() not in files

    def test_can_be_revoked_once(self, open_store):
        tokens = open_store().tokens
        secret, token = tokens.create("admin")

        assert [True, False] == [tokens.revoke(token.id), tokens.revoke(token.id)]
        assert tokens.check(secret) is None

    def test_have_a_scope_we_know(self, open_store):
        with pytest.raises(ConfigError, match="read"):
            open_store().tokens.create("raed")


class TestViews:
    @pytest.mark.parametrize("name", VIEWS)
    def test_can_be_read(self, open_store, name):
        columns, rows = open_store().view(name)

        assert "id" in columns
        assert [] == rows

    def test_do_not_show_tokens(self, open_store):
        with pytest.raises(QueryError):
            open_store().view("tokens")


class TestHolds:
    def test_are_in_force_until_they_are_removed(self, open_store, clock):
        holds = open_store().holds
        made = holds.add(Hold(id="", kinds=("span",), user="ann", since=3, reason="case 7"))

        assert holds.in_force() == [made]
        assert (made.created_at, made.until) == (clock.now(), FOR_EVER)
        removed = holds.remove(made.id, author="eve")
        assert removed == msgspec.structs.replace(made, removed_at=clock.now(), removed_by="eve")
        assert holds.all() == [removed]
        assert holds.remove(made.id) is None
        assert not holds.in_force()


class TestForgettings:
    def test_keep_a_name_only_until_they_are_finished(self, open_store):
        asked = open_store().forgettings
        made = asked.begin("ann", author="bob", upto=7)
        asked.note(made.id, {"store": {"spans": 2}})
        (waiting,) = asked.unfinished()
        asked.finish(made.id, waiting.report)
        (done,) = asked.all()

        assert (waiting.person, done.person) == ("ann", "")
        assert done.report == {"store": {"spans": 2}}
        assert done.mark == made.mark
        assert not asked.unfinished()
