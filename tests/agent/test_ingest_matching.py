"""Which signals a processor is about, and how its section is read."""

import pytest

from qmon_agent.domain.errors import ConfigError, UnknownPluginError
from qmon_agent.domain.routing import EVERYWHERE, Routes, routes_of
from qmon_agent.ingest.declared import make_steps
from qmon_agent.ingest.lots import Lot, Origin, made_lot
from qmon_agent.ingest.matching import Match, Matcher
from qmon_agent.settings import convert_table
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Frame, Resource
from qmon_sdk.protocol.signals import Error, Log, Point, Span, kind_of

SHOP = Resource(service="shop", environment="prod", attributes={"k8s.pod.name": "shop-1"})
SPAN = Span(
    name="GET /health",
    status="error",
    duration_ns=700_000_000,
    attributes={"http.route": "/health", "tenant": "a"},
)


def fits(table, signal=SPAN, resource=SHOP):
    verdict = Matcher(convert_table(table, Match, "match")).of(resource, kind_of(signal))
    return verdict if isinstance(verdict, bool) else verdict(signal)


class TestMatch:
    @pytest.mark.parametrize(
        "table",
        [
            {},
            {"kind": "span"},
            {"kind": ["log", "span"], "service": "sh*"},
            {"name": "GET /h*"},
            {"name": "~^GET /(health|ready)$"},
            {"status": "error", "duration_above": "500ms", "duration_below": "1s"},
            {"attributes": {"http.route": "/health", "tenant": ["a", "b"]}},
            {"attributes": {"tenant": True, "user.id": False}},
            {"attributes": {"k8s.pod.name": "shop-*"}},
            {"not": {"name": "POST*"}},
            {"any": [{"name": "POST*"}, {"status": "error"}]},
            {"all": [{"name": "GET*"}, {"status": "error"}]},
        ],
    )
    def test_fits(self, table):
        assert fits(table)

    @pytest.mark.parametrize(
        "table",
        [
            {"kind": "log"},
            {"service": "till"},
            {"environment": "test"},
            {"name": "GET"},
            {"name": "~^/health"},
            {"status": "ok"},
            {"duration_above": "700ms"},
            {"duration_below": "700ms"},
            {"attributes": {"tenant": "c"}},
            {"attributes": {"tenant": False}},
            {"attributes": {"k8s.pod.name": False}},
            {"level": "error"},
            {"not": {"kind": "span"}},
            {"any": [{"name": "POST*"}, {"status": "ok"}]},
            {"all": [{"name": "GET*"}, {"status": "ok"}]},
        ],
    )
    def test_does_not_fit(self, table):
        assert not fits(table)

    def test_knows_what_each_kind_calls_its_name(self):
        named = [Point(metric="x"), Error(type="x"), Log(template="x"), Span(name="x")]

        assert all(fits({"name": "x"}, signal) for signal in named)

    def test_looks_into_what_was_said(self):
        assert fits(
            {"body": "~(?i)TIMED out", "level": "warn*"}, Log(body="timed out", level="warning")
        )

    def test_does_not_hold_for_what_a_signal_has_not(self):
        assert not fits({"duration_below": "1h"}, Log())

    @pytest.mark.parametrize(
        ("table", "told"),
        [
            ({"nmae": "x"}, "processors.drop.match.nmae: unknown key; did you mean 'name'"),
            ({"not": {"srevice": "x"}}, "match.not.srevice: unknown key; did you mean 'service'"),
            ({"any": [{"kindd": "x"}]}, "match.any[0].kindd: unknown key; did you mean 'kind'"),
            ({"kind": "spam"}, "match.kind: no such kind of signal: 'spam'; did you mean 'span'"),
            ({"name": "~("}, "match.name: '~(' is no regular expression"),
            ({"not": {"attributes": {"a": "~("}}}, "match.not.attributes.a: '~(' is no regular"),
            ({"duration_above": "long"}, "match.duration_above: 'long' is not a duration"),
        ],
    )
    def test_tells_what_is_wrong_where(self, table, told):
        with pytest.raises(ConfigError) as caught:
            make_steps([{"kind": "drop", "match": table}])

        assert told in str(caught.value)


class TestSection:
    def test_is_named_by_its_kind_unless_said(self):
        steps = make_steps([{"kind": "drop"}, {"kind": "drop", "name": "health"}])

        assert ["drop", "health"] == [step.name for step in steps]

    def test_tells_a_name_used_twice(self):
        with pytest.raises(ConfigError, match=r"processors.drop: there is more than one"):
            make_steps([{"kind": "drop"}, {"kind": "drop"}])

    def test_tells_a_kind_that_is_not_there(self):
        with pytest.raises(UnknownPluginError, match="did you mean 'drop'"):
            make_steps([{"kind": "dorp"}])

    def test_tells_a_kind_that_is_not_said(self):
        with pytest.raises(ConfigError, match=r"processors\[0\]"):
            make_steps([{"name": ""}])


class TestLot:
    def test_reads_no_row_before_it_is_asked_for(self):
        block = block_of("span", [SPAN])
        lot = Lot(SHOP, block).of(Resource(service="till")).routed(Routes(names=("x",)))

        assert block is lot.block()
        assert 1 == lot.rows

    def test_counts_what_it_does_not_keep(self):
        lot = Lot(SHOP, ("span", [SPAN, SPAN]), origin=Origin(record_id=7))

        assert (1, 1) == (lot.keep([SPAN]).rows, lot.keep([SPAN]).dropped)
        assert 2 == lot.keep([SPAN]).drop().dropped
        assert 7 == lot.drop().origin.record_id

    def test_counts_nothing_in_its_parts(self):
        lot = Lot(SHOP, ("span", [SPAN, SPAN])).keep([SPAN])

        assert (0, b"x") == (lot.part([SPAN], name=b"x").dropped, lot.part([SPAN], name=b"x").name)

    def test_is_nobodys_when_it_is_made(self):
        assert b"" == made_lot(SHOP, "point", [Point()], name=b"w").origin.process


class TestRoutes:
    def test_are_read_as_they_are_written(self):
        routes = Routes(names=("a", "b"), store=False, exclusive=True)

        assert routes == routes_of(Frame(blocks=(routes.block(),)))
        assert EVERYWHERE == routes_of(Frame())

    def test_lead_to_sinks_that_name_one_and_to_all_that_name_none(self):
        routes = Routes(names=("a",))

        assert [True, False, True] == [
            routes.lead_to(frozenset(names)) for names in (("a", "c"), ("b",), ())
        ]
        assert not Routes(names=("a",), exclusive=True).lead_to(frozenset())
        assert EVERYWHERE.lead_to(frozenset())
        assert not EVERYWHERE.lead_to(frozenset({"a"}))
