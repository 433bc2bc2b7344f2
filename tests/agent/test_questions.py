"""Each question is answered as plain Python answers it, by DuckDB and, where it is, by chdb.

`nox -s clickhouse` brings chdb; without it only the texts for ClickHouse are compared (golden).
"""

import importlib.util
import json
import random
from collections import defaultdict
from datetime import datetime

import msgspec
import pytest

from qmon_agent.domain.clock import SystemClock
from qmon_agent.domain.errors import QueryError, UnknownQuestionError
from qmon_agent.journal import Journal, JournalOptions
from qmon_agent.store.telemetry import TelemetryOptions
from qmon_agent.store.telemetry.asked import Manner, all_questions, ask_for, manner_of
from qmon_agent.store.telemetry.engine import Question, open_engine
from qmon_agent.store.telemetry.engines.clickhouse import ddl, folding
from qmon_agent.store.telemetry.engines.clickhouse.ddl import Layout
from qmon_agent.store.telemetry.following import Follower
from qmon_agent.store.telemetry.layouts import ROWS
from qmon_agent.store.telemetry.questions import QUESTIONS
from qmon_agent.store.telemetry.schema import BY_NAME
from qmon_agent.store.telemetry.statements import statement
from qmon_agent.store.telemetry.watch import Watch
from qmon_sdk.protocol.buckets import bucket_of, quantile
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Error, Log, Point, Span, kind_of, table_of

ENGINES = ("duckdb", *(["clickhouse"] if importlib.util.find_spec("chdb") else ()))
NS = 10**9
BEGIN = 1_795_000_000 * NS
NOW = BEGIN + 7_200 * NS
SERVICES = ("shop", "till's")
SECTIONS = 300


def drawn(draw):
    """Signals of two hours, each at a time of its own, by (service, host)."""
    times = iter(draw.sample(range(BEGIN, NOW, 1_000_003), SECTIONS * 4))
    said = defaultdict(list)
    for _ in range(SECTIONS):
        for make in (drawn_span, drawn_error, drawn_point, drawn_log):
            speaker = draw.choice(SERVICES), draw.choice(("a", "b"))
            said[speaker].append(make(draw, next(times)))
    return said


def drawn_span(draw, time):
    return Span(
        time=time,
        trace_id=draw.choice(("ab" * 16, "cd" * 16)),
        span_id=f"{draw.getrandbits(64):016x}",
        name=draw.choice(("GET /", "POST /buy", "it's \\ here")),
        kind=draw.choice(("server", "internal")),
        status=draw.choice(("ok", "error", "unset")),
        duration_ns=int(draw.lognormvariate(16, 2)) * draw.choice((0, 1, 1, 1)),
    )


def drawn_error(draw, time):
    group = draw.choice("abcdefg")
    said = {"time": time, "type": f"{group}Error", "user_id": draw.choice(("", "x", "y"))}
    if group in "ab":
        return Error(issue_id=group, grouping="another", **said)
    return Error(grouping=group, **said) if group in "cde" else Error(culprit="here", **said)


def group_of(error):
    return error.issue_id or error.grouping or f"{error.type}@{error.culprit}"


def drawn_point(draw, time):
    kind = draw.choice(("gauge", "counter", "distribution"))
    more = {"count": 4, "minimum": -2.5, "maximum": 9.5} if kind == "distribution" else {}
    attributes = draw.choice(({}, {"disk": "sda"}, {"disk": "it's"}))
    metric, value = draw.choice(("load", "free")), draw.uniform(-5, 5)
    return Point(time=time, metric=metric, kind=kind, value=value, attributes=attributes, **more)


def drawn_log(draw, time):
    body = draw.choice(("It's Ünder way", "it's under way", "Paid 100%", "a\\b"))
    return Log(time=time, level=draw.choice(("info", "error")), body=body)


class DuckStore:
    """The embedded store, filled by way of the journal, half of it in segments."""

    dialect = "duckdb"

    def __init__(self, directory, said):
        options = TelemetryOptions(
            directory=str(directory / "store"), journal=str(directory / "journal")
        )
        self.engine = open_engine(options)
        journal = Journal.open(directory / "journal", options=JournalOptions(), clock=SystemClock())
        follower = Follower(directory / "journal", self.engine, bury=lambda *_: None)
        for number, ((service, host), signals) in enumerate(said.items(), start=1):
            resource = Resource(service=service, host=host)
            blocks = tuple(blocks_of(signals))
            frame = Frame(process=bytes(16), sequence=number, resource=resource, blocks=blocks)
            journal.append(encode_frame(frame), process=bytes(16), sequence=number)
            follower.follow(journal.commit(), max_bytes=1 << 20)
            if number == 2:
                self.engine.tend(now=NOW, everything=True)
        follower.close()
        journal.close()

    def rows(self, sql, within=None):
        question = Question(sql=sql, limit=100_000, timeout_s=30.0, within=within, as_json=ROWS)
        return self.engine.ask(question, Watch()).records()

    def close(self):
        self.engine.close()


class ChdbStore:
    """ClickHouse's engine in this process, with tables made of the signals."""

    dialect = "clickhouse"

    def __init__(self, directory, said):
        from chdb.session import Session

        self.session = Session(str(directory / "chdb"))
        layout = Layout(database="asked")
        for each in (*ddl.statements(layout), *folding.statements(layout)):
            self.session.query(each)
        self.session.query("USE asked")
        for speaker, signals in said.items():
            self._insert(speaker, signals)

    def _insert(self, speaker, signals):
        by_table = defaultdict(list)
        for signal in signals:
            table = BY_NAME[table_of(kind_of(signal))]
            row = {"service": speaker[0], "host": speaker[1]}
            own = {
                c.name: getattr(signal, c.name) for c in table.columns if hasattr(signal, c.name)
            }
            seconds, nanos = divmod(signal.time, NS)
            by_table[table.name].append({**row, **own, "time": f"{seconds}.{nanos:09}"})
        for name, rows in by_table.items():
            lines = "\n".join(json.dumps(row) for row in rows)
            self.session.query(f"INSERT INTO {name} FORMAT JSONEachRow {lines}")

    def rows(self, sql, within=None):
        answer = self.session.query(sql, "JSONEachRow")
        return [json.loads(line) for line in str(answer).splitlines() if line]

    def close(self):
        self.session.close()


@pytest.fixture(scope="module", params=ENGINES)
def store(request, tmp_path_factory):
    made = {"duckdb": DuckStore, "clickhouse": ChdbStore}[request.param]
    directory = tmp_path_factory.mktemp("asked")
    store = made(directory, drawn(random.Random(6)))
    yield store
    store.close()


@pytest.fixture(scope="module")
def said():
    """(service, host, signal), of every signal."""
    known = drawn(random.Random(6))
    return [(*speaker, signal) for speaker, signals in known.items() for signal in signals]


def ask(store, name, **parameters):
    asked = ask_for(name, parameters, now=NOW, dialect=store.dialect)
    rows = store.rows(asked.sql, asked.definition.within())
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _plain(value):
    """Moments as nanoseconds, whoever wrote them."""
    if not isinstance(value, str) or not value.startswith("2026-11-"):
        return value
    head, _, fraction = value.rstrip("Z").replace("T", " ").partition(".")
    at = datetime.fromisoformat(f"{head}+00:00")
    return int(at.timestamp()) * NS + int(fraction.ljust(9, "0") or 0)


def spans_of(said, *, since, kind="server"):
    return [
        (service, each)
        for service, _, each in said
        if isinstance(each, Span) and since <= each.time < NOW and each.kind == kind
    ]


def grouped(pairs, step):
    found = defaultdict(list)
    for service, span in pairs:
        found[span.time // step * step, service, span.name].append(span)
    return sorted(found.items())


def interpolated(values, q):
    values, place = sorted(values), q * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


class TestLatencyByRoute:
    @pytest.mark.parametrize(("since", "step"), [("1h", 60), ("119m", 600), ("7m", 7)])
    def test_is_exact_within_a_day(self, store, said, since, step):
        begin = NOW - int(since[:-1]) * (3_600 if since.endswith("h") else 60) * NS
        begin -= begin % (step * NS)  # a stretch is whole or not there
        expected = [
            {"start": at, "service": service, "route": route, "requests": len(spans)}
            | {
                f"p{round(q * 100)}_ms": pytest.approx(
                    interpolated([each.duration_ns / 1e6 for each in spans], q)
                )
                for q in (0.5, 0.95, 0.99)
            }
            for (at, service, route), spans in grouped(spans_of(said, since=begin), step * NS)
        ]

        assert expected == ask(store, "latency_by_route", since=since, step=f"{step}s")

    def test_counts_in_the_buckets_of_the_wire_over_a_longer_time(self, store, said):
        rows = ask(store, "latency_by_route", since="3d", step="10m")
        expected = []
        for (at, service, route), spans in grouped(spans_of(said, since=0), 600 * NS):
            buckets = defaultdict(int)
            for each in spans:
                buckets[bucket_of(each.duration_ns)] += 1
            told = [quantile(buckets, q) / 1e6 for q in (0.5, 0.95, 0.99)]
            expected.append([at, service, route, len(spans), *map(pytest.approx, told)])

        assert expected == [list(row.values()) for row in rows]


class TestRequestsByRoute:
    def test_counts_those_that_failed(self, store, said):
        rows = ask(store, "requests_by_route", since="1h", step="5m", service="till's")
        expected = []
        kept = [
            one
            for one in spans_of(said, since=(NOW - 3_600 * NS) // (300 * NS) * 300 * NS)
            if one[0] == "till's"
        ]
        for (at, service, route), spans in grouped(kept, 300 * NS):
            errors = sum(each.status == "error" for each in spans)
            mean = sum(each.duration_ns for each in spans) / len(spans) / 1e6
            told = (at, service, route, len(spans), errors)
            expected.append([*told, *map(pytest.approx, (errors / len(spans), mean))])

        assert expected == [list(row.values()) for row in rows]


class TestErrorGroups:
    def test_are_the_largest_each_with_its_trend(self, store, said):
        groups = defaultdict(list)
        for service, _, each in said:
            if isinstance(each, Error):
                groups[service, group_of(each)].append(each)
        largest = sorted(groups.items(), key=lambda one: (-len(one[1]), one[0][1], one[0][0]))[:5]
        expected = []
        for (service, group), errors in largest:
            trend = defaultdict(int)
            for each in errors:
                trend[each.time // (1_800 * NS) * 1_800 * NS] += 1
            times, users = [each.time for each in errors], {e.user_id for e in errors} - {""}
            told = (service, group, errors[0].type, errors[0].culprit, len(errors), len(users))
            expected += [[*told, min(times), max(times), *one] for one in sorted(trend.items())]

        rows = ask(store, "error_groups", top="5", step="30m")

        assert expected == [list(row.values()) for row in rows]


class TestTrace:
    @pytest.mark.parametrize("near", [{}, {"near": "2026-11-18T12:00:00Z", "around": "17m"}])
    def test_is_what_happened_in_order(self, store, said, near):
        middle = _plain(near.get("near", "2026-11-18T12:00:00Z"))
        around = 17 * 60 * NS if near else NOW
        expected = sorted(
            (each.time, service, each.name, each.duration_ns / 1e6, each.span_id)
            for service, _, each in said
            if isinstance(each, Span) and each.trace_id == "ab" * 16
            if abs(each.time - middle) <= around
        )
        rows = ask(store, "trace", trace_id="ab" * 16, **near)
        names = ("time", "service", "name", "duration_ms", "span_id")

        assert expected
        assert expected == [tuple(row[name] for name in names) for row in rows]


class TestMetricSeries:
    @pytest.mark.parametrize("label", ["", "disk"])
    def test_has_sums_bounds_and_a_level(self, store, said, label):
        groups = defaultdict(list)
        for service, host, each in said:
            if isinstance(each, Point) and each.metric == "load":
                start, value = each.time // (900 * NS) * 900 * NS, each.attributes.get(label, "")
                groups[start, service, host, value, each.kind, each.unit].append(each)
        expected = [[*key, *figures(points)] for key, points in sorted(groups.items())]

        rows = ask(store, "metric_series", metric="load", label=label, since="3h", step="15m")

        assert expected == [list(row.values()) for row in rows]


def figures(points):
    """Samples, total, lowest, highest, latest, level."""
    samples, total = sum(each.count for each in points), sum(each.value for each in points)
    latest = max(points, key=lambda each: each.time).value
    kind = points[0].kind
    ends = [each.value for each in points]
    lowest, highest = (-2.5, 9.5) if kind == "distribution" else (min(ends), max(ends))
    level = {"gauge": latest, "counter": total, "distribution": total / samples}[kind]
    return [samples, *map(pytest.approx, (total, lowest, highest, latest, level))]


class TestSlowestSpans:
    def test_are_those_that_took_longest(self, store, said):
        spans = [
            (-each.duration_ns, each.time, each.span_id)
            for _, _, each in said
            if isinstance(each, Span) and each.duration_ns >= 4_000_000
        ]
        rows = ask(store, "slowest_spans", since="3h", at_least_ms="4", top="1000")

        assert [(key[1], key[2]) for key in sorted(spans)] == [
            (row["time"], row["span_id"]) for row in rows
        ]


class TestLogsSearch:
    @pytest.mark.parametrize("contains", ["", "it's Ü", "%", "a\\b", "_"])
    def test_finds_a_text_whatever_is_in_it(self, store, said, contains):
        expected = sorted(
            (
                each.time
                for _, _, each in said
                if isinstance(each, Log)
                and each.level == "error"
                and contains.lower() in each.body.lower()
            ),
            reverse=True,
        )
        rows = ask(store, "logs_search", contains=contains, level="Error", since="3h", top="999")

        assert expected == [row["time"] for row in rows]


class TestRollups:
    @pytest.mark.parametrize(
        ("name", "said", "tier"),
        [
            ("metric_series", {"metric": "load", "label": "disk", "step": "1m"}, "1m"),
            ("metric_series", {"metric": "free", "step": "1h"}, "1h"),
            ("metric_series", {"metric": "free", "step": "7s"}, "raw"),
            ("requests_by_route", {"step": "5m"}, "1m"),
            ("requests_by_route", {"step": "1d"}, "1d"),
            ("requests_by_route", {"since": "2026-11-18T10:00:01Z"}, "raw"),
            ("latency_by_route", {"since": "3d", "step": "2h"}, "1h"),
            ("latency_by_route", {"step": "1h"}, "raw"),
        ],
    )
    def test_are_asked_where_they_say_the_same(self, store, name, said, tier):
        asked = ask_for(name, said, now=NOW, dialect=store.dialect)
        told = store.rows(asked.sql)
        raw = store.rows(statement(name, asked.definition, dialect=store.dialect))

        assert asked.tier == tier
        assert told
        assert [[*map(pytest.approx, _numbers(row))] for row in raw] == [*map(_numbers, told)]
        assert [*map(_names, raw)] == [*map(_names, told)]


def _numbers(row):
    return [value for value in row.values() if not isinstance(value, str)]


def _names(row):
    return [value for value in row.values() if isinstance(value, str)]


class TestEveryQuestion:
    @pytest.mark.parametrize("name", QUESTIONS.names())
    def test_answers_with_the_units_it_promises(self, store, name):
        needed = {"trace": {"trace_id": "ab" * 16}, "metric_series": {"metric": "load"}}
        rows = ask(store, name, **needed.get(name, {}))
        kind = QUESTIONS.find(name)

        assert rows
        assert kind.units.keys() <= rows[0].keys()
        assert kind.series is None or {*kind.series.by, kind.series.of} <= rows[0].keys()

    @pytest.mark.parametrize("name", QUESTIONS.names())
    def test_says_what_each_parameter_is(self, name):
        (known,) = (each for each in all_questions() if each["name"] == name)

        assert known["about"].endswith((".", ";", ":"))
        assert all(each["about"].endswith(".") for each in known["parameters"])


class TestWrongParameters:
    @pytest.mark.parametrize(
        ("name", "said", "words"),
        [
            ("latency_by_route", {"since": "1x"}, "since: '1x' is no moment"),
            ("latency_by_route", {"step": "1ms"}, "step: has to be from 1s to 366d"),
            ("latency_by_route", {"since": "1m", "until": "2m"}, "since: has to be before"),
            ("latency_by_route", {"serwice": "x"}, "'serwice'; did you mean 'service'"),
            ("error_groups", {"top": "0"}, "top: has to be a whole number from 1 to 1000"),
            ("error_groups", {"top": "x"}, "top: has to be a whole number from 1 to 1000"),
            ("latency_by_route", {"kind": "serve"}, "kind: has to be the kind of spans that"),
            ("trace", {}, "trace_id: has to be said"),
            ("trace", {"trace_id": "AB"}, "trace_id: has to be its id: up to 64 digits"),
            ("latency_by_route", {"since": "7"}, "since: '7' has no unit (write 7s, 7m, 7h or 7d)"),
            ("latency_by_route", {"since": ""}, "since: it is empty"),
            ("latency_by_route", {"step": "60"}, "step: '60' has no unit"),
            (
                "slowest_spans",
                {"at_least_ms": "nan"},
                "at_least_ms: has to be a number from 0 to",
            ),
            ("slowest_spans", {"since": "2026-13-01T00:00"}, "since: "),
        ],
    )
    def test_are_named(self, name, said, words):
        with pytest.raises(QueryError) as refused:
            ask_for(name, said, now=NOW)

        assert words in str(refused.value)
        assert refused.value.field == (next(iter(said), "trace_id"))

    def test_of_the_manner_are_named(self):
        with pytest.raises(QueryError, match="limit: ") as refused:
            manner_of({"limit": "-1"})

        assert refused.value.field == "limit"

    def test_a_question_that_is_none_is_told_what_there_is(self):
        with pytest.raises(UnknownQuestionError) as refused:
            ask_for("trase", {}, now=NOW)

        assert str(refused.value).startswith(
            "no question named 'trase'; did you mean 'trace'? there are: error_groups, latency_by"
        )


@pytest.mark.parametrize("limit", [1, 2, 3, 5_000])
def test_rows_are_written_as_they_are_told(store, limit):
    if store.dialect != "duckdb":
        pytest.skip("only DuckDB's are written by the engine")
    sql = "SELECT sum(x)::HUGEINT AS n, NULL AS none, [x] AS xs FROM range(3) r(x) GROUP BY x"
    question = Question(sql=f"{sql} ORDER BY x", limit=limit, timeout_s=30.0)
    told = store.engine.ask(question, Watch())
    written = store.engine.ask(msgspec.structs.replace(question, as_json=ROWS), Watch())

    assert (told.records(), told.truncated) == (written.records(), written.truncated)
    assert limit < 3 or [0, 1, 2] == [row["n"] for row in written.records()]


@pytest.mark.parametrize("limit", [1, 7, 100_000])
@pytest.mark.parametrize("name", [n for n in QUESTIONS.names() if QUESTIONS.find(n).series])
def test_series_are_the_rows_laid_out(store, name, limit):
    if store.dialect != "duckdb":
        pytest.skip("only DuckDB's are written by the engine")
    said = {"metric": "load", "label": "disk"} if name == "metric_series" else {}
    manner = Manner(layout="series")
    asked = ask_for(name, {"since": "2h", **said}, now=NOW, manner=manner, dialect=store.dialect)
    question = Question(sql=asked.sql, limit=limit, timeout_s=30.0)
    rows = store.engine.ask(question, Watch())
    told = store.engine.ask(msgspec.structs.replace(question, as_json=asked.layout), Watch())

    assert asked.layout.of(rows.records()) == told.records()
    assert len(rows.rows) == sum(len(each["start"]) for each in told.records())
    assert rows.truncated == told.truncated
