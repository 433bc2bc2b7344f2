"""What each processor that answers at once does to a lot."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.routing import EVERYWHERE
from qmon_agent.ingest.chain import Chain
from qmon_agent.ingest.declared import make_steps
from qmon_agent.ingest.lots import Lot, Origin
from qmon_agent.ingest.surroundings import Surroundings
from qmon_sdk.protocol.columns import block_of
from qmon_sdk.protocol.frames import Resource
from qmon_sdk.protocol.signals import CheckIn, Error, Event, Log, Point, Span, kind_of

SHOP = Resource(service="shop", host="h1", attributes={"team": "a"})


def through(table, *signals, resource=SHOP):
    """What comes of signals of one kind, as a block and as rows: the same."""
    kind = kind_of(signals[0])
    both = []
    for content in (block_of(kind, signals), (kind, [*signals])):
        chain = Chain(make_steps([table]))
        passed = chain.process([Lot(resource, content, origin=Origin(process=b"p"))])
        assert not [tally.error for tally in chain.tallies.values() if tally.error]
        both.append(passed)
    as_rows = [[(lot.resource, lot.routes, [*lot.signals]) for lot in one.lots] for one in both]
    assert as_rows[0] == as_rows[1]
    return both[0]


def signals_of(passed):
    return [signal for lot in passed.lots for signal in lot.signals]


def attributes_of(passed):
    return [signal.attributes for signal in signals_of(passed)]


class TestDropAndKeep:
    HEALTH, WORK = Span(name="health"), Span(name="work")

    def test_drop_lets_fall_what_fits(self):
        passed = through({"kind": "drop", "match": {"name": "health"}}, self.HEALTH, self.WORK)

        assert [self.WORK] == signals_of(passed)
        assert [("span", "drop", 1)] == [(one.kind, one.by, one.number) for one in passed.fallen]

    def test_keep_lets_fall_what_does_not(self):
        table = {"kind": "keep", "match": {"name": "work"}}
        passed = through(table, self.HEALTH, self.WORK)

        assert [self.WORK] == signals_of(passed)
        assert 1 == passed.fallen[0].number

    def test_keep_leaves_kinds_alone_that_it_is_not_among(self):
        table = {"kind": "keep", "match": {"name": "work"}, "among": ["span"]}

        assert [Log(body="x")] == signals_of(through(table, Log(body="x")))

    @pytest.mark.parametrize(
        ("table", "told"),
        [
            ({"match": {}}, "processors.keep.match: says nothing"),
            ({}, "processors.keep.match"),
            ({"match": {"nmae": "x"}}, "processors.keep.match.nmae: unknown key; did you mean"),
            ({"match": {"name": "~("}}, "processors.keep.match.name: '~(' is no regular"),
            ({"match": {"name": "x"}, "among": ["spam"]}, "processors.keep.among: no such kind"),
        ],
    )
    def test_keep_says_what_is_wrong_with_it(self, table, told):
        with pytest.raises(ConfigError) as caught:
            make_steps([{"kind": "keep", **table}])

        assert told in str(caught.value)


class TestRename:
    def test_gives_keys_of_signals_and_of_who_speaks_their_new_names(self):
        table = {
            "kind": "rename",
            "attributes": {"http.method": "http.request.method", "team": "t"},
        }
        passed = through(table, Span(attributes={"http.method": "GET", "x": "1"}), Span())

        assert [{"x": "1", "http.request.method": "GET"}, {}] == attributes_of(passed)
        assert {"t": "a"} == passed.lots[0].resource.attributes

    def test_leaves_the_rest_of_a_name_where_a_star_stands(self):
        table = {"kind": "rename", "metrics": {"old.*": "new.*", "old.exact": "exact"}}
        passed = through(table, *(Point(metric=f"old.{x}") for x in ("a", "b", "exact")))

        assert ["new.a", "new.b", "exact"] == [point.metric for point in signals_of(passed)]

    def test_takes_the_place_of_what_was_called_so(self):
        table = {"kind": "rename", "attributes": {"old": "new"}}
        passed = through(table, Event(attributes={"new": "stale", "old": "right"}))

        assert [{"new": "right"}] == attributes_of(passed)

    def test_puts_prefixes_before_what_has_none(self):
        table = {"kind": "rename", "metric_prefix": "acme.", "attribute_prefix": "x."}
        passed = through(table, Point(metric="acme.a", attributes={"k": "1"}), Point(metric="b"))

        assert ["acme.a", "acme.b"] == [point.metric for point in signals_of(passed)]
        assert [{"x.k": "1"}, {}] == attributes_of(passed)
        assert {"team": "a"} == passed.lots[0].resource.attributes

    def test_hands_on_the_very_lot_that_has_nothing_to_rename(self):
        lot = Lot(SHOP, block_of("span", [Span(name="a"), Span(name="b")]))
        chain = Chain(
            make_steps([{"kind": "rename", "spans": {"c": "d"}, "attributes": {"q": "r"}}])
        )

        assert chain.process([lot]).lots[0] is lot

    @pytest.mark.parametrize(
        "renamed", [{"a*b": "c"}, {"a": "b*"}, {"": "b"}, {"a": ""}, {"a*": "*b"}]
    )
    def test_refuses_what_is_no_name(self, renamed):
        with pytest.raises(ConfigError, match=r"metrics.*(is no name|nothing that its)"):
            make_steps([{"kind": "rename", "metrics": renamed}])


class TestEnrich:
    def test_says_more_of_who_speaks(self):
        passed = through({"kind": "enrich", "attributes": {"region": "eu", "team": "b"}}, Log())

        assert {"region": "eu", "team": "a"} == passed.lots[0].resource.attributes

    def test_takes_the_place_of_what_is_there_if_told_to(self):
        table = {"kind": "enrich", "attributes": {"team": "b"}, "overwrite": True}

        assert {"team": "b"} == through(table, Log()).lots[0].resource.attributes

    def test_says_it_of_each_signal_if_told_to(self):
        table = {"kind": "enrich", "attributes": {"region": "eu"}, "to": "signal"}

        assert [{"region": "eu"}, {"region": "us"}] == attributes_of(
            through(table, Log(), Log(attributes={"region": "us"}))
        )

    def test_finds_out_where_it_runs_before_the_first_lot(self):
        chain = Chain(make_steps([{"kind": "enrich", "detect": ["host", "cloud"]}]))
        chain.prepare()
        (lot,) = chain.process([Lot(SHOP, ("log", [Log()]))]).lots

        assert {"host.name", "os.type", "team"} <= {*lot.resource.attributes}


CLOUDS = {
    "/latest/dynamic/instance-identity/document": {
        "accountId": "1",
        "region": "eu-central-1",
        "availabilityZone": "eu-central-1a",
        "instanceId": "i-1",
        "instanceType": "t3.nano",
    },
    "/computeMetadata/v1/?recursive=true": {
        "project": {"projectId": "p1"},
        "instance": {"id": 7, "zone": "projects/1/zones/europe-west3-c"},
    },
    "/metadata/instance/compute?api-version=2021-02-01&format=json": {
        "subscriptionId": "s1",
        "location": "westeurope",
        "vmId": "v1",
    },
}


class Metadata(http.server.BaseHTTPRequestHandler):
    """What a machine of a cloud may ask about itself, as the providers document it."""

    def do_PUT(self):
        self._answer(b"token" if self.headers["x-aws-ec2-metadata-token-ttl-seconds"] else b"")

    def do_GET(self):
        marks = ("x-aws-ec2-metadata-token", "metadata-flavor", "metadata")
        told = any(self.headers[mark] in {"token", "Google", "true"} for mark in marks)
        self._answer(json.dumps(CLOUDS[self.path]).encode() if told else b"")

    def _answer(self, body):
        self.send_response(200 if body else 403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class TestSurroundings:
    def machine(self, tmp_path, vendor):
        folder = tmp_path / "sys/class/dmi/id"
        folder.mkdir(parents=True)
        (folder / "sys_vendor").write_text(f"{vendor}\n")
        return tmp_path

    @pytest.mark.parametrize(
        ("vendor", "told"),
        [
            ("Amazon EC2", ("aws", "1", "eu-central-1", "i-1")),
            ("Google", ("gcp", "p1", "europe-west3", "7")),
            ("Microsoft Corporation", ("azure", "s1", "westeurope", "v1")),
        ],
    )
    def test_ask_the_cloud_that_the_firmware_names(self, tmp_path, metadata, vendor, told):
        here = Surroundings(root=self.machine(tmp_path, vendor), metadata=metadata)
        found = here.find("cloud")

        names = ("cloud.provider", "cloud.account.id", "cloud.region", "host.id")
        assert told == tuple(found[name] for name in names)

    def test_ask_nobody_where_the_firmware_names_none(self, tmp_path):
        here = Surroundings(root=self.machine(tmp_path, "QEMU"), metadata="127.0.0.1:1")

        assert {} == here.find("cloud")

    def test_do_without_an_answer(self, tmp_path):
        root = self.machine(tmp_path, "Amazon EC2")
        here = Surroundings(root=root, metadata="127.0.0.1:1", timeout_s=0.2)

        assert {"cloud.provider": "aws"} == here.find("cloud")

    def test_know_the_pod_by_what_it_was_handed(self, tmp_path):
        (tmp_path / "etc/podinfo").mkdir(parents=True)
        (tmp_path / "etc/podinfo/labels").write_text('app="shop"\n')
        environ = {"KUBERNETES_SERVICE_HOST": "x", "POD_NAME": "shop-1", "POD_NAMESPACE": "prod"}
        found = Surroundings(root=tmp_path, environ=environ).find("kubernetes")

        assert {
            "k8s.pod.name": "shop-1",
            "k8s.namespace.name": "prod",
            "k8s.pod.label.app": "shop",
        } == found

    def test_are_none_on_a_machine_of_ones_own(self, tmp_path):
        here = Surroundings(root=tmp_path, environ={})

        assert ({}, {}) == (here.find("kubernetes"), here.find("container"))


class TestRoute:
    def test_marks_what_fits_and_leaves_the_rest(self):
        table = {"kind": "route", "match": {"name": "audit*"}, "to": ["audit"], "store": False}
        passed = through(table, Event(name="audit.login"), Event(name="click"))
        marks = {lot.signals[0].name: lot.routes for lot in passed.lots}

        assert (("audit",), False) == (marks["audit.login"].names, marks["audit.login"].store)
        assert EVERYWHERE == marks["click"]

    def test_refuses_to_lead_nowhere(self):
        with pytest.raises(ConfigError, match=r"processors.route.to: says nowhere"):
            make_steps([{"kind": "route"}])


class TestScrub:
    CARD = "4111 1111 1111 1111"

    def test_hides_secrets_in_every_text_by_the_rules_of_the_sdk(self):
        passed = through(
            {"kind": "scrub"},
            Log(body="password=hunter2 for bob", attributes={"api_key": "k", "n": "1"}),
        )

        assert "hunter2" not in signals_of(passed)[0].body
        assert [{"api_key": "[scrubbed]", "n": "1"}] == attributes_of(passed)

    def test_hides_them_in_what_speaks(self):
        resource = Resource(service="shop", attributes={"db.password": "hunter2"})
        passed = through({"kind": "scrub"}, CheckIn(monitor="m"), resource=resource)

        assert {"db.password": "[scrubbed]"} == passed.lots[0].resource.attributes

    def test_reads_stacks_and_what_happened_in_spans(self):
        stack = json.dumps(
            [{"type": "E", "frames": [{"locals": {"password": "hunter2", "n": "1"}}]}]
        )
        events = json.dumps([{"time": 1, "name": "e", "attributes": {"token": "abc", "k": "v"}}])
        (error,) = signals_of(through({"kind": "scrub"}, Error(stack=stack)))
        (span,) = signals_of(through({"kind": "scrub"}, Span(events=events)))

        assert {"password": "[scrubbed]", "n": "1"} == json.loads(error.stack)[0]["frames"][0][
            "locals"
        ]
        assert {"token": "[scrubbed]", "k": "v"} == json.loads(span.events)[0]["attributes"]

    def test_takes_statements_their_data(self):
        passed = through(
            {"kind": "scrub"}, Span(attributes={"db.query.text": "SELECT * FROM t WHERE a = 'x'"})
        )

        assert "'x'" not in attributes_of(passed)[0]["db.query.text"]

    def test_knows_words_patterns_and_exceptions_of_ones_own(self):
        table = {"kind": "scrub", "keys": ["mood"], "patterns": [r"ORD-\d+"], "allow": ["api_key"]}
        log = Log(body="see ORD-17", attributes={"mood": "bad", "api_key": "public"})
        passed = through(table, log)

        assert "see [scrubbed]" == signals_of(passed)[0].body
        assert [{"mood": "[scrubbed]", "api_key": "public"}] == attributes_of(passed)

    def test_makes_the_same_digest_of_the_same(self):
        table = {"kind": "scrub", "hash": ["tenant", "user_id"], "hash_key": "k"}
        spans = [Span(user_id="u", attributes={"tenant": name}) for name in ("a", "a", "b")]
        first, second, third = signals_of(through(table, *spans))

        assert first.attributes == second.attributes != third.attributes
        assert first.attributes["tenant"].startswith("hash:")
        assert first.user_id.startswith("hash:")

    def test_removes_keys_and_says_it_in_other_words(self):
        table = {"kind": "scrub", "remove": ["debug.*"], "replacement": "***"}
        passed = through(table, Log(attributes={"debug.x": "1", "password": "p", "n": "1"}))

        assert [{"password": "***", "n": "1"}] == attributes_of(passed)

    def test_leaves_ids_and_many_attributes_as_they_are(self):
        links = json.dumps(
            [{"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {"password": "p"}}]
        )
        attributes = {f"k{n}": "v" for n in range(700)}
        (span,) = signals_of(through({"kind": "scrub"}, Span(links=links, attributes=attributes)))

        assert ("ab" * 16, attributes) == (json.loads(span.links)[0]["trace_id"], span.attributes)

    def test_lets_fall_what_it_cannot_read(self):
        chain = Chain(make_steps([{"kind": "scrub"}]))
        deep = "[" * 100_000 + '"password": "hunter2"'
        passed = chain.process([Lot(SHOP, ("error", [Error(stack=deep)]))])

        assert [] == passed.lots
        assert [("error", "scrub", 1)] == [(one.kind, one.by, one.number) for one in passed.fallen]
        assert 1 == chain.tallies["scrub"].failures

    @pytest.mark.parametrize(
        ("table", "told"),
        [
            ({"patterns": ["("]}, r"processors.scrub.patterns\[0\]"),
            ({"hash": ["x"]}, "processors.scrub.hash_key: is needed"),
            ({"keyz": []}, "processors.scrub.keyz: no such option; did you mean 'keys'"),
        ],
    )
    def test_says_what_is_wrong_with_it(self, table, told):
        with pytest.raises(ConfigError, match=told):
            make_steps([{"kind": "scrub", **table}])
