"""A flipped byte is found wherever it is; what is damaged is set aside, named, and made anew."""

import json
import random
import time

import msgspec
import pytest
from click.testing import CliRunner

from qmon_agent.cli.doctor import command
from qmon_agent.journal.verifying import flaws
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engines.duckdb.rebuilding import rebuilt
from qmon_agent.store.telemetry.engines.duckdb.relisting import aside_of, put_aside
from qmon_agent.store.telemetry.manifest import Manifest
from qmon_agent.store.telemetry.verifying import verify
from qmon_sdk.protocol.signals import Error, Log, Span
from tests.agent.test_telemetry_engine import DAY, Bench

FLIPS = 24
COUNT = "select count(*), count(distinct span_id) from spans"


@pytest.fixture
def bench(tmp_path):
    """A store with two segments of spans, one of logs, and a row in the hot file."""
    made = Bench(tmp_path)
    made.engine._scrubber._next_round = float(1 << 62)  # not before the test says so
    for day in (0, 1):
        rows = [Span(time=day * DAY + n, span_id=f"{day}-{n}", name="GET /") for n in range(100)]
        made.store(*rows, Log(time=5, body="hello"))
        made.export()
    made.store(Span(time=1, span_id="hot"))
    yield made
    made.close()
    made.journal.close()


def telemetry(bench):
    return bench.directory / "telemetry"


def listed(bench, table="spans"):
    return [each for each in manifests.load(telemetry(bench)).segments if each.table == table]


def flip(path, place, bit=1):
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= bit
    path.write_bytes(content)


def scrub(bench):
    """One round over all segments, now."""
    scrubber = bench.engine._scrubber
    scrubber.wait()
    scrubber._begin(bench.engine._ledger.manifest.segments)
    scrubber.wait()


def without_journal(bench):
    for path in (bench.directory / "journal").glob("*.seg"):
        path.unlink()


class TestVerify:
    def test_says_that_all_is_well(self, bench):
        found = verify(telemetry(bench))

        assert (found.damages, found.segments) == ((), len(listed_all(bench)))
        assert list(flaws(bench.directory / "journal")) == []
        assert list(flaws(bench.directory / "nowhere")) == []

    def test_finds_a_flipped_byte_anywhere_in_a_segment(self, bench):
        segment, chance = listed(bench)[0], random.Random(1)
        path = telemetry(bench) / segment.file
        whole = path.read_bytes()
        for _ in range(FLIPS):
            flip(path, chance.randrange(len(whole)), 1 << chance.randrange(8))
            (damage,) = verify(telemetry(bench)).damages
            path.write_bytes(whole)

            assert (damage.table, damage.day, damage.rows) == ("spans", "1970-01-01", 100)
            assert (damage.oldest, damage.newest) == (0, 99)

    def test_finds_a_flipped_byte_anywhere_in_the_journal(self, bench):
        bench.journal.close()
        (path,) = (bench.directory / "journal").glob("*.seg")
        whole, chance = path.read_bytes(), random.Random(2)
        for place in [0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(FLIPS))]:
            flip(path, place, 1 << chance.randrange(8))
            found = list(flaws(path.parent))
            path.write_bytes(whole)

            assert [each.file for each in found] == [path.name]

    def test_finds_a_file_that_is_gone(self, bench):
        segment = listed(bench)[0]
        (telemetry(bench) / segment.file).unlink()

        assert verify(telemetry(bench)).damages[0].trouble == "the file is gone"

    def test_is_what_doctor_says(self, bench):
        flip(telemetry(bench) / listed(bench)[1].file, 77)

        said = CliRunner().invoke(command, ["--verify", "--json", "--state", str(bench.directory)])
        found = {each["what"]: each for each in json.loads(said.stdout)["findings"]}

        damaged = found[f"segment {listed(bench)[1].file}"]
        assert damaged["verdict"] == "fail"
        assert "100 rows of spans, 1970-01-02" in damaged["detail"]
        assert found["journal"]["verdict"] == "ok"


def listed_all(bench):
    return manifests.load(telemetry(bench)).segments


class TestDamagedSegment:
    def test_is_made_anew_of_the_journal(self, bench):
        flip(telemetry(bench) / listed(bench)[0].file, 300)
        scrub(bench)

        assert bench.rows(COUNT) == [[201, 201]]
        assert bench.ask(COUNT).missing == ()
        assert bench.engine.counts()["rebuilt_segments"] == 1
        assert verify(telemetry(bench)).damages == ()
        assert [*(telemetry(bench) / "damaged-segments").iterdir()] != []
        assert bench.engine.kept().damaged_rows == {}

    def test_is_set_aside_and_named_when_the_journal_has_it_no_more(self, bench):
        flip(telemetry(bench) / listed(bench)[0].file, 300)
        without_journal(bench)
        scrub(bench)

        answer = bench.ask(COUNT)
        assert answer.rows == [[101, 101]]
        assert "100 rows of spans, 1970-01-01" in answer.missing[0]
        assert bench.ask("select count(*) from logs").missing == ()
        assert bench.engine.kept().damaged == answer.missing

    def test_stays_named_until_what_was_set_aside_is_removed(self, bench):
        flip(telemetry(bench) / listed(bench)[0].file, 300)
        without_journal(bench)
        scrub(bench)
        for path in (telemetry(bench) / "damaged-segments").iterdir():
            path.unlink()
        scrub(bench)

        assert bench.ask(COUNT).missing == ()

    def test_has_its_rows_counted_also_when_what_was_set_aside_is_removed(self, bench):
        flip(telemetry(bench) / listed(bench)[0].file, 300)
        without_journal(bench)
        scrub(bench)
        before = bench.engine.kept()
        for path in (telemetry(bench) / "damaged-segments").iterdir():
            path.unlink()
        scrub(bench)
        after = bench.engine.kept()

        assert before.damaged_rows == after.damaged_rows == {"spans": 100}
        assert (before.rows["spans"], after.damaged) == (101, ())

    @pytest.mark.parametrize("harm", ["cut", "gone"])
    def test_does_not_let_a_question_fail(self, bench, harm):
        path = telemetry(bench) / listed(bench)[0].file
        path.unlink() if harm == "gone" else path.write_bytes(path.read_bytes()[:50])

        answer = bench.ask(COUNT)

        assert answer.rows == [[101, 101]]
        assert len(answer.missing) == 1

    @pytest.mark.parametrize("forgotten", [False, True])
    def test_is_put_back_where_it_can_be_read_and_nobody_was_forgotten(self, bench, forgotten):
        segment = listed(bench)[0]
        without_journal(bench)
        flip(telemetry(bench) / segment.file, 1_000)
        scrub(bench)
        assert segment.file in {each.file for each in manifests.load(telemetry(bench)).damaged}

        flip(aside_of(telemetry(bench), segment.file), 1_000)
        bench.engine._scrubber._hopeless.clear()  # as when a second is over
        if forgotten:
            bench.engine._ledger.change(lambda manifest: manifest.giving_up())
        scrub(bench)

        assert forgotten == len(manifests.load(telemetry(bench)).damaged)
        assert bench.rows(COUNT) == [[101, 101] if forgotten else [201, 201]]

    def test_of_which_a_user_was_forgotten_is_not_made_anew(self, bench):
        segment = listed(bench)[0]
        anew = msgspec.structs.replace(segment, file=segment.file.replace(".parquet", "~1.parquet"))
        (telemetry(bench) / segment.file).rename(telemetry(bench) / anew.file)
        bench.engine._ledger.change(lambda manifest: manifest.swapped(segment, anew))
        flip(telemetry(bench) / anew.file, 300)
        scrub(bench)

        assert bench.engine.counts().get("rebuilt_segments", 0) == 0
        assert len(bench.ask(COUNT).missing) == 1


class TestForgotten:
    """Whoever is forgotten does not come back with what is made anew of the journal."""

    def erase(self, bench, user="ann"):
        bench.engine.erase(user)
        while bench.engine.busy():
            time.sleep(0.01)
        return bench.engine.erased()

    @pytest.fixture
    def bench(self, bench):
        bench.store(*(Error(time=n, user_id=("ann", "bob")[n % 2], type="E") for n in range(10)))
        bench.export()
        flip(telemetry(bench) / listed(bench, "errors")[0].file, 300)
        return bench

    def users(self, bench):
        return {user for (user,) in bench.rows("select distinct user_id from errors")}

    def set_aside(self, bench):
        segment = listed(bench, "errors")[0]
        bench.engine._ledger.change(lambda manifest: manifest.setting_aside(segment))
        put_aside(telemetry(bench), segment.file)
        return segment

    def test_where_it_was_set_aside_before(self, bench):
        self.set_aside(bench)
        erased = self.erase(bench)
        scrub(bench)
        bench.reopen()
        scrub(bench)

        assert (self.users(bench), erased.set_aside) == (set(), 1)
        assert bench.engine.kept().damaged_rows == {"errors": 10}

    def test_where_it_is_being_made_anew_at_that_moment(self, bench):
        damaged = self.set_aside(bench)
        whole = rebuilt(bench.engine._options, damaged)
        self.erase(bench)

        assert not bench.engine._ledger.change(lambda manifest: manifest.mending(damaged, whole))
        assert self.users(bench) == set()

    def test_where_it_was_made_anew_just_before(self, bench):
        scrub(bench)
        assert self.users(bench) == {"ann", "bob"}
        self.erase(bench)

        assert self.users(bench) == {"bob"}

    def test_where_it_is_damaged_afterwards(self, bench):
        scrub(bench)
        self.erase(bench)
        flip(telemetry(bench) / listed(bench, "errors")[0].file, 300)
        scrub(bench)

        assert self.users(bench) == set()

    def test_where_the_hot_file_is_made_anew(self, bench):
        scrub(bench)
        bench.store(Error(time=99, user_id="cat", type="E"))
        bench.export()
        self.erase(bench)
        bench.store(Error(time=100, user_id="dan", type="E"))
        bench.engine.discard()
        bench.engine._lock.close()
        bench.follower.close()
        bench.open()
        bench.follow()

        assert self.users(bench) == {"bob", "cat", "dan"}


class TestList:
    def test_of_another_time_changes_nothing(self):
        manifest = Manifest()

        assert manifest.mending(*[_segment()] * 2) is manifest
        assert manifest.setting_aside(_segment()) is manifest

    def test_sets_aside_what_was_rolled_up_while_it_was_looked_at(self):
        rolled = _segment()
        seen = msgspec.structs.replace(rolled, unrolled=True)
        manifest = Manifest(segments=(rolled,)).setting_aside(seen)

        assert (manifest.segments, manifest.damaged) == ((), (rolled,))

    def test_loses_no_count_however_many_segments_are_damaged(self):
        manifest = Manifest()
        for number in range(manifests.MOST_DAMAGED + 5):
            each = msgspec.structs.replace(_segment(), file=f"{number}")
            listed = msgspec.structs.replace(manifest, segments=(each,))
            manifest = listed.setting_aside(each)

        assert manifest.damaged_rows == {"spans": manifests.MOST_DAMAGED + 5}


def _segment():
    return manifests.Segment(
        file="segments/spans/1970-01-01/00000001.parquet",
        table="spans",
        day="1970-01-01",
        rows=1,
        bytes=1,
        sha256="",
        oldest=0,
        newest=time.time_ns(),
        written=0,
        columns=(),
    )
