"""Bodies packed by brotli or zstd: unpacked whole, and bombs noticed before they go off."""

from __future__ import annotations

import random

import brotli
import pytest
import zstandard

from qmon_agent.ingest.packings import PackingError, known_packings, unpacked
from qmon_sdk.protocol.errors import OversizeError

MIB = 1 << 20
PACK = {"br": brotli.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("packing", sorted(PACK))
class TestUnpacked:
    @pytest.mark.parametrize("size", [0, 1, 3 * MIB])
    def test_is_what_was_packed(self, packing, size):
        plain = random.Random(7).randbytes(size)

        assert plain == unpacked(PACK[packing](plain), packing, max_bytes=4 * MIB)

    def test_is_never_more_than_it_may_be(self, packing):
        bomb = PACK[packing](bytes(100 * MIB))

        with pytest.raises(OversizeError):
            unpacked(bomb, packing, max_bytes=MIB)

    @pytest.mark.parametrize("body", [b"no such thing" * 10, b"\xff" * 100, b"\x28", b""])
    def test_is_nothing_of_what_is_not_packed(self, packing, body):
        with pytest.raises(PackingError):
            unpacked(body, packing, max_bytes=MIB)

    def test_is_nothing_of_what_is_torn(self, packing):
        body = PACK[packing](random.Random(7).randbytes(1000))

        with pytest.raises(PackingError):
            unpacked(body[:-100], packing, max_bytes=MIB)


def test_packings_are_known_whose_modules_are_there():
    assert {"br", "zstd"} == known_packings()
