"""Spans around calls: in C where there is the accelerator, in Python always, and told alike."""

from __future__ import annotations

import sys

import pytest

from qmon_sdk.accelerator import speedups
from qmon_sdk.client import current
from qmon_sdk.integrations import _openings
from qmon_sdk.integrations._around import Calls
from qmon_sdk.integrations._openings import abandoned, closed, opened, opened_aside
from qmon_sdk.integrations._sites import SHELF
from qmon_sdk.recorder.cells import CELL
from qmon_sdk.recorder.sites import Site
from qmon_sdk.spans import current_span, span
from qmon_sdk.start import shutdown

WAYS = {"chosen": (opened, closed), "python": (_openings._opened, _openings._closed)}
PAIR = ("cache.hit", True)


@pytest.fixture(params=WAYS)
def way(request, told):
    return WAYS[request.param]


class TestASpan:
    def test_says_what_its_site_its_pair_or_its_extra_says(self, told, way):
        begin, end = way
        for extra in (None, PAIR, ("rows", 77), {"rows": 78}):
            end(begin(Site("GET", kind="client", attributes={"db": "x"})), extra)

        said = [{**s.attributes} for s in told.spans]
        assert [
            {"db": "x"} | more
            for more in ({}, {"cache.hit": "true"}, {"rows": "77"}, {"rows": "78"})
        ] == said

    def test_without_a_site_of_its_own_says_all_itself(self, told, way):
        begin, end = way
        end(begin((Site("GET", kind="client"), {"db": "x"})), PAIR)

        assert {"db": "x", "cache.hit": "true"} == told.span("GET").attributes

    def test_that_fails_says_so(self, told, way):
        begin, end = way
        end(begin((Site("GET", kind="client"), {"db": "x"})), {"code": "1"}, ValueError("geheim"))

        failed = told.span("GET")
        assert ("error", {"db": "x", "code": "1", "error.type": "ValueError"}) == (
            failed.status,
            dict(failed.attributes),
        )

    def test_has_a_parent_and_children_and_may_be_told_more(self, told, way):
        begin, end = way
        with span("request") as request:
            opening = begin(Site("GET", kind="client"))
            current_span().set_attribute("more", 1)
            with span("inside"):
                pass
            end(opening, PAIR)
            assert request.span_id == current_span().span_id

        get = told.span("GET")
        assert (request.span_id, get.span_id) == (get.parent_id, told.span("inside").parent_id)
        assert {"cache.hit": "true", "more": "1"} == get.attributes

    def test_is_none_while_nobody_records(self, told, way):
        shutdown(timeout=0)

        assert way[0](Site("GET", kind="client")) is None

    def test_may_be_left_aside(self, told):
        before = CELL.get()
        opening = opened_aside(Site("GET", kind="client"))

        assert CELL.get().span == before.span
        closed(opening, PAIR)
        assert told.span("GET")


class TestTrouble:
    def test_of_ours_is_counted_and_leaves_the_place(self, told, way):
        begin, _ = way
        with span("request") as request, pytest.raises(ZeroDivisionError):  # loud under pytest
            abandoned(begin(Site("GET", kind="client")), ZeroDivisionError())
        with span("request again"):
            pass

        assert {"integration: ZeroDivisionError": 1} == current().trouble
        assert "" == told.span("request again").parent_id
        assert request.span_id

    @pytest.mark.parametrize("broken", ["site_of", "outcome"])
    def test_of_ours_harms_no_call(self, told, broken):
        calls = {
            "site_of": Calls(lambda *_: 1 / 0),
            "outcome": Calls(lambda *_: SHELF.site("GET", {}), lambda *_: 1 / 0),
        }[broken]
        told.begin()
        watched = calls.sync(lambda *_: "answer")
        with pytest.raises(ZeroDivisionError):
            watched(None)

        assert {"integration: ZeroDivisionError": 1} == current().trouble


@pytest.mark.skipif(speedups is None, reason="of the accelerator")
class TestInC:
    def test_another_place_at_the_end_must_be_one(self, told):
        stay = speedups.Entrance(Site("GET"), waits=True)()
        with pytest.raises(TypeError):
            stay.end_at(Site("SET"))
        stay.end(None)

        assert told.span("GET")

    def test_places_are_held_as_long_as_they_are_needed(self, told):
        first, second = Site("GET", kind="client"), Site("GET", attributes={"a": "b"})
        enter, other = (speedups.Entrance(site, waits=True) for site in (first, second))
        before = [sys.getrefcount(site) for site in (first, second)]
        for _ in range(100):
            stay = enter()
            stay.end_at(other)
            stay.end_at(other)
        del stay

        assert before == [sys.getrefcount(site) for site in (first, second)]
