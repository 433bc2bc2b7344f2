"""Secrets in the forms that texts give them: quoted, in URLs, in commands, in markup."""

from __future__ import annotations

import pytest

import qmon_sdk as qmon
from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings

CARD = "4111111111111111"


@pytest.fixture(scope="module")
def scrubber():
    return Scrubber(Settings())


class TestSecretsInTexts:
    @pytest.mark.parametrize(
        "text",
        [
            r'{"password": "ab\"TAIL"}',
            r"{'password': 'it\'s TAIL'}",
            r'"{\"password\": \"ab\\\"TAIL\", \"x\": 1}"',
            r"'{\'password\': \'ab TAIL\'}'",
            "postgres://u:p@TAIL@db/x",
            "smtp://bob@shop.example:TAIL@mail/",
            *("pass=TAIL", "db_pass=TAIL", "DB_PASS: TAIL", "dbPass=TAIL", '{"pass": "a TAIL"}'),
            *("tok=TAIL", "creds='a TAIL'", "sid=TAIL", "--db-pass TAIL", "('db_pass', 'TAIL')"),
            "{'key': 'password', 'value': 'TAIL'}",
            r'{"name": "db_password", "value": "a\"TAIL"}',
            *("GET /back?code=TAIL", "GET /maps?x=1&key=TAIL"),
            *("mysql -u root -pTAIL shop", "['mysqldump', '-h', 'db', '-pTAIL']"),
            *("sshpass -pTAIL ssh db", "curl -u bob:TAIL http://x", "['curl', '-u', 'bob:TAIL']"),
            *("<password>TAIL</password>", "<ns:Token id='1'>a TAIL</ns:Token>"),
            "<secret><![CDATA[TAIL]]></secret>",
        ],
    )
    def test_leave_nothing_behind(self, scrubber, text):
        scrubbed = scrubber.text(text)
        assert "TAIL" not in scrubbed
        assert "[scrubbed]" in scrubbed
        assert scrubber.text(scrubbed) == scrubbed

    @pytest.mark.parametrize(
        "text",
        [
            "passed=12 compass=3 bypass=1 token_count=3 inside=4",
            *("Second pass: reading files", "pass: 12 tests", "docker run -u 1000:1000 x"),
            *("usage: login <user> <password> <host>", "mysql -p 3306", "code=404 key=7"),
            "{'key': 'colour', 'value': 'blue'}",
            "http://a:80/x@y",
        ],
    )
    def test_are_not_what_only_looks_like_them(self, scrubber, text):
        assert scrubber.text(text) == text


class TestShortNames:
    @pytest.mark.parametrize(
        "key",
        [
            *("pass", "db_pass", "user_pass", "smtp_pass", "dbPass", "tok", "creds", "dsn", "sid"),
            *("sig", "signature", "cc"),
        ],
    )
    def test_of_secrets_are_known(self, scrubber, key):
        assert scrubber.labels({key: "x"}) == {key: "[scrubbed]"}

    @pytest.mark.parametrize(
        "key", ["passed", "compass", "bypass", "token_count", "pass_count", "signal", "side", "ccx"]
    )
    def test_are_whole_words(self, scrubber, key):
        assert scrubber.labels({key: "x"}) == {key: "x"}


class TestParametersOfUrls:
    def test_are_secret_there_alone(self, scrubber):
        assert scrubber.labels({"url.query": "code=a&x=1&key=b", "code": "404", "key": "k"}) == {
            "url.query": "code=[scrubbed]&x=1&key=[scrubbed]",
            "code": "404",
            "key": "k",
        }

    def test_may_be_exempted(self):
        scrubber = Scrubber(Settings(scrub={"allow": ("code",)}))
        assert scrubber.labels({"url.query": "code=a"}) == {"url.query": "code=a"}


class TestWhoItIs:
    def test_is_no_card_in_any_column(self, qmon_capture):
        qmon.set_user({"id": CARD})
        qmon.capture_message("x")
        qmon.track("paid")
        qmon.track("paid", user_id=CARD)
        said = (*qmon_capture.errors, *qmon_capture.events)
        assert [one.user_id for one in said] == ["[scrubbed]"] * 3

    def test_is_no_card_if_said_before_the_start(self):
        from qmon_sdk.context import person

        assert person(CARD) == "[scrubbed]"

    @pytest.mark.parametrize("user", ["ann@shop.example", "7", "1764000000000000000"])
    def test_is_kept_as_it_was_said(self, qmon_capture, user):
        qmon.track("paid", user_id=user)
        assert qmon_capture.events[0].user_id == user
