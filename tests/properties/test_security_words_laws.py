"""What is read of security events, whatever an attacker writes."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.security_words import named_in, source_of, tame, told_in

SAFE = set(string.ascii_letters + string.digits + "_.@+-")


class TestWords:
    @given(st.text())
    def test_of_anybody_are_tame_and_tame_for_good(self, text):
        assert set(tame(text)) <= SAFE
        assert tame(text) == tame(tame(text))
        assert len(tame(text)) <= 64

    @given(st.text(), st.dictionaries(st.sampled_from(["event", "user", "source_ip"]), st.text()))
    def test_are_read_from_whatever_is_told(self, text, attributes):
        for body in (text, f'{{"event": "{text}"}}', f"authn_login_fail:{text}"):
            found = told_in(body, attributes)
            assert found is None or set(found.user) <= SAFE

    @given(st.ip_addresses(v=4))
    def test_of_an_address_are_the_address(self, address):
        assert str(address) == source_of(f" {address} ") == source_of(f"::ffff:{address}")

    @given(st.ip_addresses(v=6, network="2001:db8:1:2::/64"))
    def test_of_an_address_of_version_6_are_its_network(self, address):
        assert "2001:db8:1:2::/64" == source_of(str(address))

    @pytest.mark.parametrize("text", ["", "ann", "1.2.3", "1.2.3.4.5", "<b>", "1.2.3.4\nx"])
    def test_of_no_address_are_none(self, text):
        assert "" == source_of(text)

    def test_name_who_it_was_in_several_places(self):
        assert "ann" == named_in("authz_fail:ann,basket", {}).user
        assert "bob" == named_in("authz_fail:ann", {}, "bob").user
        assert "eve" == named_in("authz_fail:ann", {"user.id": "eve"}).user
