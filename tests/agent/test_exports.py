"""Answers larger than memory: as files, whole or not at all, and harmless in a spreadsheet."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.engine import Question
from qmon_agent.store.telemetry.engines.duckdb.forms import FORMS, FORMULA
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.signals import Span
from tests.agent.test_telemetry_engine import Bench
from tests.journeys.conftest import Home

ASKED = "SELECT a, a % 7 AS b, 'x' || a AS c FROM range(50000) t(a) ORDER BY a"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.store(Span(time=1, name="=SUM(A1)", attributes={"k": "v"}))
    yield made
    made.close()
    made.journal.close()


def streamed(bench, sql, form, limit=1 << 40, *, left_out=print):
    pieces = []
    question = Question(sql=sql, limit=limit, timeout_s=20.0)
    put = lambda data, _: pieces.append(data)  # noqa: E731
    rows = bench.engine.stream(question, Watch(), form=form, put=put, left_out=left_out)
    return rows, b"".join(pieces)


def read(form, content):
    """The rows, by a reader that is not ours."""
    if form == "arrow":
        return pa.ipc.open_stream(content).read_all().to_pylist()
    if form == "parquet":
        return pq.read_table(io.BytesIO(content)).to_pylist()
    if form == "ndjson":
        return [json.loads(line) for line in content.splitlines()]
    rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return [{**row, "a": int(row["a"]), "b": int(row["b"])} for row in rows]


class TestEveryForm:
    @pytest.mark.parametrize("form", FORMS)
    def test_holds_all_the_rows(self, bench, form):
        rows, content = streamed(bench, ASKED, form)
        found = read(form, content)

        assert (rows, len(found)) == (50_000, 50_000)
        assert found[12_345] == {"a": 12_345, "b": 4, "c": "x12345"}

    @pytest.mark.parametrize("form", FORMS)
    def test_ends_at_the_limit(self, bench, form):
        rows, content = streamed(bench, ASKED, form, limit=3_000)

        assert (rows, len(read(form, content))) == (3_000, 3_000)

    @pytest.mark.parametrize("form", FORMS)
    def test_is_there_without_rows_too(self, bench, form):
        rows, content = streamed(bench, ASKED.replace("50000", "0"), form)

        assert (rows, read(form, content)) == (0, [])

    @pytest.mark.parametrize("form", FORMS)
    def test_takes_sums_and_names_that_are_there_twice(self, bench, form):
        rows, _ = streamed(bench, "SELECT sum(a) AS a, 1 AS a FROM range(9) t(a)", form)

        assert rows == 1

    def test_has_to_be_one_there_is(self, bench):
        with pytest.raises(QueryError, match="there are csv, ndjson, arrow, parquet"):
            streamed(bench, ASKED, "xlsx")

    def test_is_guarded_as_a_query_is(self, bench):
        with pytest.raises(QueryError, match="not allowed"):
            streamed(bench, "SELECT * FROM read_text('/etc/passwd')", "csv")

    def test_comes_in_pieces(self, bench):
        sizes = []
        question = Question(sql=ASKED, limit=1 << 40, timeout_s=20.0)
        bench.engine.stream(
            question, Watch(), form="csv", put=lambda d, _: sizes.append(len(d)), left_out=print
        )

        assert max(sizes) < 100_000 < sum(sizes)


class TestCsv:
    @given(st.text(max_size=20))
    def test_has_no_cell_that_a_spreadsheet_would_run(self, text):
        schema = pa.schema([("a", pa.string())])
        batch = pa.RecordBatch.from_pylist([{"a": text}], schema)
        content = b"".join(FORMS["csv"](schema, [batch])).decode("utf-8", "surrogatepass")
        _, *cells = csv.reader(io.StringIO(content, newline=""))
        told = cells[0][0] if cells and cells[0] else ""

        assert not told.startswith(FORMULA)
        assert told in {text, f"'{text}"}

    def test_keeps_numbers_as_they_are(self, bench):
        _, content = streamed(bench, "SELECT -1 AS a, '-1' AS b", "csv")

        assert content == b"a,b\r\n-1,'-1\r\n"


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    home.state.mkdir()
    yield home
    home.end()


class TestCommand:
    def test_writes_a_file_whole_whether_the_agent_runs_or_not(self, home, tmp_path):
        agent = home.start()
        home.send("shop")
        running = home.command("query", ASKED, "--output", str(tmp_path / "a.parquet"))
        told = home.command("query", "FROM nothing", "--output", str(tmp_path / "b.csv"))
        cut = home.command(
            "query",
            "SELECT IF(a < 900000, a, error('late')) AS a FROM range(1000000) t(a)",
            "--output",
            str(tmp_path / "c.csv"),
        )
        agent.terminate()
        agent.wait()
        stopped = home.command(
            "query", ASKED, "--format", "ndjson", "--output", str(tmp_path / "d")
        )

        assert (running.returncode, stopped.returncode) == (0, 0), running.stderr + stopped.stderr
        assert pq.read_table(tmp_path / "a.parquet").num_rows == 50_000
        assert len((tmp_path / "d").read_bytes().splitlines()) == 50_000
        assert "no table 'nothing'" in told.stderr
        assert "broke off" in cut.stderr
        assert {"a.parquet", "d"} == {p.name for p in tmp_path.iterdir() if p.is_file()}

    def test_is_bound_by_the_rows_of_the_scope(self, home):
        config = '[http]\nlisten = "127.0.0.1:0"\n[store]\nmost_rows = { read = 5, admin = 7 }\n'
        (home.state / "qmon.toml").write_text(config)
        home.start()
        asked = home.ask("query", "FROM range(20)", "--limit", "10")
        home.command("query", "FROM range(20)", "--output", str(home.directory / "a.csv"))

        assert len(asked["rows"]) == 7
        assert len((home.directory / "a.csv").read_text().splitlines()) == 8
