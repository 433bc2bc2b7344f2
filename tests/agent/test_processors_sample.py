"""Sampling: by chance alike everywhere, or by what is in a trace; and what is counted before."""

import tracemalloc

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.ingest.sampling.consistent import threshold_of, with_threshold
from qmon_sdk.protocol.signals import Error, Span

LOW, HIGH = 1, (1 << 56) - 1  # traces that no rate keeps, and that every rate keeps
QUIET = {"rare_s": 0, "floor_per_minute": 0}


@pytest.fixture
def head(sifting):
    return lambda **options: sifting.Sieve("sample", **options)


@pytest.fixture
def tail(sifting):
    return lambda **options: sifting.Sieve("sample", mode="tail", **{**QUIET, "rate": 0, **options})


@pytest.fixture
def a_trace(sifting):
    return sifting.a_trace


class TestHead:
    def test_says_how_many_a_span_stands_for(self, head, a_trace):
        sieve = head(rate=0.25)
        sieve.put(*a_trace(LOW), *a_trace(HIGH, name="x"))

        (kept,) = sieve.kept
        assert "4" == kept.attributes["qmon.sampling.weight"]
        assert "ot=th:c" == kept.attributes["otel.trace_state"]
        assert 1 == sieve.dropped

    def test_adds_nothing_to_a_weight_that_is_larger_already(self, head, a_trace):
        state = with_threshold("", threshold_of(0.01))
        sieve = head(rate=0.5)
        sieve.put(*a_trace(HIGH, attributes={"otel.trace_state": state}))

        assert "100" == sieve.kept[0].attributes["qmon.sampling.weight"]
        assert state == sieve.kept[0].attributes["otel.trace_state"]

    def test_goes_by_the_randomness_that_a_trace_brings(self, head, a_trace):
        sieve = head(rate=0.5)
        sieve.put(*a_trace(LOW, attributes={"otel.trace_state": "x=1,ot=rv:ffffffffffffff"}))

        state = sieve.kept[0].attributes["otel.trace_state"]
        assert "ot=rv:ffffffffffffff;th:8,x=1" == state

    def test_has_a_rate_of_its_own_for_what_fits(self, head, a_trace):
        sieve = head(rates=[{"match": {"name": "GET /health"}, "rate": 0.0}])
        sieve.put(*a_trace(HIGH, name="GET /health"), *a_trace(LOW, name="GET /pay"))

        assert ["GET /pay"] == [span.name for span in sieve.kept]

    def test_lets_errors_pass_as_they_are(self, head):
        error = Error(trace_id="1")

        assert error is head(rate=0.0).put(error)[0].signals[0]

    @pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
    def test_refuses_a_share_that_is_none(self, head, rate):
        with pytest.raises(ConfigError, match=r"processors\.sample\.rate"):
            head(rate=rate)


class TestTail:
    def test_decides_when_the_root_is_there_and_a_moment_is_over(self, tail, a_trace):
        sieve = tail(rate=1.0, grace_s=5)
        sieve.put(*a_trace(HIGH, 3))

        assert not sieve.wait(4)
        assert 3 == sieve.wait(2)[0].rows

    def test_waits_no_longer_than_it_was_told_for_a_root(self, tail, a_trace):
        sieve = tail(rate=1.0, wait_s=30)
        sieve.put(*a_trace(HIGH, 3)[:2])

        assert not sieve.wait(29)
        assert 1 == sieve.processor.holds
        assert 2 == sieve.wait(2)[0].rows
        assert sieve.processor.holds is None

    @pytest.mark.parametrize(
        "failed",
        [
            {"status": "error"},
            {"attributes": {"http.response.status_code": "503"}},
        ],
    )
    def test_keeps_what_failed_at_once_and_what_comes_behind(self, tail, a_trace, failed):
        sieve = tail()
        early, root = a_trace(LOW, 2, **failed)
        sieve.put(root)
        sieve.put(early)

        assert [root.span_id, early.span_id] == [span.span_id for span in sieve.kept]
        assert {"error"} == {each.attributes["qmon.sampling.reason"] for each in sieve.kept}

    @pytest.mark.parametrize("error_first", [True, False])
    def test_keeps_a_trace_that_an_error_tells_of(self, tail, a_trace, error_first):
        sieve = tail()
        lots = [[Error(trace_id=f"{LOW:032x}")], a_trace(LOW, 2)]
        for signals in lots if error_first else lots[::-1]:
            sieve.put(*signals)

        assert 3 == len(sieve.kept)

    def test_keeps_none_for_a_message_that_was_captured(self, tail, a_trace):
        sieve = tail()
        sieve.put(Error(trace_id=f"{LOW:032x}", level="info"))
        sieve.put(*a_trace(LOW))
        sieve.wait(10)

        assert 1 == sieve.dropped

    def test_says_weights_that_add_up_to_what_came(self, tail, a_trace):
        sieve = tail(rate=0.2, floor_per_minute=100)
        for number in range(1, 2_001):
            status = "error" if number % 50 == 0 else "ok"
            sieve.put(*a_trace(number * 0x9E3779B97F4A7C15 % (1 << 64), status=status))
        sieve.wait(10)

        weights = [float(s.attributes.get("qmon.sampling.weight", 1)) for s in sieve.kept]
        assert 2_000 == pytest.approx(sum(weights), rel=0.05)
        assert 600 > len(weights)

    def test_keeps_what_is_slower_than_a_bound(self, tail, a_trace):
        sieve = tail(slow_s=2.0)
        sieve.put(*a_trace(LOW, duration_ns=2_000_000_000), *a_trace(LOW + 1))
        sieve.wait(10)

        assert ["slow"] == [span.attributes["qmon.sampling.reason"] for span in sieve.kept]

    def test_keeps_what_is_slow_for_its_route(self, tail, a_trace):
        sieve = tail()
        for number in range(200):
            sieve.put(*a_trace(LOW + number, duration_ns=1_000_000 + 1_000 * (number * 37 % 100)))
        sieve.put(*a_trace(1_000, duration_ns=9_000_000))
        sieve.put(*a_trace(1_001, duration_ns=9_000_000, name="GET /slow"))
        sieve.wait(10)

        assert [f"{1_000:032x}"] == [span.trace_id for span in sieve.kept]

    def test_keeps_what_is_rarely_seen_but_no_flood_of_it(self, tail, a_trace):
        sieve = tail(rare_s=300)
        for number in range(100):
            sieve.put(*a_trace(LOW + number), *a_trace(1_000 + number, name=f"GET /{number}"))
        sieve.wait(10)

        assert "GET /" == sieve.kept[0].name
        assert 5 == len(sieve.kept)

    def test_keeps_so_many_of_each_route_in_a_minute(self, tail, a_trace):
        sieve = tail(floor_per_minute=3)
        for number in range(20):
            sieve.put(*a_trace(LOW + number), *a_trace(100 + number, name="GET /b"))
        sieve.wait(10)

        assert 6 == len(sieve.kept)
        assert {"floor"} == {each.attributes["qmon.sampling.reason"] for each in sieve.kept}

    def test_asks_the_rate_of_the_first_span(self, tail, a_trace):
        sieve = tail(rates=[{"match": {"name": "GET /pay"}, "rate": 1.0}])
        sieve.put(*a_trace(LOW, 3, name="GET /pay"), *a_trace(LOW + 1, 3))
        sieve.wait(10)

        assert (3, 3) == (len(sieve.kept), sieve.dropped)

    def test_sends_late_spans_the_way_of_their_trace(self, tail, a_trace):
        sieve = tail(rate=0.5)
        for number in (LOW, HIGH):
            *_, late, root = a_trace(number, 3)
            sieve.put(root)
            sieve.wait(10)
            sieve.put(late)

        assert [f"{HIGH:032x}"] * 2 == [span.trace_id for span in sieve.kept]
        assert 2 == sieve.dropped

    def test_keeps_a_late_error_of_a_trace_that_is_gone(self, tail, a_trace):
        sieve = tail()
        sieve.put(*a_trace(LOW))
        sieve.wait(10)
        sieve.put(a_trace(LOW, 2)[0].replace(status="error"))

        assert ["step 1"] == [span.name for span in sieve.kept]

    def test_decides_early_for_want_of_room(self, tail, a_trace):
        sieve = tail(rate=1.0, max_bytes=20_000)
        for number in range(100):
            sieve.put(*a_trace(LOW + number, attributes={"text": "x" * 1_000}))

        assert sieve.processor.size <= 20_000
        assert sieve.processor.early > 80

    def test_takes_no_more_memory_than_it_says(self, tail, a_trace):
        sieve = tail(rate=1.0, max_bytes=4 << 20)
        tracemalloc.start()
        for number in range(4_000):
            sieve.put(*a_trace(LOW + number, 2, attributes={"text": f"{number}" + "x" * 500}))
            sieve.lots.clear()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert sieve.processor.early
        assert taken < 2 * (4 << 20) + (8 << 20)  # and 50,000 verdicts

    def test_names_all_the_same_when_a_record_is_read_again(self, tail, a_trace):
        first, second = tail(rate=0.5), tail(rate=0.5)
        for sieve in (first, second):
            sieve.put(*a_trace(LOW, 2), *a_trace(HIGH, 2), *a_trace(HIGH - 1, 2)[:1])
        first.wait(10)
        first.end()
        second.end()

        assert sorted(each.name for each in first.lots) == sorted(each.name for each in second.lots)

    def test_lets_spans_without_a_trace_pass(self, tail):
        assert 1 == tail().put(Span(name="x"))[0].rows


class TestMetrics:
    def told(self, sieve, span):
        sieve.put(span)
        sieve.wait(20)
        return sieve.made

    @pytest.mark.parametrize(
        ("span", "metric", "attributes"),
        [
            (
                Span(
                    kind="server",
                    attributes={
                        "http.request.method": "GET",
                        "http.route": "/a",
                        "http.response.status_code": "503",
                    },
                ),
                "http.server.request.duration",
                {
                    "http.request.method": "GET",
                    "http.route": "/a",
                    "http.response.status_code": "503",
                    "error.type": "503",
                },
            ),
            (
                Span(
                    kind="client",
                    status="error",
                    attributes={"db.system.name": "mysql", "db.query.text": "select"},
                ),
                "db.client.operation.duration",
                {"db.system.name": "mysql", "error.type": "_OTHER"},
            ),
            (
                Span(kind="consumer", attributes={"messaging.system": "kafka"}),
                "messaging.process.duration",
                {"messaging.system": "kafka"},
            ),
            (
                Span(name="nightly", status="error", attributes={"error.type": "OSError"}),
                "traces.span.metrics.duration",
                {"span.name": "nightly", "span.kind": "internal", "error.type": "OSError"},
            ),
        ],
    )
    def test_have_the_names_of_opentelemetry(self, head, span, metric, attributes):
        (point,) = self.told(head(rate=0.0), span.replace(trace_id="1", duration_ns=1_500_000_000))

        assert (metric, "s", 1.5, 1) == (point.metric, point.unit, point.value, point.count)
        assert {**attributes, "otel.scope.name": "qmon.sampling"} == point.attributes

    @pytest.mark.parametrize(
        ("events", "status", "error"),
        [
            ('[{"attributes": {"exception.type": "OSError"}}]', "200", "OSError"),
            ('[{"attributes": {"exception.type": "A"}}, {"name": "b"}]', "", "A"),
            ('[{"attributes": {"exception.type": "OSError"}}]', "500", "500"),
            ("", "200", "_OTHER"),
            ("", "404", "404"),
            ("no JSON", "200", "_OTHER"),
            ('[{"attributes": 7}]', "200", "_OTHER"),
            ("[" * 5000, "200", "_OTHER"),
        ],
    )
    def test_name_the_error_of_a_span_that_failed(self, head, events, status, error):
        known = {"http.request.method": "GET", "http.response.status_code": status}
        span = Span(kind="server", status="error", trace_id="1", attributes=known, events=events)

        (point,) = self.told(head(rate=0.0), span)

        assert error == point.attributes["error.type"]

    def test_say_nothing_of_what_happens_inside(self, head):
        assert not self.told(head(), Span(trace_id="1", parent_id="2"))

    def test_count_what_an_sdk_has_left_out(self, head):
        state = {"otel.trace_state": with_threshold("", threshold_of(0.1))}
        (point,) = self.told(head(), Span(trace_id="f" * 32, attributes=state))

        assert 10 == point.count

    def test_do_not_count_again_what_was_sampled_here_before(self, head, a_trace):
        first, second = head(), head()
        first.put(*a_trace(HIGH))
        second.put(*first.kept)

        assert not [each for each in second.wait(20) if each.kind == "point"]

    def test_are_said_by_the_agent(self, head, a_trace):
        sieve = head()
        sieve.put(*a_trace(HIGH))

        assert {"agent"} == {lot.resource.sdk for lot in sieve.wait(20)}

    def test_are_held_until_they_are_told(self, head, a_trace):
        sieve = head(metrics_every_s=10)
        sieve.put(*a_trace(HIGH))

        assert 1 == sieve.processor.holds
        sieve.wait(20)
        assert sieve.processor.holds is None

    def test_go_into_an_overflow_beyond_the_series_there_may_be(self, head, a_trace):
        sieve = head(metrics_max_series=3)
        for number in range(10):
            sieve.put(*a_trace(number + 1, name=f"GET /{number}"))
        sieve.wait(20)

        overflow = [each for each in sieve.made if "otel.metric.overflow" in each.attributes]
        assert (4, [7]) == (len(sieve.made), [point.count for point in overflow])

    def test_are_one_series_for_all_processes_of_a_service(self, head, a_trace):
        sieve = head()
        sieve.put(*a_trace(LOW), pid=1)
        sieve.put(*a_trace(HIGH), pid=2)
        sieve.wait(20)

        assert [2] == [point.count for point in sieve.made]
