"""Whatever bit of a segment flips: the right answer, or one without it that says so."""

import random
from functools import partial

import pyarrow.parquet as pq
import pytest

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry import manifest as manifests
from qmon_agent.store.telemetry.engine import Question
from qmon_agent.store.telemetry.engines.duckdb.blaming import UnreadableError
from qmon_agent.store.telemetry.engines.duckdb.relisting import aside_of
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.signals import Event
from tests.agent.test_exports import streamed
from tests.agent.test_telemetry_engine import Bench
from tests.journeys.conftest import Home

ROWS = 400
HEAD_BYTES = 16
FOOTER_BITS = 64
BY_USER = "SELECT user_id, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL"
ALL = "SELECT * FROM events"
WRONG = (
    "SELECT CAST(name || 'x' AS INT) FROM events",
    "SELECT regexp_matches(name, '(') FROM events",
    "SELECT error('mine') FROM events",
    "SELECT nothing FROM events",
)
LATE = "SELECT CAST(IF(a = 900000, 'x', '1') AS INT) FROM range(1000000) t(a)"


@pytest.fixture
def bench(tmp_path):
    """Two segments of events of which the journal is gone."""
    made = Bench(tmp_path)
    made.engine._scrubber._next_round = float(1 << 62)  # not before the test says so
    for half in range(2):
        made.store(*(event(n) for n in range(half * ROWS, (half + 1) * ROWS)))
        made.export()
    for path in (tmp_path / "journal").glob("*.seg"):
        path.unlink()
    yield made
    made.close()
    made.journal.close()


def event(number):
    return Event(time=number, name="bought", user_id=f"user-{number % 40}", attributes={"n": "1"})


class Damage:
    """Flips bits of the first segment, and makes it whole again."""

    def __init__(self, bench):
        self.bench = bench
        self.directory = bench.directory / "telemetry"
        self.segment = next(e for e in manifests.load(self.directory).segments if e.rows == ROWS)
        self.path = self.directory / self.segment.file
        self.whole = self.path.read_bytes()

    def flip(self, bit):
        content = bytearray(self.whole)
        content[bit // 8] ^= 1 << bit % 8
        self.path.write_bytes(content)

    def mend(self):
        for path in (aside_of(self.directory, self.segment.file), self.path):
            if path.exists():
                path.write_bytes(self.whole)
        scrubber = self.bench.engine._scrubber
        scrubber._hopeless.clear()  # as when a day is over
        scrubber._mend()
        assert self.path.read_bytes() == self.whole

    def heads(self):
        """The first bits of each chunk that is asked for."""
        group = pq.read_metadata(self.path).row_group(0)
        for number in range(group.num_columns):
            chunk = group.column(number)
            if chunk.path_in_schema == "user_id":
                places = (chunk.dictionary_page_offset, chunk.data_page_offset)
                for place in filter(None, places):
                    yield from range(8 * place, 8 * (place + HEAD_BYTES))

    def footer(self):
        size = int.from_bytes(self.whole[-8:-4], "little") + 8
        bits = range(8 * (len(self.whole) - size), 8 * len(self.whole))
        return random.Random(8).sample(bits, FOOTER_BITS)


@pytest.fixture
def damage(bench):
    return Damage(bench)


@pytest.mark.parametrize("where", [Damage.heads, Damage.footer])
class TestAnyFlippedBit:
    def test_leaves_an_answer_that_is_right_or_says_what_it_lacks(self, bench, damage, where):
        right, without = bench.rows(BY_USER), [[f"user-{n}", 10] for n in range(40)]
        found = others = 0
        for bit in where(damage):
            damage.flip(bit)
            answer = bench.ask(BY_USER)
            is_other = answer.rows != right and not answer.missing
            # A value that is another one, as DuckDB reads it: only its checksum tells.
            assert not is_other or bench.engine.look([damage.segment.file]), bit
            assert not answer.missing or sorted(answer.rows) == sorted(without), bit
            found, others = found + len(answer.missing), others + is_other
            damage.mend()
        assert found > 5 * others, others

    @pytest.mark.parametrize("form", ["csv", "parquet"])
    def test_leaves_an_export_whole(self, bench, damage, where, form):
        found = 0
        for bit in where(damage):
            damage.flip(bit)
            said = []
            rows, _ = streamed(bench, ALL, form, left_out=said.extend)
            named = len(bench.engine.kept().damaged)
            damage.mend()

            assert rows == (ROWS if named else 2 * ROWS), bit
            assert len(said) == named, bit
            found += named
        assert found > 0


class TestAnExport:
    def test_says_so_where_some_of_it_has_gone(self, bench, damage):
        def put(_data, _rows):
            """Some has gone when this is called; now the disk fails."""
            damage.flip(80)
            raise UnreadableError("TProtocolException", ("events",), is_sure=True)

        question = Question(sql=ALL, limit=1 << 40, timeout_s=20.0)
        with pytest.raises(QueryError, match="ask again"):
            bench.engine.stream(question, Watch(), form="csv", put=put, left_out=print)

        assert len(bench.engine.kept().damaged) == 1
        assert streamed(bench, ALL, "csv")[0] == ROWS


class TestACommandThatFindsIt:
    """A running agent is told, long before it would read the segment again."""

    @pytest.fixture
    def home(self, tmp_path):
        home = Home(tmp_path)
        made = Bench(home.state)
        made.store(*(event(n) for n in range(ROWS)))
        made.export()
        made.close()
        made.journal.close()
        for path in (home.state / "journal").glob("*.seg"):  # or it would be made anew
            path.unlink()
        yield home
        home.end()

    def damaged(self, home):
        directory = home.state / "telemetry"
        (segment,) = (e for e in manifests.load(directory).segments if e.table == "events")
        path = directory / segment.file
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        return segment.file

    @pytest.mark.parametrize("command", [("doctor", "--verify"), ("backup", "there")])
    def test_tells_a_running_agent(self, home, command):
        home.start()
        counts = partial(home.ask, "status")
        home.until(lambda: counts()["store"]["counts"].get("scrubbed_segments"))
        file = self.damaged(home)

        words = [str(home.directory / each) if each == "there" else each for each in command]
        said = home.command(*words)

        assert said.returncode == 1, said.stderr
        assert f"{file}" in said.stdout + said.stderr
        assert "the agent has set it aside now" in said.stdout + said.stderr
        self.exports_without(home, file)
        home.end()
        self.exports_without(home, file)

    def exports_without(self, home, file):
        said = home.command("query", ALL, "--output", str(home.directory / "all.ndjson"))
        assert said.returncode == 0, said.stderr
        assert f"left out: {ROWS} rows of events" in said.stderr
        assert file in said.stderr

    def test_says_what_happens_where_none_runs(self, home):
        self.damaged(home)

        said = home.command("doctor", "--verify")

        assert "no agent runs: the next one sets it aside" in said.stdout


class TestAWrongQuestion:
    @pytest.mark.parametrize("sql", WRONG)
    @pytest.mark.parametrize("way", ["asked", "exported"])
    def test_is_told_its_own_error(self, bench, sql, way):
        with pytest.raises(QueryError):
            bench.ask(sql) if way == "asked" else streamed(bench, sql, "csv")
        assert bench.engine.kept().damaged == ()

    def test_has_segments_read_once_a_minute_at_most(self, bench):
        for _ in range(5):
            with pytest.raises(QueryError):
                bench.ask(WRONG[1])

        assert bench.engine.counts().get("scrubbed_segments", 0) <= 2 * 2

    def test_that_fails_in_the_middle_is_told_too(self, bench):
        """Rows had come already when it failed, which Arrow tells in its own way."""
        with pytest.raises(QueryError, match="Could not convert"):
            streamed(bench, LATE, "csv")
