"""Every way to a real agent: what it acknowledges is on disk, also when it was away meanwhile."""

import json
import signal

import pytest

BEGIN = """
import json, sys
import qmon_sdk as qmon
qmon.init(sys.argv[1], integrations=())
numbers = iter(range(10**9))
"""

TELLS_WHEN_ASKED = (
    BEGIN
    + """
for line in sys.stdin:
    for _ in range(int(line)):
        qmon.track("step", {"n": next(numbers)})
    done = qmon.flush(10)
    stats = qmon.stats()
    print(json.dumps([done, stats.acknowledged.get("event", 0), stats.transport]), flush=True)
"""
)

TCP = """
[sources.tcp]
enabled = true
listen = "127.0.0.1:{port}"
token_required = {token}
"""


def dsn_of(way: str, agent) -> str:
    """Start the agent so that there is this way to it, and say which way that is."""
    port = agent.tcp_port
    if way.startswith("tcp"):
        agent.configure(TCP.format(port=port, token=str("token" in way).lower()))
    agent.start()
    token = agent.ask("token", "create", "--scope", "ingest")["token"]
    return {
        "unix": f"unix://{agent.socket}",
        "tcp": f"tcp://127.0.0.1:{port}",
        "tcp, a token nobody wants": f"tcp://{token}@127.0.0.1:{port}",
        "tcp, token": f"tcp://{token}@127.0.0.1:{port}",
        "http": f"http://{token}@127.0.0.1:{agent.http_port}",
    }[way]


WAYS = ["unix", "tcp", "tcp, a token nobody wants", "tcp, token", "http"]


class TestEveryWay:
    @pytest.mark.parametrize("way", WAYS)
    def test_is_acknowledged_and_survives_the_agent(self, *, way, absent_agent, programs, measured):
        program = programs(TELLS_WHEN_ASKED, dsn_of(way, absent_agent))
        program.say(100)
        answers = [json.loads(program.hear())]
        absent_agent.stop(signal.SIGKILL)
        program.say(100)
        answers.append(json.loads(program.hear()))
        absent_agent.start()
        program.say(100)
        answers.append(json.loads(program.hear()))
        program.finish()

        events = absent_agent.wait_for("event", 300)
        measured(way=way, answers=answers, stored=len(events))
        assert [True, 100, ""] == answers[0]
        assert {str(n) for n in range(300)} == {event.attributes["n"] for event in events}
        assert 300 == len(events)
