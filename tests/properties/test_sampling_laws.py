"""Laws of what is left out: alike everywhere, with weights that add up, and nothing lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace._sampling_experimental import (
    composable_traceid_ratio_based,
    composite_sampler,
)

from qmon_agent.ingest.sampling.allowance import Allowance
from qmon_agent.ingest.sampling.consistent import (
    rate_of,
    threshold_in,
    threshold_of,
    weight_of,
    with_threshold,
)
from qmon_agent.ingest.sampling.marks import REASON, WEIGHT
from qmon_sdk.protocol.buckets import bucket_of
from qmon_sdk.protocol.signals import Error, Log, Point
from qmon_sdk.sampling import Sampler

SECOND = 1_000_000_000
RATES = st.floats(0.0, 1.0, allow_nan=False)
LIKELY_IDS = st.integers(1, (1 << 128) - 1) | st.integers((1 << 56) - (1 << 30), (1 << 56) - 1)
"""Ids of traces, many of them such as are kept at a low rate."""
STATES = st.text("abc=:;,ot.1 rvth", max_size=60)
IDS = st.lists(st.integers(1, (1 << 128) - 1), min_size=1, max_size=40, unique=True)
TRACES = st.lists(
    st.fixed_dictionaries(
        {
            "spans": st.integers(1, 4),
            "status": st.sampled_from(["unset", "unset", "unset", "error"]),
            "name": st.sampled_from(["GET /a", "GET /b", "POST /c"]),
            "duration_ns": st.integers(0, 10 * SECOND),
            "halves": st.booleans(),
            "gap": st.sampled_from([0, 0, 1, 7, 40]),
        }
    ),
    max_size=30,
)
TAIL = {"mode": "tail", "rate": 0.3, "rare_s": 0, "floor_per_minute": 2}


@pytest.fixture(scope="module")
def fed(sifting):
    """A sieve through which these traces have gone, some in two records, and what came of them."""

    def feed(traces, **options):
        sieve = sifting.Sieve("sample", **options)
        for number, trace in enumerate(traces, 1):
            told = dict(trace)
            halves, gap = told.pop("halves"), told.pop("gap")
            spans = sifting.a_trace(number * 0x9E3779B97F4A7C15 % (1 << 64), **told)
            cut = len(spans) // 2 if halves else 0
            for part in filter(None, (spans[:cut], spans[cut:])):
                sieve.put(*part)
                sieve.wait(gap)
        return sieve

    return feed


class TestConsistentProbability:
    @given(IDS, RATES, RATES)
    def test_keeps_at_a_rate_what_it_keeps_at_every_lower_one(self, sifting, ids, one, other):
        kept = []
        for rate in sorted((one, other)):
            sieve = sifting.Sieve("sample", rate=rate, metrics=False)
            sieve.put(*(sifting.a_trace(each)[0] for each in ids))
            kept.append({span.trace_id for span in sieve.kept})

        assert kept[0] <= kept[1]

    @given(IDS, RATES)
    def test_keeps_nothing_else_when_it_is_asked_twice(self, sifting, ids, rate):
        first, second = (sifting.Sieve("sample", rate=rate) for _ in range(2))
        first.put(*(sifting.a_trace(each)[0] for each in ids))
        if first.kept:
            second.put(*first.kept)

        assert first.kept == second.kept

    @given(LIKELY_IDS, RATES)
    def test_decides_as_our_sdk_does(self, sifting, trace, rate):
        sieve = sifting.Sieve("sample", rate=rate)
        sieve.put(*sifting.a_trace(trace))

        assert Sampler(rate).keeps(trace & ((1 << 64) - 1), "x") == bool(sieve.kept)

    @given(LIKELY_IDS, st.floats(1e-9, 1.0))
    def test_decides_as_opentelemetrys_sdk_does(self, sifting, trace, rate):
        theirs = composite_sampler(composable_traceid_ratio_based(rate))
        told = theirs.should_sample(None, trace, "x")
        sieve = sifting.Sieve("sample", rate=rate)
        sieve.put(*sifting.a_trace(trace))

        states = [span.attributes.get("otel.trace_state", "ot=th:0") for span in sieve.kept]
        assert ([told.trace_state.to_header()] if told.decision.is_sampled() else []) == states

    @given(RATES, STATES)
    def test_writes_thresholds_that_it_reads(self, rate, state):
        threshold = min(threshold_of(rate), (1 << 56) - 1)

        assert threshold == threshold_in(with_threshold(state, threshold))
        assert 1.0 == pytest.approx(rate_of(threshold) * weight_of(threshold))

    @given(STATES)
    def test_reads_any_state(self, state):
        assert threshold_in(state) is None or 0 <= threshold_in(state) < 1 << 56


class TestTail:
    @given(TRACES)
    def test_lets_out_or_drops_or_holds_whatever_came(self, fed, traces):
        sieve = fed(traces, **TAIL)
        inside = sieve.processor.held

        assert sieve.came == len(sieve.kept) + sieve.dropped + inside
        sieve.end()
        assert (0, None) == (sieve.processor.held, sieve.processor.holds)
        assert sieve.came == len(sieve.kept) + sieve.dropped

    @given(TRACES)
    def test_keeps_every_error_and_traces_whole(self, fed, traces):
        sieve = fed([{**trace, "gap": 0} for trace in traces], **TAIL)
        sieve.end()

        kept = Counter(span.trace_id for span in sieve.kept)
        sizes = Counter(trace["spans"] for trace in traces if trace["status"] == "error")
        failed = {span.trace_id for span in sieve.kept if span.status == "error"}
        assert sum(sizes.values()) == len(failed)
        assert sizes == Counter(kept[trace_id] for trace_id in failed)

    @given(TRACES)
    def test_keeps_the_floor_of_each_route(self, fed, traces):
        sieve = fed([{**trace, "gap": 0} for trace in traces], **{**TAIL, "rate": 0.0})
        sieve.end()

        came = Counter(trace["name"] for trace in traces)
        kept = Counter(span.name for span in sieve.kept if not span.parent_id)
        assert all(kept[name] >= min(2, number) for name, number in came.items())

    @given(TRACES)
    def test_never_holds_more_than_a_bound_and_forgets_nothing_by_it(self, fed, traces):
        sieve = fed(traces, **{**TAIL, "max_bytes": 4_000})

        assert sieve.processor.size <= 4_000
        sieve.end()
        assert sieve.came == len(sieve.kept) + sieve.dropped

    @given(TRACES)
    def test_gives_each_name_once(self, fed, traces):
        sieve = fed(traces, **TAIL)
        sieve.end()

        names = [(lot.origin.record_id, lot.name) for lot in sieve.lots]
        assert len(names) == len(set(names))
        assert all(lot.name for lot in sieve.lots)

    @given(TRACES)
    def test_says_why_of_all_it_keeps(self, fed, traces):
        sieve = fed(traces, **TAIL)
        sieve.end()

        reasons = {span.attributes[REASON] for span in sieve.kept}
        assert {"error", "slow", "floor", "probability"} >= reasons
        assert all(
            WEIGHT in span.attributes
            for span in sieve.kept
            if span.attributes[REASON] == "probability"
        )


class TestRequestsErrorsAndDurations:
    @given(TRACES, st.sampled_from(["head", "tail"]), RATES)
    def test_are_those_of_all_spans_whatever_is_left_out(self, fed, traces, mode, rate):
        sieve = fed(traces, mode=mode, rate=rate)
        sieve.end()

        entries = Counter((trace["name"], trace["status"] == "error") for trace in traces)
        told = Counter()
        buckets = Counter()
        for point in sieve.made:
            told[point.attributes["span.name"], "error.type" in point.attributes] += point.count
            buckets.update(point.buckets)
        assert entries == told
        assert buckets == Counter(bucket_of(trace["duration_ns"] / 1e9) for trace in traces)


class TestAllowances:
    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3 * SECOND)), max_size=60))
    def test_of_one_key_are_the_same_whatever_the_others_do(self, asked):
        shared, alone = (Allowance(1.0, 2.0) for _ in range(2))
        now, given_here, given_there = 0, [], []
        for key, passed in asked:
            now += passed
            given_here.append(shared.takes(key, now) if key == "a" else shared.takes(key, now) * 0)
            given_there.append(alone.takes(key, now) if key == "a" else 0)

        assert given_there == given_here

    @given(st.lists(st.integers(-SECOND, SECOND), max_size=60), st.integers(1, 5))
    def test_never_give_more_than_burst_and_rate(self, steps, burst):
        allowance = Allowance(2.0, burst)
        moments = [sum(steps[:n]) for n in range(len(steps) + 1)]

        given_so_far = sum(allowance.takes("x", now) for now in moments)

        passed = max(moments) - moments[0]
        assert given_so_far <= burst + 2.0 * passed / SECOND + 1e-6


class TestRepeats:
    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 40)), max_size=50))
    def test_are_counted_to_the_last_one(self, sifting, said):
        sieve = sifting.Sieve("deduplicate", within_s=60, max_keys=3)
        for body, gap in said:
            sieve.put(Log(body=body))
            sieve.wait(gap)
        sieve.end()

        repeated = sum(int(each.attributes["qmon.repeated"]) for each in sieve.made)
        assert len(said) == len(sieve.kept) + repeated
        assert sieve.dropped == repeated

    @given(st.lists(st.sampled_from("abcd"), max_size=30))
    def test_let_each_content_pass_once(self, sifting, said):
        sieve = sifting.Sieve("deduplicate")
        for text in said:
            sieve.put(Error(type=text, message="no"))

        assert [*dict.fromkeys(said)] == [each.type for each in sieve.kept]


class TestFolding:
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b"]),
                st.sampled_from(["counter", "distribution"]),
                st.integers(-50, 50),
                st.integers(0, 9),
            ),
            max_size=40,
        )
    )
    def test_of_parts_is_the_sum_of_the_whole(self, sifting, points):
        sieve = sifting.Sieve("aggregate", max_series=3)
        for metric, kind, value, gap in points:
            buckets = {bucket_of(value): 1} if kind == "distribution" else {}
            sieve.put(Point(metric=metric, kind=kind, value=value, buckets=buckets))
            sieve.wait(gap)
        sieve.end()

        told, sums = Counter(), Counter()
        for metric, kind, value, _ in points:
            sums[metric, kind] += value
        for point in (*sieve.kept, *sieve.made):
            told[point.metric, point.kind] += point.value
        assert {key: told[key] for key in sums} == dict(sums)
        assert len(points) == sum(point.count for point in (*sieve.kept, *sieve.made))
