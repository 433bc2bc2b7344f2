"""A user is taken out of the store: rows, files, and what is held."""

import time

import pytest

from qmon_agent.domain.retention import Hold
from qmon_agent.journal import Journal
from qmon_sdk.protocol.signals import Error, Event, Log, Session, Span
from tests.agent.test_telemetry_engine import Bench

ANN = "ann@example.org"
BOTH = [
    Span(time=1, user_id=ANN, name="a"),
    Span(time=2, user_id="bob", name="b"),
    Span(time=3, attributes={"enduser.id": ANN}),
    Event(time=1, anonymous_id=ANN),
    Session(time=1, user_id=ANN),
    Error(time=1, user_id="bob"),
    Log(time=1, attributes={"user.id": ANN}),
    Log(time=2, attributes={"seat": ANN}),
]
COUNTS = """
SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM events),
  (SELECT count(*) FROM sessions), (SELECT count(*) FROM errors), (SELECT count(*) FROM logs)
"""


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.store(*BOTH)
    made.export()
    yield made
    made.close()
    made.journal.close()


def erase(bench, user=ANN):
    bench.engine.erase(user)
    while bench.engine.busy():
        time.sleep(0.005)
    return bench.engine.erased()


class TestErasing:
    def test_takes_out_what_is_about_a_user_and_nothing_else(self, bench):
        erased = erase(bench)

        assert erased.removed == {"spans": 2, "events": 1, "sessions": 1, "logs": 1}
        assert (erased.rewritten, erased.emptied, erased.held) == (2, 2, {})
        assert bench.rows(COUNTS) == [[1, 0, 0, 1, 1]]

    def test_removes_the_files_at_once(self, bench):
        segments = bench.directory / "telemetry" / "segments"
        erase(bench)
        files = {str(path.relative_to(segments)) for path in segments.rglob("*.parquet")}

        assert files == {
            "spans/1970-01-01/00000001~1.parquet",
            "logs/1970-01-01/00000001~1.parquet",
            "errors/1970-01-01/00000001.parquet",
            *(name for name in files if name.startswith("resources/")),
        }

    def test_done_twice_finds_nothing_more(self, bench):
        erase(bench)

        assert erase(bench).removed == {}

    def test_counts_in_the_books_what_it_took(self, bench):
        erase(bench)
        bench.reopen()

        assert bench.engine.kept().forgotten == {
            "spans": 2,
            "events": 1,
            "sessions": 1,
            "logs": 1,
        }

    @pytest.mark.parametrize(
        ("hold", "held"),
        [
            (Hold(id="a", user=ANN), {"spans": 2, "events": 1, "sessions": 1, "logs": 1}),
            (Hold(id="a", kinds=("span",)), {"spans": 2}),
            (Hold(id="a", kinds=("span",), since=2), {"spans": 1}),
            (Hold(id="a", service="bank"), {}),
            (Hold(id="a", user="bob"), {}),
        ],
    )
    def test_leaves_what_is_held_and_says_so(self, bench, hold, held):
        bench.engine.hold([hold])
        erased = erase(bench)

        assert erased.held == held
        assert sum(erased.removed.values()) + sum(held.values()) == 5

    def test_leaves_no_name_in_the_hot_file_that_is_begun_anew(self, bench):
        erase(bench)
        bench.engine.discard()
        bench.follower.close()
        bench.engine.close()
        bench.open()

        assert ANN.encode() not in (bench.directory / "telemetry" / "hot.duckdb").read_bytes()
        assert bench.rows(COUNTS) == [[1, 0, 0, 1, 1]]

    def test_is_no_accident_of_the_hot_file_and_is_told_once(self, bench):
        erase(bench)
        bench.engine.discard()
        bench.follower.close()
        bench.engine.close()
        bench.open()
        first = bench.engine.counts()
        bench.reopen()

        assert (1, None) == (first["hot_file_begun_anew"], first.get("hot_file_gone"))
        assert "hot_file_begun_anew" not in bench.engine.counts()

    def test_asks_about_names_as_they_are(self, bench):
        erased = erase(bench, user="x' OR 1=1 --")

        assert erased.removed == {}


class TestDeadLetters:
    def test_with_the_name_are_removed_and_the_others_kept(self, tmp_path):
        journal = Journal.open(tmp_path)
        for payload in (b"about " + ANN.encode(), b"about bob"):
            journal.bury(payload, "torn")
        gone = journal.forget_dead_letters(ANN.encode())
        journal.bury(b"later", "torn")

        assert gone == 1
        assert [letter.payload for letter in journal.dead_letters()] == [b"about bob", b"later"]
        assert not any(
            ANN.encode() in path.read_bytes() for path in (tmp_path / "dead").glob("*.seg")
        )
        journal.close()
