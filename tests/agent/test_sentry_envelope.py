"""Envelopes that lie, are torn, nested, huge or no text: refused or read, never believed."""

from __future__ import annotations

import pytest

from qmon_agent.ingest.sentry.envelope import EnvelopeError, headers_of, read_envelope


def payloads(body):
    return [item.payload for item in read_envelope(body).items]


class TestReadEnvelope:
    def test_takes_a_payload_to_the_end_of_its_line_without_a_length(self):
        assert [b"abc", b"d"] == payloads(b'{}\n{"type":"x"}\nabc\n{"type":"x"}\nd')

    def test_takes_newlines_inside_a_payload_with_a_length(self):
        assert [b"a\nb\n"] == payloads(b'{}\n{"type":"x","length":4}\na\nb\n\n')

    def test_passes_over_blank_lines_between_items(self):
        assert [b"a", b"b"] == payloads(b'{}\n\n\n{"type":"x"}\na\n\n{"type":"x"}\nb\n\n\n')

    def test_keeps_empty_payloads(self):
        assert [b"", b""] == payloads(b'{}\n{"type":"x","length":0}\n\n{"type":"x","length":0}')

    def test_reads_no_items_out_of_none(self):
        assert [] == payloads(b'{"event_id":"1"}')

    @pytest.mark.parametrize(
        "length", [b"5", b"99999999999999999999", b"-1", b"1.5", b'"4"', b"true", b"[]", b"2"]
    )
    def test_believes_no_length_that_is_not_so(self, length):
        with pytest.raises(EnvelopeError, match="length"):
            read_envelope(b'{}\n{"type":"x","length":' + length + b"}\nabcd")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\n{}",
            b"[]",
            b"{",
            b"\xff\xfe",
            b'{}\n"event"\nabc',
            b'{"a":' * 100_000,
            b'{"a":"' + b"x" * 70_000 + b'"}',
            b'{}\n{"type":"\xc3\x28"}\nabc',
            b"{}\n" + b'{"type":"x","length":0}\n\n' * 2001,
        ],
    )
    def test_refuses_what_is_none(self, body):
        with pytest.raises(EnvelopeError):
            read_envelope(body)

    def test_reads_headers_with_half_a_character(self):
        assert {"a": "\ud83d"} == headers_of(b'{"a":"\\ud83d"}\n')

    def test_takes_millions_of_blank_lines_at_once(self):
        assert [] == payloads(b"{}" + b"\n" * (8 << 20))
