"""What must not leave the process, and what must."""

from __future__ import annotations

import time

import pytest

from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings


@pytest.fixture(scope="module")
def scrubber():
    return Scrubber(Settings())


class TestKeys:
    @pytest.mark.parametrize(
        "key",
        [
            *("password", "user_password", "DB_PASSWORD", "dbpassword", "passwd", "clientSecret"),
            *("api_key", "apiKey", "x-api-key", "APIKEY", "token", "access_token", "csrftoken"),
            *("Authorization", "http.request.header.authorization", "Cookie", "set-cookie"),
            *("session", "session_id", "sessionid", "credit_card", "card_number", "cvv", "ssn"),
            *("iban", "aws_secret_access_key", "private_key", "X-CSRF-Token", "jwt", "pin"),
        ],
    )
    def test_of_secrets_are_known_however_they_are_written(self, scrubber, key):
        assert scrubber.labels({key: "x"}) == {key: "[scrubbed]"}

    @pytest.mark.parametrize(
        "key",
        [
            *("user.id", "http.route", "classname", "cardinality", "author", "tokens", "secretary"),
            *("token_count", "session_duration", "card_type", "keyboard", "monkey", "passenger"),
            *("max_tokens", "http.request.method", "order_id", "primary_key", "discarded"),
        ],
    )
    def test_of_other_things_are_left_alone(self, scrubber, key):
        assert scrubber.labels({key: "x"}) == {key: "x"}

    def test_words_of_ones_own_are_added_by_the_setting(self):
        scrubber = Scrubber(Settings(scrub=("Mood",)))
        assert scrubber.labels({"user_mood": "bad", "pin": 1}) == {
            "user_mood": "[scrubbed]",
            "pin": "[scrubbed]",
        }

    def test_nothing_is_hidden_when_it_is_off(self):
        scrubber = Scrubber(Settings(scrub=False))
        assert scrubber.labels({"password": "a@b.example"}) == {"password": "a@b.example"}


class TestValues:
    @pytest.mark.parametrize(
        ("text", "scrubbed"),
        [
            ("postgres://shop:hunter2@db/x", "postgres://[scrubbed]@db/x"),
            ("Authorization: Bearer abc123.def456", "Authorization: Bearer [scrubbed]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJl!", "[scrubbed]!"),
            ("key AKIA" + "ABCDEFGH12345678 is out", "key [scrubbed] is out"),
            ("ghp_" + "a1" * 18, "[scrubbed]"),
            ("xoxb-" + "1234567890-abcdef", "[scrubbed]"),
            ("sk_live_" + "0123456789abcdef", "[scrubbed]"),
            ("paid with 4111 1111 1111 1111.", "paid with [scrubbed]."),
            ("paid with 5500-0000-0000-0004", "paid with [scrubbed]"),
            ("mail to ann.lee+x@shop.example now", "mail to [scrubbed] now"),
            ("GET /login?user=7&password=hunter2&x=1", "GET /login?user=7&password=[scrubbed]&x=1"),
            ('{"api_key": "s3", "a": 1}', '{"api_key": [scrubbed], "a": 1}'),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nrest",
                "[scrubbed]\nrest",
            ),
        ],
    )
    def test_that_look_secret_are_hidden(self, scrubber, text, scrubbed):
        assert scrubbed == scrubber.text(text)

    @pytest.mark.parametrize(
        "text",
        [
            "paid 1764000000000000000 ns after 4111111111111112",
            "trace 4bf92f3577b34da6a3ce929d0e0e4736",
            "https://shop.example/cart?item=12:30",
            "a basic function of the bearer",
            "2026-11-23 10:20:30,123 INFO key: found",
            "order 12 could not be paid: timeout after 30 s",
        ],
    )
    def test_that_do_not_are_left_alone(self, scrubber, text):
        expected = text.replace("key: found", "key: found")
        assert expected == scrubber.text(text)

    def test_addresses_stay_when_personal_data_may(self):
        assert (
            Scrubber(Settings(send_default_pii=True)).text("ann@shop.example") == "ann@shop.example"
        )

    def test_nested_secrets_are_hidden_and_nothing_is_changed(self, scrubber):
        original = {"user": {"name": "Ann", "password": "hunter2"}, "cards": ["4111111111111111"]}
        labels = scrubber.labels(original)
        assert labels["user"] == "{'name': 'Ann', 'password': '[scrubbed]'}"
        assert "4111" not in labels["cards"]
        assert original["user"]["password"] == "hunter2"

    def test_are_bounded(self):
        scrubber = Scrubber(Settings(max_value_length=100))
        labels = scrubber.labels({**dict.fromkeys(range(1000), 1), "x": "y" * 10_000})
        assert len(labels) == 256
        assert len(scrubber.text("y" * 10_000)) == 100


class TestTime:
    @pytest.mark.parametrize(
        "seed",
        [
            *(
                "eyJ",
                "-eyJ",
                "://",
                "://a:",
                "a@",
                "a.",
                "4 ",
                "41-",
                "bearer ",
                "password=",
                "key",
            ),
            *("-----BEGIN PRIVATE KEY-----", "ghp_", "A", "'", "secret:'", "xoxb-", "sk-", "@a.b"),
            *("mysql ", "mysql -h a ", " -u a:", "<password>", "<password a=", "://a:b@", "?code="),
            *(
                r'password="\"',
                r"password=\\'",
                "'key': 'password', 'value': '",
                "pass",
                "db_pass=\\",
            ),
        ],
    )
    def test_is_linear_in_the_length_of_hostile_text(self, seed):
        scrubber = Scrubber(Settings(max_value_length=1 << 20))
        text = seed * (200_000 // len(seed))
        scrubber.text(seed)
        began = time.perf_counter()
        scrubber.text(text)
        assert time.perf_counter() - began < 3
