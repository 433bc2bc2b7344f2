"""Journal to tables, tables to segments, and back in answers: in one process, on a real disk."""

import time
from array import array

import duckdb
import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import QueryError, StoreError
from qmon_agent.domain.retention import Bound, Policy
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import StateTable, TelemetryOptions, open_readonly
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engine import DiskFailedError, Question, RefusedError, open_engine
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.options import Rolling
from qmon_agent.store.telemetry.suspect import Suspect
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.columns import Block, block_of, blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import FIELDS, Error, Point, Span

PROCESS = bytes(range(16))
SHOP = Resource(service="shop", release="7", environment="test", host="box")
NS = 10**9
DAY = 86_400 * NS


class Bench:
    """A journal, an engine that follows it, and what was put aside."""

    def __init__(self, directory):
        self.directory = directory
        self.buried = []
        self.sequence = 0
        self.policy = Policy()
        self.rolling = Rolling()
        self.disk_bytes = None
        self.journal = Journal.open(
            directory / "journal", options=JournalOptions(), clock=SystemClock()
        )
        self.open()

    def open(self):
        options = TelemetryOptions(
            directory=str(self.directory / "telemetry"),
            journal=str(self.directory / "journal"),
            policy=self.policy,
            rolling=self.rolling,
            disk_bytes=self.disk_bytes,
        )
        self.engine = open_engine(options)
        self.open_follower(self.engine)

    def open_follower(self, engine):
        self.follower = Follower(
            self.directory / "journal",
            engine,
            bury=lambda record, reason: self.buried.append((record.sequence, reason)),
        )

    def reopen(self):
        self.close()
        self.open()
        self.follow()

    def close(self):
        self.follower.close()
        self.engine.close()

    def write(self, *blocks):
        self.sequence += 1
        frame = Frame(process=PROCESS, sequence=self.sequence, resource=SHOP, blocks=blocks)
        self.write_raw(encode_frame(frame))

    def write_raw(self, payload):
        self.journal.append(payload, process=PROCESS, sequence=self.sequence)

    def follow(self):
        end = self.journal.commit()
        while self.follower.follow(end, max_bytes=1 << 20):
            pass

    def store(self, *signals):
        self.write(*blocks_of(signals))
        self.follow()

    def export(self):
        self.engine.tend(now=time.time_ns(), everything=True)
        while self.engine.busy():
            time.sleep(0.005)
        self.engine.tend(now=time.time_ns())

    def ask(self, sql, **more):
        question = Question(sql=sql, **{"limit": 100, "timeout_s": 10.0, **more})
        return self.engine.ask(question, Watch())

    def rows(self, sql, **more):
        return self.ask(sql, **more).rows


class Picky:
    """An engine that refuses the spans of one user."""

    def __init__(self, engine):
        self._engine = engine

    @property
    def stored(self):
        return self._engine.stored

    def append(self, batch, place):
        spans = batch.tables.get("span")
        if spans is not None and "w" in spans["user_id"].to_pylist():
            raise RefusedError("not him")
        self._engine.append(batch, place)


class Full:
    """An engine whose disk is full."""

    def __init__(self, engine):
        self.stored = engine.stored

    def append(self, batch, place):
        raise DiskFailedError("No space left on device")


def repeating(block):
    """The block, with one attribute said twice in its one row."""
    counts, places = array("I", [3]).tobytes(), array("I", [0, 1, 0]).tobytes()
    attributes = ["k", counts, places, ["same", "other"], ["1", "x", "2"]]
    fields = [field.name for field in FIELDS[block.kind]]
    told = dict(zip(fields, block.columns, strict=True)) | {"attributes": attributes}
    return Block(kind=block.kind, rows=1, columns=tuple(told.values()))


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()
    made.journal.close()


def span(number, **more):
    return Span(time=number, trace_id="ab" * 16, span_id=f"{number:016x}", name="GET /", **more)


class TestStoring:
    def test_keeps_a_signal_with_its_resource(self, bench):
        bench.store(span(1_795_000_000_123_456_789, attributes={"k": "v"}))

        (row,) = bench.ask("select * from spans").records()

        assert row["time"] == "2026-11-18T11:06:40.123456789Z"
        assert (row["service"], row["release"], row["process"]) == ("shop", "7", PROCESS.hex())
        assert row["attributes"] == {"k": "v"}

    def test_keeps_many_kinds_of_one_frame(self, bench):
        bench.store(span(1), Point(time=2, metric="m", buckets={3: 4}), Error(time=3, type="E"))

        assert bench.rows("select buckets from points") == [[{"3": 4}]]
        assert bench.rows("select (select count(*) from errors) + count(*) from spans") == [[2]]

    def test_remembers_its_place_with_the_rows(self, bench):
        bench.store(span(1))
        stored = bench.engine.stored

        bench.reopen()

        assert (stored.record_id, stored) == (1, bench.engine.stored)
        assert bench.rows("select count(*) from spans") == [[1]]

    def test_skips_and_counts_a_kind_it_does_not_know(self, bench):
        bench.write(Block(kind="dream", rows=3, columns=(1, 2)), block_of("span", [span(1)]))
        bench.follow()

        assert bench.rows("select count(*) from spans") == [[1]]
        assert bench.follower.counts["skipped_rows"] == 3

    def test_skips_and_counts_newer_columns(self, bench):
        block = block_of("span", [span(1)])
        bench.write(block.replace(columns=(*block.columns, "new")))
        bench.follow()

        assert bench.rows("select count(*) from spans") == [[1]]
        assert bench.follower.counts["newer_columns"] == 1

    def test_fills_columns_an_older_writer_did_not_know(self, bench):
        bench.write(Block(kind="span", rows=2, columns=(5,)))
        bench.follow()

        assert bench.rows("select kind, attributes from spans limit 1") == [["internal", {}]]


class TestPuttingAside:
    def test_buries_bytes_that_are_no_frame_and_goes_on(self, bench):
        bench.write_raw(b"no frame")
        bench.store(span(1))

        assert [(0, "undecodable")] == [(n, why.split(":")[0]) for n, why in bench.buried]
        assert bench.rows("select count(*) from spans") == [[1]]

    @pytest.mark.parametrize("culprit", [0, 3, 6])
    def test_finds_the_one_frame_the_engine_refuses(self, bench, culprit):
        bench.follower.close()
        bench.open_follower(Picky(bench.engine))
        for number in range(7):
            bench.write(block_of("span", [span(number, user_id="w" * (number == culprit))]))
        bench.follow()

        assert [culprit + 1] == [sequence for sequence, _ in bench.buried]
        assert bench.rows("select count(distinct span_id), count(*) from spans") == [[6, 6]]
        assert bench.engine.stored.record_id == 7

    def test_takes_the_last_of_equal_keys_as_any_reader_does(self, bench):
        for number in range(3):
            bench.write(block_of("span", [span(number)]), repeating(block_of("span", [span(9)])))
        bench.write(block_of("point", [Point(time=1, metric="m", buckets={1: 2})]))
        bench.follow()

        found = bench.rows("select attributes, count(*) from spans group by all")
        assert sorted(found, key=str) == [[{"same": "2", "other": "x"}, 3], [{}, 3]]
        assert ([], 3) == (bench.buried, bench.follower.counts["repeated_keys"])

    def test_stores_nothing_of_a_frame_it_buries(self, bench):
        broken = Block(kind="point", rows=1, columns=("no time",))
        bench.write(block_of("span", [span(1)]), broken)
        bench.follow()

        assert bench.rows("select count(*) from spans") == [[0]]
        assert len(bench.buried) == 1


class TestExport:
    def test_moves_rows_into_files_by_table_and_day_sorted_by_time(self, bench):
        bench.store(span(DAY + 5), span(3), span(2), Point(time=1))
        bench.export()

        found = manifests.load(bench.directory / "telemetry").segments
        assert {(each.table, each.day, each.rows) for each in found} == {
            ("spans", "1970-01-01", 2), ("spans", "1970-01-02", 1), ("points", "1970-01-01", 1),
            ("resources", "1970-01-01", 1),
        }  # fmt: skip
        first = next(each for each in found if each.rows == 2)
        file = bench.directory / "telemetry" / first.file
        times = duckdb.read_parquet(str(file)).project("epoch_ns(time)").fetchall()
        assert [(2,), (3,)] == times

    def test_answers_the_same_from_segments_and_hot_rows_together(self, bench):
        bench.store(span(1), span(2))
        bench.export()
        bench.store(span(3))

        assert bench.rows("select list(epoch_ns(time) order by time) from spans") == [[[1, 2, 3]]]
        assert bench.engine.kept().rows["spans"] == 3

    def test_clears_at_open_what_was_exported_before_a_kill(self, bench):
        bench.store(span(1))
        bench.engine.tend(now=time.time_ns(), everything=True)
        while bench.engine.busy():
            time.sleep(0.005)  # the manifest is written, and the rows are not cleared yet
        bench.reopen()

        assert bench.rows("select count(*) from spans") == [[1]]
        assert bench.engine.exported == bench.engine.stored

    def test_gives_rows_of_a_thousand_days_few_files(self, bench):
        bench.store(*(span(number * DAY) for number in range(1000)))
        bench.export()

        assert bench.engine.kept().segments == 41 + 1
        assert bench.rows("select count(*) from spans") == [[1000]]

    def test_reads_segments_from_before_a_column_was_added(self, bench):
        bench.store(span(1))
        bench.export()
        directory = bench.directory / "telemetry"
        manifest = manifests.load(directory)
        (segment,) = [each for each in manifest.segments if each.table == "spans"]
        older = directory / "segments" / "older.parquet"
        duckdb.read_parquet(str(directory / segment.file)).project(
            "* exclude (kind)"
        ).write_parquet(str(older))
        bench.close()
        changed = {
            "file": "segments/older.parquet",
            "columns": tuple(name for name in segment.columns if name != "kind"),
        }
        fields = {name: getattr(segment, name) for name in segment.__struct_fields__}
        manifests.save(
            directory,
            manifest.without(frozenset({segment.file})).having(
                (type(segment)(**{**fields, **changed}),),
                exported=manifest.exported,
                generation=manifest.generation,
            ),
        )
        bench.open()

        assert bench.rows("select kind, service from spans") == [["internal", "shop"]]

    def test_gives_up_segments_that_were_kept_long_enough(self, bench):
        bench.policy = Policy(kinds={"span": Bound(age_ns=3600 * NS)})
        bench.reopen()
        bench.store(span(1), Point(time=1))
        bench.export()
        bench.engine.tend(now=time.time_ns())

        assert bench.rows("select (select count(*) from points), count(*) from spans") == [[1, 0]]


def lose_half_an_export(bench):
    """Two exports, the second of two files, one of them gone, and no list to say so."""
    bench.store(span(1))
    bench.export()
    bench.store(span(2), span(DAY))
    bench.export()
    bench.close()
    segments = bench.directory / "telemetry" / "segments" / "spans"
    gone, _ = sorted(segments.rglob("00000002.parquet"))
    gone.unlink()
    (bench.directory / "telemetry" / "manifest.json").write_bytes(b"")


class TestLostManifest:
    def test_leaves_out_an_export_that_was_never_finished(self, bench):
        lose_half_an_export(bench)
        bench.open()
        bench.follow()

        assert bench.rows("select list(epoch_ns(time) order by time) from spans") == [[[1, 2, DAY]]]
        assert bench.engine.counts()["manifest_rebuilt"] == 1

    def test_keeps_what_the_journal_has_not_any_more(self, bench):
        lose_half_an_export(bench)
        for segment in (bench.directory / "journal").glob("*.seg"):
            segment.unlink()
        bench.open()

        assert bench.rows("select count(*) from spans") == [[2]]

    def test_changes_nothing_for_a_reader(self, bench):
        lose_half_an_export(bench)

        with open_readonly(bench.directory) as store:
            assert store.query("select count(*) from spans").rows == [[3]]

        assert (bench.directory / "telemetry" / "manifest.json").read_bytes() == b""
        bench.open()


class TestAnswers:
    def test_have_a_limit_and_say_so(self, bench):
        answer = bench.ask("select * from range(10000000000)", limit=3)

        assert (answer.rows, answer.truncated) == ([[0], [1], [2]], True)

    def test_are_not_waited_for_longer_than_wanted(self, bench):
        with pytest.raises(QueryError, match=r"longer than 0\.1 s"):
            bench.ask("select sum(range) from range(100000000000)", timeout_s=0.1)

    def test_compare_with_now_as_people_write_it(self, bench):
        bench.store(span(time.time_ns()), span(1))
        sql = "select count(*) from spans where time > {} - interval 1 hour"

        assert bench.rows(sql.format("now()")) == [[1]]
        assert bench.rows(sql.format("current_timestamp")) == [[1]]

    def test_join_the_callers_tables(self, bench):
        bench.store(span(1))
        columns = {"name": "text", "since": "time", "labels": "labels"}
        rows = [{"name": "shop", "since": 5, "labels": {"a": "b"}}]
        answer = bench.ask(
            "select s.* from spans join systems s on s.name = service",
            state={"systems": StateTable(columns=columns, rows=rows)},
        )

        assert answer.rows == [["shop", "1970-01-01T00:00:00.000000005Z", {"a": "b"}]]

    def test_are_fit_for_json(self, bench):
        (row,) = bench.rows(
            "select 1.5::decimal(9, 2), 'nan'::double, sum(2::bigint), 'a'::blob,"
            " date '2020-01-02', {'t': [make_timestamp_ns(1)]}, interval 90 second,"
            " null, map {1: 2}, 1 as a, 2 as a"
        )

        assert row == [
            1.5, None, 2, "61", "2020-01-02", {"t": ["1970-01-01T00:00:00.000000001Z"]},
            "P0M0DT90.000000000S", None, {"1": 2}, 1, 2,
        ]  # fmt: skip

    @pytest.mark.parametrize("number", [2**53 + 1, -(2**63), 2**63 - 1, 0])
    def test_add_whole_numbers_exactly(self, bench, number):
        sums = f"sum(({number})::bigint), sum(x::hugeint), ({number})::decimal(38, 0)"

        (row,) = bench.rows(f"select {sums}, sum(x) filter (false) from (values (1), (2)) t(x)")

        assert row == [2 * number if abs(number) < 2**62 else str(2 * number), 3, number, None]

    def test_keep_the_order_of_their_sums(self, bench):
        sql = "select sum(a) as s from (select range % 5000 as a from range(20000)) group by a"

        found = bench.rows(f"{sql} order by s", limit=5000)

        assert [[4 * number] for number in range(5000)] == found

    def test_name_their_columns_differently(self, bench):
        assert bench.ask("select 1 as a, 2 as a").records() == [{"a": 1, "a_2": 2}]

    def test_keep_the_engines_words_in_an_error(self, bench):
        with pytest.raises(QueryError, match='Candidate bindings: "name"'):
            bench.ask("select nme from spans")


class TestStoppedAgent:
    def test_is_read_with_what_the_worker_had_not_stored(self, bench):
        bench.store(span(1))
        bench.export()
        bench.store(span(2))
        bench.close()
        bench.write(*blocks_of([span(3)]))
        bench.journal.commit()
        before = sorted(path.name for path in (bench.directory / "telemetry").iterdir())

        with open_readonly(bench.directory) as store:
            answer = store.query("select count(*) from spans")

        assert answer.rows == [[3]]
        assert before == sorted(path.name for path in (bench.directory / "telemetry").iterdir())
        bench.open()

    def test_that_never_was_is_an_error(self, tmp_path):
        with pytest.raises(StoreError, match="no agent and no state"):
            open_readonly(tmp_path / "nowhere")


class TestSuspicion:
    def test_buries_the_record_the_worker_died_of_twice(self, bench):
        bench.store(span(1))
        suspect = Suspect(bench.directory, careful=True)
        suspect.watch(2)
        suspect.watch(2)
        for number in (2, 3):
            bench.write(*blocks_of([span(number)]))
        bench.follower._suspect = Suspect(bench.directory, careful=True)
        bench.follow()

        assert [(2, "the store died of it")] == bench.buried
        assert bench.rows("select list(epoch_ns(time)) from spans") == [[[1, 3]]]

    def test_falls_on_no_record_where_the_disk_fails(self, bench):
        append = Full(bench.engine)
        bench.write(*blocks_of([span(1)]))
        end = bench.journal.commit()
        for _ in range(5):
            bench.open_follower(append)
            bench.follower._suspect = Suspect(bench.directory, careful=True)
            with pytest.raises(DiskFailedError):
                bench.follower.follow(end, max_bytes=1 << 20)

        bench.open_follower(bench.engine)
        bench.follower._suspect = Suspect(bench.directory, careful=True)
        bench.follow()
        assert bench.buried == []
        assert bench.rows("select count(*) from spans") == [[1]]

    def test_ends_with_the_danger(self, bench):
        suspect = Suspect(bench.directory, careful=True)
        suspect.watch(1)
        suspect.clear()

        assert not Suspect(bench.directory, careful=True).convicted(1)
