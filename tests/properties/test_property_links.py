"""Laws of links that carry a right: what was signed is known, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.links import KEY_LASTS_NS, LONGEST, Grant, Key, seal, turned, unseal

KEY = Key(id="ab12", secret=bytes(range(32)), since=0)
OTHER = Key(id="ab12", secret=bytes(32), since=0)
TTL = 7 * 86_400 * 10**9
grants = st.builds(
    Grant,
    deed=st.sampled_from(["show", "chart", "ack", "mute_1h", "mute_24h"]),
    incident=st.text(max_size=20),
    channel=st.text(max_size=40),
    until=st.integers(0, 2**40),
    at=st.integers(0, 2**40),
)


class TestLink:
    @given(grants)
    def test_permits_what_was_signed(self, grant):
        assert grant == unseal(seal(grant, KEY), [OTHER, KEY])

    @given(grants)
    def test_of_another_key_permits_nothing(self, grant):
        assert unseal(seal(grant, OTHER), [KEY]) is None

    @given(grants, st.data())
    def test_permits_nothing_after_any_change(self, grant, data):
        text = seal(grant, KEY)
        at = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.sampled_from("Aa0-_=.% ").filter(lambda each: each != text[at]))

        assert unseal(text[:at] + letter + text[at + 1 :], [KEY]) is None
        assert unseal(text[:at], [KEY]) is None
        assert unseal(text + letter, [KEY]) is None

    @given(st.one_of(st.text(), st.text("Aa0-_.=", max_size=LONGEST + 2)))
    def test_of_anything_else_permits_nothing(self, text):
        assert unseal(text, [KEY]) is None

    @given(grants, grants)
    def test_is_as_good_as_no_other(self, grant, other):
        payload, _, mac = seal(grant, KEY).partition(".")
        elsewhere = seal(other, KEY).partition(".")[0]

        assert elsewhere == payload or unseal(f"{elsewhere}.{mac}", [KEY]) is None


class TestKeys:
    @given(st.lists(st.integers(0, 3 * KEY_LASTS_NS), min_size=1, max_size=20))
    def test_know_every_link_for_as_long_as_it_lasts(self, pauses):
        keys, now, sealed = (), 10**18, []
        for pause in pauses:
            now += pause
            keys = turned(keys, now, ttl_ns=TTL)
            assert 0 <= now - keys[-1].since < KEY_LASTS_NS
            grant = Grant(deed="ack", incident="i", channel="c", until=now + TTL)
            sealed.append((grant, seal(grant, keys[-1])))
            lasting = [(one, text) for one, text in sealed if now < one.until]
            assert all(one == unseal(text, keys) for one, text in lasting)

    @pytest.mark.parametrize("now", [10**18 - 1, 10**18 + KEY_LASTS_NS])
    def test_are_new_ones_after_their_time_and_when_a_clock_is_set_back(self, now):
        keys = turned((), 10**18, ttl_ns=TTL)

        assert keys[0] != turned(keys, now, ttl_ns=TTL)[-1]
