"""What is told of a server that is away: who, and why, in few words."""

import pytest

from qmon_agent.store.telemetry.engines.clickhouse.reasons import reason_of

POOL = "HTTPConnectionPool(host='box', port=8123): Max retries exceeded with url: /? (Caused by {})"
OLD = (
    "NewConnectionError('<urllib3.HTTPConnection at 0x7f>: Failed: [Errno 111] Connection refused')"
)
NEW = (
    "NewConnectionError(\"HTTPConnection(host='box', port=8123): [Errno 111] Connection refused\")"
)
NAME = (
    "NameResolutionError(\"<x>: Failed to resolve 'box' ([Errno -2] Name or service not known)\")"
)
LATE = "ConnectTimeoutError(<x at 0x7f>, 'Connection to box timed out. (connect timeout=5)')"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (OLD, "box:8123: Connection refused"),
        (NEW, "box:8123: Connection refused"),
        (NAME, "box:8123: Name or service not known"),
        (LATE, "box:8123: Connection to box timed out. (connect timeout=5)"),
    ],
)
def test_of_a_chain_the_last_cause_is_told(cause, words):
    assert reason_of(OSError(f"Error {POOL.format(cause)} executing HTTP request")) == words


def test_of_anything_else_the_first_line_is_told():
    assert reason_of(OSError("Code: 60. no table\nand more")) == "Code: 60. no table"
    assert reason_of(TimeoutError()) == "TimeoutError"
