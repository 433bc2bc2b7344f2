"""Messages: what they say, and that nobody can say more through them."""

import base64
import hashlib
import hmac
import json
import unicodedata
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.notices import Notice
from qmon_agent.notify.alertmanager import body_of
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.notify.message import Address, clean, compose, moment

GOLDEN = Path(__file__).parents[1] / "golden"
FIRING = Notice(
    incident="29a1d22d69b9c623",
    status="firing",
    reason="breach_held",
    alert="checkout slow",
    description="People wait at the till.",
    severity="critical",
    rule="threshold",
    system="shop",
    metric="http.server.request.duration",
    threshold="> 0.5 for 10s",
    value=0.75,
    labels={"service": "shop", "http.route": "/buy"},
    event_time=1_700_000_000_000_000_000,
    since=1_700_000_000_100_000_000,
    fired_at=1_700_000_010_100_000_000,
)
ADDRESS = Address(
    key="29a1d22d69b9c623.firing.pager",
    channel="pager",
    link="http://127.0.0.1:7690/incidents/29a1d22d69b9c623",
    sent_at=1_700_000_010_200_000_000,
)


class TestMessage:
    def test_says_what_how_bad_since_when_and_against_what(self):
        message = compose(FIRING, ADDRESS)

        assert (
            "[FIRING] critical: checkout slow on shop {http.route=/buy}: "
            "http.server.request.duration = 0.75 (> 0.5 for 10s)"
        ) == message.title
        assert "since: 2023-11-14T22:13:20.100Z" in message.text
        assert "http://127.0.0.1:7690/incidents/29a1d22d69b9c623" in message.text

    def test_says_which_of_many_it_is_and_in_a_group_only_how_they_differ(self):
        disks = [
            msgspec.structs.replace(
                FIRING, labels={"service": "shop", "host": "a", "disk": disk}, text=f"{disk} full"
            )
            for disk in ("d1", "d2")
        ]
        group = msgspec.structs.replace(
            FIRING, labels={"service": "shop", "host": "a"}, text="2 firing", members=tuple(disks)
        )

        lines = compose(group, msgspec.structs.replace(ADDRESS, link="")).text.splitlines()
        title = compose(disks[0], ADDRESS).title

        assert "[FIRING] critical: checkout slow on shop {disk=d1, host=a}: d1 full" == title
        assert [
            f"- [FIRING] critical: checkout slow on shop {{disk={disk}}}: {disk} full"
            for disk in ("d1", "d2")
        ] == lines[-2:]
        assert not [line for line in lines if line.startswith("incident:")]

    def test_names_four_labels_in_a_title(self):
        many = {f"l{number}": "x" * 100 for number in range(5)}
        title = compose(msgspec.structs.replace(FIRING, labels=many), ADDRESS).title

        assert "{l0=" + "x" * 60 + "…, l1=" in title
        assert ", …}: http" in title

    def test_shows_control_characters_instead_of_obeying_them(self):
        assert r"a\x1b[31mb\nc\u202ed" == clean("a\x1b[31mb\nc\u202ed")

    @given(st.text(), st.text(), st.text(max_size=3))
    def test_has_one_line_and_no_hidden_character_whatever_was_sent(self, said, label, name):
        hostile = Notice(
            incident="i", status="firing", reason="r", alert="a", text=said, labels={name: label}
        )

        message = compose(hostile, ADDRESS)

        kinds = {
            unicodedata.category(each) for each in message.title + message.text.replace("\n", "")
        }
        assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert 1 == len(message.title.splitlines() or [""])

    def test_is_bounded(self):
        assert 1_001 == len(clean("x" * 5_000))

    def test_writes_moments_as_rfc_3339(self):
        assert "2023-11-14T22:13:20.007Z" == moment(1_700_000_000_007_000_000)


class TestAlertmanagerBody:
    def test_is_the_one_we_promised(self):
        body = json.dumps(json.loads(body_of(compose(FIRING, ADDRESS))), indent=2) + "\n"

        assert (GOLDEN / "webhook_firing.json").read_text() == body


class TestSignature:
    def test_can_be_checked_as_standard_webhooks_says(self):
        secret = b"0123456789abcdef"
        encoded = "whsec_" + base64.b64encode(secret).decode()
        channel = CHANNELS.build("webhook", {"url": "http://x", "secrets": [encoded, "old"]})

        headers = channel._signed(compose(FIRING, ADDRESS), b"{}")

        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + b"{}"
        digest = hmac.new(secret, signed, hashlib.sha256).digest()
        first, second = headers["webhook-signature"].split(" ")
        assert "v1," + base64.b64encode(digest).decode() == first
        assert first != second

    def test_knows_two_states_as_alertmanager_does(self):
        acknowledged = msgspec.structs.replace(FIRING, status="acknowledged")

        assert "firing" == json.loads(body_of(compose(acknowledged, ADDRESS)))["status"]
