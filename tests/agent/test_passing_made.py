"""What a processor adds of its own, as frames: said when its signals say, and by whom."""

from qmon_agent.ingest.chain import Passed
from qmon_agent.ingest.lots import made_by_us, made_lot
from qmon_agent.ingest.passing import Framer
from qmon_sdk.protocol.frames import Resource, decode_frame
from qmon_sdk.protocol.signals import Point


def frame_of(*times):
    points = [Point(time=time, metric="m") for time in times]
    lot = made_lot(made_by_us(Resource(service="shop")), "point", points, name=b"x")
    (made,) = Framer(b"i" * 16).apart(Passed([lot], []))
    return decode_frame(made.payload)


class TestAFrameOfTheAgents:
    def test_was_said_when_its_newest_signal_was(self):
        assert 7 == frame_of(3, 7, 5).sent

    def test_was_said_at_no_time_before_there_were_any(self):
        assert 0 == frame_of(-3).sent

    def test_says_that_the_agent_speaks(self):
        assert ("shop", "agent") == (frame_of(1).resource.service, frame_of(1).resource.sdk)
