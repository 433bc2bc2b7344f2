"""Every byte of the wire is a promise: what a generation wrote, every later agent reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qmon_sdk.protocol.columns import block_of, rows_of
from qmon_sdk.protocol.frames import (
    Ack,
    Frame,
    Ledger,
    Resource,
    decode_ack,
    decode_frame,
    encode_ack,
    encode_frame,
)
from qmon_sdk.protocol.signals import FIELDS, SIGNALS

WIRE = Path(__file__).parent / "wire"
NOW = "v2"  # the generation that is written; a field appended after a release begins another one
WRITE = os.environ.get("QMON_GOLDEN") == "write"
SAMPLES = {
    "Time": lambda row: 1_767_225_600_000_000_000 + row,
    "Duration": lambda row: 1_500 * row,
    "Key": lambda row: f"{row + 1:016x}",
    "Word": lambda row: ("GET /cart", "POST /pay")[row % 2],
    "Text": lambda row: f"line {row}\nwith ünïcode",
    "Number": lambda row: row / 4,
    "Whole": lambda row: row * row,
    "Flag": lambda row: row % 2 == 0,
    "Labels": lambda row: {"plan": "pro", "n": str(row)} if row else {},
    "Buckets": lambda row: {row: 1, -row - 1: 2},
}


def sample(kind, rows, known=None):
    """Make signals whose every field has a value of its own, or only those a generation knew."""
    signal, fields = SIGNALS[kind], FIELDS[kind][:known]
    return [
        signal(**{field.name: SAMPLES[field.role](row) for field in fields}) for row in range(rows)
    ]


def frame_of(kind, rows):
    return Frame(
        process=bytes(range(16)),
        sequence=rows + 1,
        sent=1_767_225_600_000_000_000,
        resource=Resource(
            service="shop",
            release="1.2.3",
            environment="test",
            host="box",
            pid=42,
            started=1,
            sdk="qmon.python",
            attributes={"cloud.region": "eu"},
        ),
        blocks=(block_of(kind, sample(kind, rows)),),
        ledger=Ledger(captured={kind: rows}, dropped={f"{kind}/sample_rate": 1}),
    )


@pytest.mark.parametrize("rows", [0, 1, 5])
@pytest.mark.parametrize("kind", sorted(SIGNALS))
class TestEveryKind:
    def test_is_written_as_this_generation_writes_it(self, kind, rows):
        golden = WIRE / NOW / f"{kind}-{rows}.frame"
        written = encode_frame(frame_of(kind, rows))
        if WRITE:
            golden.write_bytes(written)

        assert golden.read_bytes() == written

    def test_is_read_from_every_generation(self, kind, rows):
        for generation in sorted(WIRE.iterdir()):
            frame = decode_frame((generation / f"{kind}-{rows}.frame").read_bytes())

            known = len(frame.blocks[0].columns)
            assert rows_of(frame.blocks[0]) == sample(kind, rows, known)
            assert frame.ledger == Ledger(captured={kind: rows}, dropped={f"{kind}/sample_rate": 1})


class TestTheDefinitions:
    def test_only_ever_grow_at_the_end(self):
        golden = WIRE.parent / "wire_fields.json"
        now = {
            kind: [[f.name, f.role, f.default] for f in fields] for kind, fields in FIELDS.items()
        }
        if WRITE:
            golden.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")

        for kind, fields in json.loads(golden.read_text(encoding="utf-8")).items():
            assert now[kind][: len(fields)] == fields


class TestTheAnswer:
    def test_is_written_as_this_generation_writes_it(self):
        ack = Ack(sequences=(1, 2, 300), credit=1 << 20, rejected=((4, "oversize"),))
        golden = WIRE / NOW / "answer.ack"
        if WRITE:
            golden.write_bytes(encode_ack(ack))

        assert golden.read_bytes() == encode_ack(ack)
        assert decode_ack(golden.read_bytes()) == ack
