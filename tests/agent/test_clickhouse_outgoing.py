"""What is on its way to the server: whole after any crash, and the same to the last byte."""

import pyarrow as pa
import pytest

from qmon_agent.domain.errors import StoreError
from qmon_agent.journal import Position
from qmon_agent.store.telemetry.decoding import Batch
from qmon_agent.store.telemetry.engine import RefusedError
from qmon_agent.store.telemetry.engines.clickhouse.blocks import Block, blocks_of
from qmon_agent.store.telemetry.engines.clickhouse.outgoing import Outgoing

DAY = 86_400 * 10**9
ONE, TWO = (Block("spans", "1", 1, b"one"),), (Block("spans", "1", 1, b"two"),)
LABELS = pa.map_(pa.string(), pa.string())


def opened(directory, sender="me"):
    return Outgoing(directory, sender=sender)


class TestOutgoing:
    def test_is_found_again_as_it_was_left(self, tmp_path):
        first = opened(tmp_path)
        first.put(ONE, Position(1, 1, 1))
        first.put(TWO, Position(2, 1, 2))

        again = opened(tmp_path, sender="another")

        assert first.waiting == again.waiting
        assert (Position(), Position(2, 1, 2)) == (again.mark.stored, again.taken)
        assert [first.name_of(p, p.blocks[0]) for p in first.waiting] == [
            again.name_of(p, p.blocks[0]) for p in again.waiting
        ]

    def test_names_no_two_blocks_alike(self, tmp_path):
        outgoing = opened(tmp_path)
        names = set()
        for record in range(1, 6):
            outgoing.put(ONE, Position(record, 1, 1))
            names.add(outgoing.name_of(outgoing.waiting[0], ONE[0]))
            outgoing.arrived()
            outgoing = opened(tmp_path)

        assert 5 == len(names)

    def test_forgets_what_arrived_also_when_it_died_before_the_file_was_gone(self, tmp_path):
        outgoing = opened(tmp_path)
        outgoing.put(ONE, Position(1, 1, 1))
        (parcel,) = tmp_path.glob("outgoing/*.parcel")
        left = parcel.read_bytes()
        outgoing.arrived()
        parcel.write_bytes(left)

        again = opened(tmp_path)

        assert ([], Position(1, 1, 1)) == (again.waiting, again.taken)

    def test_takes_a_damaged_parcel_and_those_behind_it_from_the_journal(self, tmp_path):
        outgoing = opened(tmp_path)
        for record in (1, 2, 3):
            outgoing.put(ONE, Position(record, 1, 1))
        second = sorted(tmp_path.glob("outgoing/*.parcel"))[1]
        second.write_bytes(second.read_bytes()[:-1])

        again = opened(tmp_path)

        assert (1, 2, Position(1, 1, 1)) == (len(again.waiting), again.damaged, again.taken)

    def test_does_not_guess_how_far_it_was(self, tmp_path):
        opened(tmp_path)
        (tmp_path / "outgoing" / "mark").write_bytes(b"gone wrong")

        with pytest.raises(StoreError, match="twice"):
            opened(tmp_path)


def batch(times, labels=None):
    columns = {"time": pa.array(times, pa.timestamp("ns"))}
    if labels:
        columns["attributes"] = pa.array(labels, LABELS)
    return Batch({"span": pa.table(columns)})


class TestBlocks:
    def test_never_cross_a_day(self):
        blocks = blocks_of(batch([0, DAY - 1, DAY, -1, 5 * DAY]), None)

        assert [("0", 2), ("1", 1), ("5", 1), ("-1", 1)] == sorted(
            ((block.part, block.rows) for block in blocks), key=lambda each: each[0] < "0"
        )

    def test_are_refused_where_a_clock_is_wrong(self):
        with pytest.raises(RefusedError, match="clock"):
            blocks_of(batch([day * DAY for day in range(500)]), None)

    def test_are_refused_where_a_map_repeats_a_key(self):
        with pytest.raises(RefusedError, match="twice"):
            blocks_of(batch([1, 2], [[("a", "1")], [("b", "1"), ("b", "2")]]), None)

    def test_take_the_same_key_in_different_rows(self):
        labels = [[("a", "1")], [], [("a", "1"), ("b", "2")]]

        assert 3 == blocks_of(batch([1, 2, 3], labels), None)[0].rows

    def test_take_the_parts_of_a_larger_table(self):
        whole = batch([1, 2, 3], [[("a", "1"), ("a", "2")], [("a", "1")], [("b", "1")]])
        part = Batch({"span": whole.tables["span"].slice(1)})

        assert 2 == blocks_of(part, None)[0].rows
