"""What is added up for a Prometheus, and for how long it is told without being heard of."""

import sqlite3

import msgspec
import pytest

from qmon_agent.forward.sinks._totals import _SELDOM, Total, Totals


class Steady:
    """A clock that goes on by itself, and that nobody can set."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def steady():
    return Steady()


@pytest.fixture
def totals(tmp_path, steady):
    made = Totals(tmp_path / "totals.db", steady_s=steady)
    yield made
    made.close()


def hear(totals, *keys, last_ms=5, **more):
    totals.begin()
    for key in keys:
        totals.put(key, Total("counter", 0, last_ms, value=1.0))
    totals.keep(f"batch {keys}", **more)


def heard(totals, ago_ms=1000):
    return [key for key, _ in totals.heard_within(ago_ms)]


class TestTotals:
    def test_are_told_for_as_long_as_they_were_heard_of(self, totals, steady):
        hear(totals, b"a")
        steady.now += 0.9
        hear(totals, b"b")
        steady.now += 0.9

        assert [b"b"] == heard(totals)

    @pytest.mark.parametrize("last_ms", [0, 1 << 50], ids=["long ago", "of the future"])
    def test_are_told_whatever_time_their_points_have(self, totals, steady, last_ms):
        hear(totals, b"a", last_ms=last_ms)

        assert [b"a"] == heard(totals)
        steady.now += 1.1
        assert [] == heard(totals)

    @pytest.mark.parametrize("now", [3.0, 1e9], ids=["after a boot", "much later"])
    def test_grow_no_older_while_nobody_is_here_to_hear(self, totals, tmp_path, now):
        hear(totals, b"a")
        totals.close()
        later = Steady()
        later.now = now
        again = Totals(tmp_path / "totals.db", steady_s=later)

        assert [b"a"] == heard(again)
        later.now += 1.1
        assert [] == heard(again)
        again.close()

    def test_not_heard_of_for_long_are_let_go(self, totals, steady):
        hear(totals, b"a")
        for _ in range(_SELDOM):
            steady.now += 1
            hear(totals, b"b", unheard_ms=10_000)

        assert (None, False) == (totals.kept(b"a"), totals.kept(b"b") is None)

    def test_of_a_file_from_before_are_told_once_more(self, tmp_path, steady):
        path, old = tmp_path / "old.db", msgspec.msgpack.encode(Total("counter", 0, 5))
        with sqlite3.connect(path) as link:
            link.execute(
                "CREATE TABLE totals (key BLOB PRIMARY KEY, last_ms INTEGER, total BLOB)"
                " WITHOUT ROWID"
            )
            link.execute("INSERT INTO totals VALUES (?, 5, ?)", (b"a", old))
        link.close()
        totals = Totals(path, steady_s=steady)

        assert [b"a"] == heard(totals)
        totals.close()
