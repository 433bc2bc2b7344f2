"""The books of an agent go on in ClickHouse: what had been dropped stays so, and more is booked."""

import pytest

from tests.journeys.conftest import Home

PROGRAM = """
import qmon_sdk as q
q.init(service="shop")
for number in range(40):
    q.set_user({"id": ("ann-4711", "ada-4711", "bob")[number % 3]})
    with q.span("checkout"):
        q.track("bought")
assert q.flush(20), q.stats()
q.shutdown()
"""
SETTINGS = '[store]\ntelemetry = "{}"\n'


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    home.end()


def books_of(home):
    """When the store has read all there is: an agent tells of itself meanwhile."""
    found = []

    def is_read():
        found.append(home.ask("status"))
        return not found[-1]["store"]["lag"] and found[-1]["store"]["state"] == "running"

    home.until(is_read)
    return found[-1]["conservation"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_was_forgotten_before_a_move_and_after_it_is_booked(home, tmp_path):
    pytest.importorskip("chdb")
    target = f"chdb://{tmp_path}/chdb"
    agent = home.start()
    home.program(PROGRAM)
    home.ask("forget", "ann-4711")
    before = books_of(home)
    agent.terminate()
    agent.wait()
    moved = home.ask("migrate", "--to", target)
    (home.state / "qmon.toml").write_text(SETTINGS.format(target))
    home.start()
    after = books_of(home)
    home.ask("forget", "ada-4711")
    last = books_of(home)

    assert moved["ok"]
    assert 14 == before["dropped_by_reason"]["span/forgotten"]
    assert before["dropped_by_reason"] == after["dropped_by_reason"]
    assert 14 + 13 == last["dropped_by_reason"]["span/forgotten"]
    assert 14 + 13 == last["dropped_by_reason"]["event/forgotten"]
    for books in (before, after, last):
        assert books["adds_up"]
        assert not books["pending_in_journal"]
