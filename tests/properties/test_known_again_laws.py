"""Series known again by their bytes are those that reading all of the bytes finds."""

from __future__ import annotations

from math import inf, nan

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from qmon_agent.ingest.exposition_text import Family, Line, TextReader
from qmon_agent.ingest.recollection import Recollections
from qmon_agent.ingest.remote_messages import V1, V2, MessageError, message_class
from qmon_agent.ingest.remote_series import MessageReader, read_message

NAMES = ("__name__", "job", "")


def part(**told):
    """Some fields of a series, as bytes."""
    return message_class(V1, "TimeSeries")(**told).SerializeToString()


# Texts of a label that look like a sample at the end of a series.
TAILS = ("x", "\x12\x07\x10\u0800\x80\x01", "\x12\x10\t" + "\0" * 8 + "\x10\u0800\x80\x01")
TIMES = (1_764_000_000_000, 1_764_000_000_001, 0, 1, -1, 1 << 42, (1 << 42) - 1)
parts = st.sampled_from(
    [
        *(part(labels=[{"name": name, "value": text}]) for name in NAMES for text in TAILS),
        *(
            part(samples=[{"value": value, "timestamp": time}])
            for value in (0.0, -0.0, 1.5, 1e300, inf, -inf, nan)
            for time in TIMES
        ),
        part(samples=[{"value": 1, "timestamp": TIMES[0], "start_timestamp": TIMES[1]}]),
        part(exemplars=[{"value": 1}]),
        part(histograms=[{"sum": 1, "timestamp": TIMES[0]}]),
        b"\x7a\x10" + bytes(16),  # fields that nobody knows, as long as a sample
        b"\x7a\x10\x09" + bytes(8) + b"\x10" + b"\x80" * 5 + b"\x01",
    ]
)
named = part(labels=[{"name": "__name__", "value": "a"}])
series = st.lists(st.lists(parts, max_size=3).map(lambda more: named + b"".join(more)), max_size=6)


comments = st.sampled_from(
    (
        "# HELP a_total What.", "# TYPE a_total counter", "# TYPE a counter", "# TYPE b summary",
        "# TYPE h histogram", "# TYPE a_created summary", "# TYPE h gauge", "# a", "#", "# TYPE",
        "#HELP a b", '# HELP a "x', "# TYPE a nonsense", "# TYPE 'a counter", "# UNIT a x", "",
    )
)  # fmt: skip
heads = st.sampled_from(
    (
        'a_total{x="1"}', 'a{x="1 2"}', "a", " a", "a ", 'b{quantile="0.5"}', "b_sum", "b_count",
        'h_bucket{le="1"}', 'h_bucket{le="+Inf"}', "h_sum", "h_count", "a_created", "a 1", "a # 1",
        '{"a.b"}', '{"a.b",x="}"}', 'a{x="\\"}', 'a{x="\\" 1"}', 'a{x="1",x="2"}', 'a{__y="1"}',
        'a{x="1",}', 'a{,x="1"}', "a{}", 'a{x="{",y=","}', 'a{x = "1"}', 'a{x="1"', "1", "٣", '"',
        'a{_x="1"}', 'a {x="1"}', 'a{x="1"}{', 'a{x:y="1"}', 'a{__name__="b"}',
    )
)  # fmt: skip
values = st.sampled_from(
    ("1", "0.5", "NaN", "+Inf", "1_0", "1e400", "7" * 50, "1 2", "1\t2", " 3", "x", "3 # 7", "3\r",
     "", " ", "٣", "-1", '"', "}")
)  # fmt: skip
usual = st.tuples(st.sampled_from(("1", "2.5")), heads.map("{} ".format)).map(
    lambda pair: pair[1] + pair[0]
)
page_lines = st.one_of(comments, usual, st.tuples(heads, values).map(" ".join))
pages = st.lists(page_lines, max_size=6).map("\n".join)


def request(told):
    return b"".join(b"\x0a" + bytes((len(one) & 127 | 128, len(one) >> 7)) + one for one in told)


def shown(message):
    readings = [
        (at, told.labels, repr(value), start) for at, told, value, start in message.readings
    ]
    return readings, message.exemplars, message.problems


def family_of(one):
    samples = [
        (told[0].name, told[0].labels, repr(told[1]), "None")
        if isinstance(told[0], Line)
        else (told.name, told.labels, repr(float(told.value)), repr(told.timestamp))
        for told in one.samples
    ]
    kind = "unknown" if one.type == "untyped" else one.type
    # They cut a counter's name, which nobody looks at.
    cut = isinstance(one, Family) and kind == "counter"
    return one.name.removesuffix("_total") if cut else one.name, kind, one.unit, samples


def families_of(read, text):
    """What is read, or that nothing could be."""
    try:
        return [family_of(one) for one in read(text)]
    except Exception as problem:  # noqa: BLE001 - theirs
        return type(problem)


class TestMessages:
    @settings(max_examples=200)
    @given(series, series)
    def test_read_by_who_knows_say_what_they_say_alone(self, first, then):
        reader = MessageReader()
        for told in (first, then, [*then, *first], first):
            data = request(told)

            assert shown(reader.read(data, V1)) == shown(read_message(data, V1))

    @given(series, st.binary(max_size=30), st.integers(0, 300))
    def test_with_strange_bytes_in_them_are_read_or_refused_alike(self, told, more, at):
        data = request(told)
        broken, reader = data[:at] + more + data[at:], MessageReader()
        for kind in (V1, V2):
            found = []
            for read in (reader.read, reader.read, read_message):
                try:
                    found.append(shown(read(broken, kind)))
                except MessageError:
                    found.append(None)

            assert found[2] == found[0] == found[1]


class TestPages:
    @settings(max_examples=200)
    @given(pages, pages)
    def test_read_by_who_knows_have_the_families_they_have_alone(self, first, then):
        reader = TextReader(Recollections(), dict)
        for text in (first, then, f"{then}\n{first}", first):
            mine = families_of(lambda page: reader.families(page, most=1_000), text)

            assert mine == families_of(text_string_to_metric_families, text)
