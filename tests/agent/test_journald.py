"""systemd's journal, by a real `journalctl`, and by a program that speaks like it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.ingest.journal_entries import (
    read_entry,
    resource_of,
    signals_of_entry,
    told_together,
)
from qmon_agent.ingest.sources import SOURCES
from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.signals import Error, Log

REMOTE = Path("/lib/systemd/systemd-journal-remote")
SPEAKS = """#!/bin/sh
for word; do case $word in --after-cursor=*) after=${{word#*=c}};; --lines=1) exit;; esac; done
exec tail -n +$((${{after:-0}} + 1)) -f {entries}
"""


def an_entry(number, **fields):
    usual = {
        "__CURSOR": f"c{number}",
        "__REALTIME_TIMESTAMP": f"{1_700_000_000_000_000 + number}",
        "MESSAGE": f"line {number}",
        "PRIORITY": "4",
        "_SYSTEMD_UNIT": "shop.service",
        "_HOSTNAME": "web1",
        "_PID": "7",
    }
    return {**usual, **fields}


class TestEntries:
    def test_are_logs_of_their_unit(self):
        (log,) = signals_of_entry(an_entry(1), "id")

        assert ("warn", "line 1", 1_700_000_000_000_001_000) == (log.level, log.body, log.time)
        assert {"systemd.unit": "shop.service", "process.pid": "7"} == log.attributes
        resource = resource_of(an_entry(1))
        assert ("shop", "web1") == (resource.service, resource.host)

    def test_may_be_bytes(self):
        (log,) = signals_of_entry(an_entry(1, MESSAGE=[104, 105, 255]), "id")

        assert "hi\N{REPLACEMENT CHARACTER}" == log.body

    def test_with_a_traceback_are_errors_besides(self):
        text = 'bad\nTraceback (most recent call last):\n  File "a.py", line 1, in b\nKeyError: 1'
        log, error = signals_of_entry(an_entry(1, MESSAGE=text, PRIORITY="3"), "id")

        assert ("error", "KeyError") == (log.level, error.type)

    def test_of_lines_that_a_program_prints_are_put_together(self):
        text = ["up", "Traceback (most recent call last):", '  File "a.py", line 1, in b']
        lines = [*text, "KeyError: 1", "down"]
        printed = [
            an_entry(n, MESSAGE=line, _TRANSPORT="stdout", _STREAM_ID=stream)
            for n, line in enumerate(lines)
            for stream in ("a", "b")
        ]
        told = [(place, entry["MESSAGE"]) for place, entry in told_together(printed)]

        whole = "\n".join(lines[:4])
        assert [(0, whole), (1, whole), (8, "down"), (9, "down")] == told
        log, error = signals_of_entry(next(told_together(printed))[1], "id")
        assert ("up", "KeyError") == (log.body.splitlines()[0], error.type)

    def test_of_other_ways_are_messages_of_their_own(self):
        entries = [an_entry(n, MESSAGE=text) for n, text in enumerate(("up", "  indented"))]

        assert [*enumerate(entries)] == [*told_together(entries)]

    @given(
        st.dictionaries(
            st.sampled_from(["MESSAGE", "PRIORITY", "_PID", "__REALTIME_TIMESTAMP", "_HOSTNAME"]),
            st.none() | st.integers() | st.text() | st.lists(st.integers() | st.text()),
        )
    )
    def test_may_say_anything(self, fields):
        for one in signals_of_entry(an_entry(1, **fields), "id"):
            assert isinstance(one, Log | Error)

    @pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"__CURSOR": 1}'])
    def test_are_objects_with_a_cursor(self, line):
        assert None is read_entry(line)


class Reading:
    """A source at work, and what it has kept."""

    def __init__(self, taking, **options):
        self.taking = taking
        self.options = {"enabled": True, "interval_s": 0.05, "from_beginning": True, **options}

    async def start(self):
        self.source = SOURCES.build("journald", self.options)
        await self.source.start(self.taking.door())

    def bodies(self):
        frames = [decode_frame(record.payload) for record in self.taking.records()]
        return [row.body for frame in frames for block in frame.blocks for row in rows_of(block)]

    async def until(self, number):
        async with asyncio.timeout(20):
            while len(self.bodies()) < number:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        assert [f"line {n}" for n in range(number)] == sorted(
            self.bodies(), key=lambda body: int(body[5:])
        )


@pytest.fixture
async def speaking(taking, tmp_path):
    """A source whose journal is a file of entries: `speaking.tell(number)` adds one."""
    entries, command = tmp_path / "entries", tmp_path / "journalctl"
    entries.touch()
    command.write_text(SPEAKS.format(entries=entries))
    command.chmod(0o755)
    reading = Reading(taking, command=str(command))

    def tell(*numbers):
        with entries.open("a") as file:
            file.writelines(
                json.dumps(an_entry(n + 1, MESSAGE=f"line {n}")) + "\n" for n in numbers
            )

    reading.tell = tell
    await reading.start()
    yield reading
    await reading.source.stop()


class TestSource:
    async def test_keeps_what_comes(self, speaking):
        speaking.tell(0, 1)
        await speaking.until(2)
        speaking.tell(2)
        await speaking.until(3)

    async def test_goes_on_where_it_was(self, speaking):
        speaking.tell(0, 1)
        await speaking.until(2)
        await speaking.source.stop()
        speaking.tell(2, 3)
        await speaking.start()
        await speaking.until(4)

    async def test_doubles_nothing_that_was_stored_before_a_crash(self, speaking):
        speaking.tell(0, 1, 2)
        await speaking.until(3)
        await speaking.source.stop()
        place = speaking.taking.directory / "journald.json"
        told = json.loads(place.read_text())
        place.write_text(json.dumps({**told, "cursor": "", "number": 0, "count": 3}))
        speaking.tell(3)
        await speaking.start()

        await speaking.until(4)

    async def test_cuts_what_fits_no_frame(self, taking, tmp_path, speaking):
        long = [an_entry(n, MESSAGE=f"line {n} {'x' * 30_000}") for n in range(300)]
        with (tmp_path / "entries").open("a") as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in long))

        async with asyncio.timeout(30):
            while len(speaking.bodies()) < 300:
                await asyncio.sleep(0.1)

        assert [f"line {n}" for n in range(300)] == sorted(
            (body[:8].rstrip("x ") for body in speaking.bodies()), key=lambda body: int(body[5:])
        )
        assert 0 == taking.vitals.count("frames_rejected")

    async def test_says_that_there_is_no_journal(self, taking):
        reading = Reading(taking, command="no-such-journalctl")
        await reading.start()
        await asyncio.sleep(0.2)

        assert "is not here" in reading.source.describe()["trouble"]
        await reading.source.stop()


class TestJournalctl:
    async def test_is_followed(self, taking, tmp_path, missing):
        if not (REMOTE.exists() and shutil.which("journalctl")):
            missing("systemd-journal-remote (Debian: systemd-journal-remote)")
        told = "".join(
            f"__REALTIME_TIMESTAMP={1_700_000_000_000_000 + n}\nMESSAGE=line {n}\nPRIORITY=6\n\n"
            for n in range(50)
        )
        command = [str(REMOTE), f"--output={tmp_path / 'a.journal'}", "-"]
        subprocess.run(command, input=told.encode(), check=True, capture_output=True)
        reading = Reading(taking, directory=str(tmp_path))
        await reading.start()

        await reading.until(50)
        await reading.source.stop()
