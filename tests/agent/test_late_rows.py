"""Rows that are made when somebody looks at them."""

import pytest

from qmon_agent.app.judging import observed_of
from qmon_agent.domain.late_rows import LateRows
from qmon_agent.journal import Position, Record
from qmon_sdk.protocol.columns import Block, block_of
from qmon_sdk.protocol.errors import FrameError
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import Event, Finding, Log, Snapshot

LOGS = [Log(time=n, body=f"line {n}") for n in range(3)]


class TestLateRows:
    def test_are_the_rows_of_all_blocks_in_order(self):
        rows = LateRows([block_of("log", LOGS[:1]), block_of("log", LOGS[1:])])

        assert (3, LOGS, LOGS[1:]) == (len(rows), [*rows], rows[1:])

    def test_tell_how_many_they_are_without_being_read(self):
        rows = LateRows([Block(kind="log", rows=7, columns=(b"broken",))])

        assert 7 == len(rows)
        with pytest.raises(FrameError):
            rows[0]

    @pytest.mark.parametrize(
        ("kind", "seen_as", "told"),
        [
            ("log", "logs", LOGS),
            ("event", "events", [Event(name="order placed", user_id="u1")]),
            ("snapshot", "snapshots", [Snapshot(scan="code", measure="coverage", value=71.5)]),
            ("finding", "findings", [Finding(scan="code", rule="S1", state="fixed")]),
        ],
    )
    def test_are_what_rules_see(self, kind, seen_as, told):
        frame = Frame(
            process=bytes(16),
            sequence=1,
            resource=Resource(service="shop", release="1.2"),
            blocks=(block_of(kind, told),),
        )
        at = Position()
        record = Record(
            record_id=1, time=5, process=bytes(16), sequence=1, payload=b"", position=at
        )

        seen = observed_of(record, frame)

        assert ("1.2", told) == (seen.release, [*getattr(seen, seen_as)])
