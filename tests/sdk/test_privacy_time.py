"""What a text costs is bounded by what of it is kept, not by how long or how nasty it is."""

from __future__ import annotations

import time

import pytest

import qmon_sdk as qmon
from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings

HUGE = 100_000_000


@pytest.fixture(scope="module", params=["x", "\xe9", "\u20ac"])
def huge(request):
    """A hundred million characters, in each of the ways they are kept in memory."""
    return request.param * HUGE


class TestAHundredMillionCharacters:
    def test_are_cut_before_anything_is_done_with_them(self, huge):
        scrubber = Scrubber(Settings())
        began = time.perf_counter()
        for _ in range(20):
            scrubber.text(huge)
            scrubber.value(huge)
            scrubber.labels({"a": huge, "db.query.text": huge, "url.full": huge, "b": [huge]})
        assert time.perf_counter() - began < 2

    def test_pass_every_verb(self, huge, told):
        began = time.perf_counter()
        with qmon.span("work", a=huge), qmon.new_scope(tags={"t": huge}, user={"id": huge}):
            qmon.add_breadcrumb(huge, data={"a": huge})
            qmon.track("x", {"a": huge})
            qmon.capture_exception(ValueError(huge))
            qmon.capture_message(huge)
            qmon.log.info("{a}", a=huge)
            qmon.count("x", attributes={"a": huge})
        qmon.flush()
        assert time.perf_counter() - began < 5
        assert max(map(len, told.transport.messages)) < 200_000


class TestHostileTexts:
    SEEDS = (
        *("password=", 'password="', "cookie:", "authorization: ", "authorization: bearer "),
        *("key (", "key (a)=(", "duplicate entry '", "row contains (", "[parameters: ", "sig="),
        *("--token ", "--", "--a-", "('", "('token', ", "pin:", "pin", "(b'a-", "token=>"),
        *("a%40", "\\", '\\"', "token:\\", "?a=b&", "SELECT '", "9fK2vQ7x", "aB1"),
    )

    @pytest.mark.parametrize("seed", SEEDS)
    def test_take_a_time_in_proportion(self, seed):
        scrubber = Scrubber(Settings(max_value_length=1 << 20))
        text = seed * (200_000 // len(seed))
        scrubber.text(seed)
        began = time.perf_counter()
        scrubber.labels({"a": text, "url.full": text, "db.query.text": text})
        assert time.perf_counter() - began < 3
