"""The links of messages: keys that stay, and what is offered to whom."""

import stat

import msgspec
import pytest

from qmon_agent.app.linking import LinkKeys, MessageLinks
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.domain.links import KEY_LASTS_NS, Grant
from qmon_agent.domain.notices import Notice
from qmon_agent.settings import Http

NOW = 1_767_225_600
DAY = 86_400
GRANT = Grant(deed="ack", incident="i", channel="slack:ops", until=NOW + DAY)
NOTICE = Notice(incident="i/1", status="firing", reason="breach", alert="hot", metric="temp")
HTTP = Http(public_url="https://qmon.example/under/", link_ttl_s=DAY)


@pytest.fixture
def clock():
    return HandClock(NOW * SECOND)


@pytest.fixture
def keys(tmp_path, clock):
    return LinkKeys(tmp_path / "links.json", clock, ttl_s=DAY)


@pytest.fixture
def links(keys, clock):
    return MessageLinks(HTTP, keys, kinds={"ops": "slack"}, clock=clock)


def named(linked):
    return [each.name for each in linked.actions]


class TestKeys:
    def test_are_read_by_their_owner_only(self, keys, tmp_path):
        keys.seal(GRANT)

        assert 0o600 == stat.S_IMODE((tmp_path / "links.json").stat().st_mode)

    def test_stay_when_the_agent_starts_again(self, keys, tmp_path, clock):
        sealed = keys.seal(GRANT)

        assert GRANT == LinkKeys(tmp_path / "links.json", clock, ttl_s=DAY).unseal(sealed)

    def test_are_turned_and_the_last_one_is_known_still(self, keys, clock):
        sealed = keys.seal(GRANT)
        clock.turn(KEY_LASTS_NS / SECOND)

        assert sealed != keys.seal(GRANT)
        assert GRANT == keys.unseal(sealed)

    def test_are_forgotten_when_the_last_link_is_over(self, keys, clock):
        sealed = keys.seal(GRANT)
        clock.turn(KEY_LASTS_NS / SECOND + DAY)

        assert keys.unseal(sealed) is None

    def test_that_are_revoked_are_no_good_after_a_restart_either(self, keys, tmp_path, clock):
        sealed = keys.seal(GRANT)
        keys.revoke()

        assert keys.unseal(sealed) is None
        assert LinkKeys(tmp_path / "links.json", clock, ttl_s=DAY).unseal(sealed) is None

    @pytest.mark.parametrize("content", [b"", b"{", b'{"keys": [1]}', b"\xff\xfe"])
    def test_that_cannot_be_read_are_made_anew(self, keys, tmp_path, content):
        (tmp_path / "links.json").write_bytes(content)

        assert GRANT == keys.unseal(keys.seal(GRANT))


class TestLinks:
    def test_stand_behind_the_public_address(self, links, keys):
        linked = links.of(NOTICE, "ops", is_log=False)
        place, _, right = linked.show.partition("?link=")

        assert "https://qmon.example/under/incidents/i%2F1" == place
        expected = Grant(deed="show", incident="i/1", channel="slack:ops", until=NOW + DAY)
        assert expected == keys.unseal(right)

    @pytest.mark.parametrize(
        ("status", "offered"),
        [
            ("firing", ["Acknowledge", "Mute for 1 h", "Mute for 24 h", "Why"]),
            ("acknowledged", ["Mute for 1 h", "Mute for 24 h", "Why"]),
            ("resolved", ["Why"]),
        ],
    )
    def test_are_of_what_can_be_done_now(self, links, status, offered):
        notice = msgspec.structs.replace(NOTICE, status=status)

        assert offered == named(links.of(notice, "ops", is_log=False))

    def test_mute_no_more_incidents_than_a_message_names(self, links):
        group = msgspec.structs.replace(NOTICE, members=(NOTICE,) * 21)

        assert ["Acknowledge", "Why"] == named(links.of(group, "ops", is_log=False))

    def test_in_a_log_carry_no_right(self, links):
        linked = links.of(NOTICE, "ops", is_log=True)

        assert ("https://qmon.example/under/incidents/i%2F1", (), "") == (
            linked.show,
            linked.actions,
            linked.chart,
        )

    def test_are_the_same_a_moment_later(self, links, clock):
        clock.turn(1)
        before = links.of(msgspec.structs.replace(NOTICE, status="resolved"), "ops", is_log=False)
        clock.turn(30)

        assert before.show == links.of(NOTICE, "ops", is_log=False).show

    def test_of_charts_are_none_where_nobody_can_fetch_them(self, keys, clock):
        options = msgspec.structs.replace(HTTP, chart_links=False)
        links = MessageLinks(options, keys, kinds={}, clock=clock)

        assert "" == links.of(NOTICE, "ops", is_log=False).chart

    def test_are_short_enough_for_every_service(self, links):
        linked = links.of(NOTICE, "a-channel-of-a-rather-long-name", is_log=False)

        assert max(len(each.link) for each in linked.actions) < 250
