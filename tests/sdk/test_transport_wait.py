"""Waiting for an answer: as long as told when there is none, no longer than it takes to come."""

import socket
from time import monotonic

import pytest

from qmon_sdk.protocol.frames import Frame, encode_frame, pack_length
from qmon_sdk.transports.memory import MemoryTransport
from qmon_sdk.transports.stream import StreamChannel
from qmon_sdk.transports.unix import PacketChannel

pytestmark = pytest.mark.timeout(30)
LONG_S, SHORT_S = 20.0, 0.02


@pytest.fixture(
    params=[(socket.SOCK_SEQPACKET, PacketChannel), (socket.SOCK_STREAM, StreamChannel)]
)
def ends(request):
    kind, channel = request.param
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.setblocking(False)
    with ours, theirs:
        yield channel(ours), theirs


def waited(wait, seconds):
    begun = monotonic()
    wait(seconds)
    return monotonic() - begun


class TestWaiting:
    def test_ends_when_something_comes(self, ends):
        channel, agent = ends
        agent.send(b"an answer")
        assert waited(channel.wait, LONG_S) < LONG_S

    def test_ends_when_the_agent_goes(self, ends):
        channel, agent = ends
        agent.close()
        assert waited(channel.wait, LONG_S) < LONG_S

    def test_ends_when_time_is_up(self, ends):
        channel, _ = ends
        assert waited(channel.wait, SHORT_S) >= SHORT_S / 2

    def test_is_bounded_on_a_closed_channel_too(self, ends):
        channel, _ = ends
        channel.close()
        assert SHORT_S / 2 <= waited(channel.wait, SHORT_S) < LONG_S

    @pytest.mark.parametrize(("acknowledges", "least"), [(True, 0), (False, SHORT_S / 2)])
    def test_is_real_where_nobody_ever_answers(self, acknowledges, least):
        transport = MemoryTransport(acknowledges=acknowledges)
        transport.send(pack_length(encode_frame(Frame(process=bytes(16), sequence=1))))
        assert least <= waited(transport.wait, SHORT_S if least else LONG_S) < LONG_S
