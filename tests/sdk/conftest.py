"""An SDK that tells a list: real recorder, real frames, and a transport that keeps them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from qmon_sdk.protocol.columns import rows_of
from qmon_sdk.protocol.frames import decode_frame
from qmon_sdk.protocol.spooled import taken
from qmon_sdk.start import flush, init, shutdown
from qmon_sdk.transports.memory import MemoryTransport


class Told:
    """What reached the transport, read back from its bytes."""

    def __init__(self, **options):
        self.transport = MemoryTransport()
        self.options = {"service": "test", "integrations": (), **options}

    def begin(self, *, connected=True, **options):
        """Start the client anew, with other options; what was told before stays told."""
        told_before = self.transport.messages
        self.transport = MemoryTransport(connected=connected)
        self.transport.messages = told_before
        init(transport=self.transport, **{**self.options, **options})
        return self

    @property
    def frames(self):
        return [decode_frame(frame) for frame in self.transport.frames]

    def all(self, kind):
        """Flush, and read every signal of a kind."""
        flush()
        return [
            row
            for frame in self.frames
            for block in frame.blocks
            if block.kind == kind
            for row in rows_of(block)
        ]

    @property
    def spans(self):
        return self.all("span")

    def span(self, name):
        """Read the one span of a name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
def told(tmp_path):
    """Begin with an agent in memory that acknowledges everything; stop at the end."""
    telling = Told(spool_dir=str(tmp_path / "spool"))
    yield telling.begin()
    shutdown(timeout=0)


class Ended:
    """A program that ran to its end with nobody there to listen: what it said, and what it left."""

    def __init__(self, text, folder):
        places = {"QMON_STATE_DIR": str(folder), "QMON_SOCKET": str(folder / "nobody.sock")}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text)],
            capture_output=True,
            check=False,
            env={**os.environ, **places, "QMON_SERVICE": "ended"},
            text=True,
            timeout=60,
        )
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self._spool = folder / "spool"

    def all(self, kind):
        """Read every signal of a kind that it left in the spool."""
        frames = [decode_frame(data) for _, found in taken(self._spool) for data in found]
        blocks = [block for frame in frames for block in frame.blocks if block.kind == kind]
        return [row for block in blocks for row in rows_of(block)]


@pytest.fixture
def ended(tmp_path):
    """Run a program by its text, and read what it left behind."""
    return lambda text: Ended(text, tmp_path)
