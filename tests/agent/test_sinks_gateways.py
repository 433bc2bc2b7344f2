"""The native sink with several gateways: each sender has one, and another while that is away."""

from __future__ import annotations

from collections import Counter

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch
from qmon_agent.forward.sinks import SINKS
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, encode_frame
from qmon_sdk.protocol.signals import Span

SENDERS = 32


@pytest.fixture
def gateways(peers, tmp_path):
    """Three that keep what they take."""
    made = [peers.SIDES["native"](tmp_path) for _ in range(3)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def urls(gateways):
    return [each.receiver.url for each in gateways]


@pytest.fixture
def sink(urls, sink_with):
    return sink_with("native", urls=urls, timeout_s=0.5, away_s=0.5)


def a_round(number):
    """A frame of every sender."""
    frames = [
        Frame(
            process=sender.to_bytes(16, "big"),
            sequence=number,
            resource=Resource(service="shop"),
            blocks=blocks_of([Span(time=1, name=f"{sender}-{number}")]),
        )
        for sender in range(SENDERS)
    ]
    return Batch(id=f"r{number}", frames=tuple(frames), payloads=tuple(map(encode_frame, frames)))


def names_at(gateway):
    return [name for _, name in gateway.arrived()]


def everything(gateways):
    return Counter(name for gateway in gateways for name in names_at(gateway))


def wanted(rounds):
    return Counter(f"{sender}-{number}" for number in range(rounds) for sender in range(SENDERS))


def senders_at(gateway):
    return {name.partition("-")[0] for name in names_at(gateway)}


class TestSeveralGateways:
    def test_each_sender_stays_with_one(self, sink, gateways):
        outcomes = [sink.send(a_round(number)).outcome for number in range(3)]

        shares = [senders_at(gateway) for gateway in gateways]
        assert ["delivered"] * 3 == outcomes
        assert (SENDERS, wanted(3)) == (sum(map(len, shares)), everything(gateways))
        assert all(shares)

    def test_who_refuses_for_now_is_passed_by_and_comes_back(self, sink, gateways):
        first = gateways[0]
        first.receiver.answers += [(503, {}, b"")]
        sink.send(a_round(0))
        assert ("delivered", []) == (sink.send(a_round(1)).outcome, names_at(first))
        assert "HTTP 503" in str(sink.describe())

        number = 2
        while not names_at(first):
            sink.send(a_round(number))
            number += 1

        assert {"ok"} == {*sink.describe()["gateways"].values()}
        assert wanted(number) == everything(gateways)

    def test_who_is_gone_is_passed_by(self, urls, gateways, free_port, sink_with):
        nobody = f"http://127.0.0.1:{free_port}"
        sink = sink_with("native", urls=[*urls, nobody], timeout_s=0.5)

        outcomes = {sink.send(a_round(number)).outcome for number in range(3)}

        assert ({"delivered"}, wanted(3)) == (outcomes, everything(gateways))
        told = sink.describe()["gateways"][nobody]
        assert "the connection was refused: nothing listens there" == told

    def test_waits_where_nobody_is_there_and_sends_all_of_it_later(self, urls, gateways, sink_with):
        sink = sink_with("native", urls=urls, timeout_s=5, away_s=1)
        for gateway in gateways:
            gateway.receiver.answers += [(503, {}, b"")]

        tries = 1
        while sink.send(a_round(0)).outcome != "delivered":
            tries += 1

        assert 2 <= tries
        assert wanted(1) == everything(gateways)

    def test_each_may_have_a_token_of_its_own(self, peers, sink_with):
        heard = []

        def read(_path, headers, _body):
            heard.append(headers["authorization"])
            return [], 200, b'{"acknowledged":[]}'

        both = [peers.Recorder(read) for _ in range(2)]
        special = {"url": both[1].url, "token": "special"}
        sink = sink_with("native", urls=[both[0].url], gateways=[special], token="usual")

        sink.send(a_round(0))

        for each in both:
            each.close()
        assert {"Bearer usual", "Bearer special"} == {*heard}


class TestOptions:
    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"endpoint": "http://a", "urls": ["http://b"]},
            {"urls": ["b"]},
            {"urls": ["http://a"], "gateways": [{"url": "http://a"}]},
            {"gateways": [{"url": "http://a", "tokn": "x"}]},
        ],
    )
    def test_names_what_is_wrong(self, wrong):
        with pytest.raises(ConfigError):
            SINKS.build("native", wrong)

    def test_tells_no_secrets(self):
        sink = SINKS.build("native", {"urls": ["http://me:secret@a", "http://b"], "token": "t"})

        assert {"gateways": {"http://a": "ok", "http://b": "ok"}} == sink.describe()
