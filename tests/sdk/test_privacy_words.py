"""What each kind of secret looks like, and what the application says about it."""

from __future__ import annotations

import json

import pytest

import qmon_sdk as qmon
from qmon_sdk.entropy import is_random, without_random
from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings, SettingsError
from qmon_sdk.testing import capture


@pytest.fixture(scope="module")
def scrubber():
    return Scrubber(Settings())


class TestStatements:
    @pytest.mark.parametrize("key", ["db.query.text", "db.statement"])
    def test_lose_their_data(self, scrubber, key):
        kept = scrubber.labels({key: "SELECT a FROM t WHERE b = 'Ann' AND c IN (1, 2)"})
        assert kept == {key: "SELECT a FROM t WHERE b = ? AND c IN (?)"}

    def test_keep_their_parameters_to_themselves(self, scrubber):
        assert scrubber.labels({"db.query.parameter.0": "Ann"}) == {
            "db.query.parameter.0": "[scrubbed]"
        }

    @pytest.mark.parametrize(
        ("message", "kept"),
        [
            (
                "no\nDETAIL:  Key (email)=(ann) already exists.",
                "no\nDETAIL:  Key (email)=([scrubbed])",
            ),
            ("Failing row contains (1, Ann, x).", "Failing row contains ([scrubbed])"),
            (
                "Duplicate entry 'O'Neill' for key 'users.name'",
                "Duplicate entry '[scrubbed]' for key 'users.name'",
            ),
            (
                "no\n[SQL: SELECT ?]\n[parameters: ('Ann', [1])]\n(Background)",
                "no\n[SQL: SELECT ?]\n[parameters: [scrubbed]]\n(Background)",
            ),
        ],
    )
    def test_that_were_refused_tell_no_data(self, scrubber, message, kept):
        assert kept == scrubber.text(message)


class TestAddresses:
    @pytest.mark.parametrize("key", ["url.full", "http.url", "url.query", "http.target"])
    def test_lose_what_stands_under_the_name_of_a_secret(self, scrubber, key):
        url = "https://shop.example/a?session_id=abc&page=2&access_token=x#top"
        kept = "https://shop.example/a?session_id=[scrubbed]&page=2&access_token=[scrubbed]#top"
        assert scrubber.labels({key: url}) == {key: kept}

    def test_lose_who_is_let_in(self, scrubber):
        assert scrubber.text("redis://:pw@host") == "redis://[scrubbed]@host"

    def test_lose_people(self, scrubber):
        assert scrubber.text("/u?mail=ann%40shop.example") == "/u?mail=[scrubbed]"


class TestHeaders:
    @pytest.mark.parametrize(
        "name",
        [
            *("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"),
            *("x-auth-token", "x-csrf-token", "x-amz-security-token", "x-forwarded-for"),
        ],
    )
    def test_of_secrets_are_hidden(self, scrubber, name):
        assert scrubber.hides(f"http.request.header.{name}")

    @pytest.mark.parametrize("name", ["accept", "content-type", "user-agent", "x-request-id"])
    def test_of_other_things_are_not(self, scrubber, name):
        assert not scrubber.hides(f"http.request.header.{name}")

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("Authorization: Token abc", "Authorization: Token [scrubbed]"),
            ("authorization: abc", "authorization: [scrubbed]"),
            ('Authorization: Digest username="x", a="y"', "Authorization: Digest [scrubbed]"),
            ("Cookie: a=b; c=d\nHost: x", "Cookie: [scrubbed]\nHost: x"),
            ('{"set-cookie": "a=b; c", "x": 1}', '{"set-cookie": [scrubbed], "x": 1}'),
            ('{\\"password\\": \\"x y\\", 1}', '{\\"password\\": [scrubbed], 1}'),
            ('password="never closed', "password=[scrubbed]"),
            (f"password='{'x' * 5000}' y", "password=[scrubbed] y"),
            ("https://x.example/?sig=abc&a=1", "https://x.example/?sig=[scrubbed]&a=1"),
        ],
    )
    def test_in_texts_lose_their_values(self, scrubber, text, kept):
        assert kept == scrubber.text(text)


class TestNamesInTexts:
    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("pin=1234", "pin=[scrubbed]"),
            ("user 3 (PIN: 1234) let in", "user 3 (PIN: [scrubbed] let in"),
            ("password: hunter2", "password: [scrubbed]"),
            ("password := hunter2", "password := [scrubbed]"),
            ("password => hunter2", "password => [scrubbed]"),
            ("password=b'hunter2 x', 3", "password=[scrubbed], 3"),
            ("card_number=12 cvv2: 123", "card_number=[scrubbed] cvv2: [scrubbed]"),
            ("sessionid=ab; jwt=cd", "sessionid=[scrubbed]; jwt=[scrubbed]"),
            ("run --token abc --level 3", "run --token [scrubbed] --level 3"),
            ("run --db-password 'a b'", "run --db-password [scrubbed]"),
            ("['run', '--token', 'abc', '-v']", "['run', '--token', [scrubbed], '-v']"),
            ("run --token --level 3", "run --token --level 3"),
            ("['--token', '--pin', '-v']", "['--token', '--pin', '-v']"),
            ("[('x-api-key', 'abc')]", "[('x-api-key', [scrubbed])]"),
            ("[(b'cookie', b'a=b; c'), (b'a', b'b')]", "[(b'cookie', [scrubbed]), (b'a', b'b')]"),
        ],
    )
    def test_hide_what_follows(self, scrubber, text, kept):
        assert kept == scrubber.text(text)

    @pytest.mark.parametrize(
        "text",
        [
            "spin=3, span: x, mapping: y, expand=1, shopping: done",
            "tokens: 512, cardinality=3, account: shop, session: begun",
            "a token is needed -- and a pin",
            "['id', 'name'] --level 3",
        ],
    )
    def test_that_are_no_names_of_secrets_hide_nothing(self, scrubber, text):
        assert text == scrubber.text(text)

    def test_may_be_ones_own(self):
        scrubber = Scrubber(Settings(scrub=("mothers_name", "mood")))
        said = "mothersName=Ann Mothers-Name: Lee mood=bad moody=x"
        kept = "mothersName=[scrubbed] Mothers-Name: [scrubbed] mood=[scrubbed] moody=x"
        assert kept == scrubber.text(said)

    def test_are_columns_in_a_statement(self, scrubber):
        said = "SELECT a FROM t JOIN u ON t.session_id = u.id WHERE pin = ?"
        assert said == scrubber.labels({"sql": said})["sql"]


class TestPairs:
    @pytest.mark.parametrize("name", ["x-api-key", b"authorization", "--token", "dbPassword"])
    @pytest.mark.parametrize("row", [list, tuple])
    def test_of_a_name_and_a_secret_are_known(self, scrubber, name, row):
        kept = scrubber.value([row((name, "hunter2")), row((b"accept", b"text/html"))])
        assert "hunter2" not in kept
        assert "text/html" in kept

    def test_may_be_all_there_is(self, scrubber):
        assert "('pin', '[scrubbed]')" == scrubber.value(("pin", 1234))

    def test_are_of_a_command_too(self, scrubber):
        said = scrubber.value(["psql", "--password", "hunter2", "--host", "db"])
        assert "['psql', '--password', '[scrubbed]', '--host', 'db']" == said

    def test_are_not_what_else_there_is_two_of(self, scrubber):
        for value in (["name", "Ann"], ["a", "token"], ["token", "a", "b"], [1, 2]):
            assert repr(value) == scrubber.value(value)


class TestNumbers:
    CARDS = (4111_1111_1111_1111, 5500_0000_0000_0004, 3782_822463_10005, 6011_0000_0000_0004)

    @pytest.mark.parametrize("number", [*CARDS, float(CARDS[0]), [CARDS[0]], str(CARDS[0])])
    def test_of_cards_are_hidden(self, scrubber, number):
        assert "1111" not in scrubber.labels({"a": number})["a"]
        assert "[scrubbed]" in scrubber.value(number)

    @pytest.mark.parametrize(
        "number",
        [
            *(1_764_000_000_000_000_002, 1_764_000_000_002, 1_764_000_000_000_008),  # times
            *(4111_1111_1111_1112, 7992739871300018, 411111111111, 1.5, 4.5e12, 4e300),
            *(461_111_111_111_111_110, -4111_1111_1111_1111, (1 << 63) - 1, True),
        ],
    )
    def test_of_other_things_are_not(self, scrubber, number):
        expected = repr(number) if number is not True else "true"
        assert {"a": expected} == scrubber.labels({"a": number})
        assert expected == scrubber.value(number)

    def test_are_kept_where_nothing_is_scrubbed(self):
        kept = Scrubber(Settings(scrub=False)).labels({"a": self.CARDS[0]})
        assert {"a": str(self.CARDS[0])} == kept


class TestWhatNobodyNamed:
    @pytest.mark.parametrize(
        "word",
        [
            "AKfycbzX9T2s8kQm1pLw",
            "aHR0cHM6Ly9leGFtcGxlLmNvbS9wYXRoP3E9MQ==",
            "9fK2vQ7xTz4LmB8nRw3d",
        ],
    )
    def test_is_hidden_when_it_is_random(self, word):
        assert without_random(f"a {word} b", "-") == "a - b"

    @pytest.mark.parametrize(
        "word",
        [
            *("getUserById2FromCacheManagerImpl", "path/To/Some/File2024/Report1/Final"),
            *("4bf92f3577b34da6a3ce929d0e0e4736", "550e8400-e29b-41d4-a716-446655440000"),
            *("iPhone15ProMax256GBTitaniumBlue", "/usr/lib/python3.13/site-packages/Foo/Bar2"),
            *("x" * 40, "1" * 40, "A" * 40),
        ],
    )
    def test_stays_when_somebody_made_it_up(self, word):
        assert not is_random(word)

    def test_is_hidden_in_variables(self, qmon_capture):
        nobody_knows = "9fK2vQ7x" + "Tz4LmB8nRw3d"
        try:
            raise ValueError
        except ValueError as error:
            qmon.capture_exception(error)
        assert nobody_knows not in qmon_capture.errors[0].stack


class TestPeople:
    def test_are_known_when_somebody_said_so_on_purpose(self, qmon_capture):
        who = {"id": "7", "email": "ann@shop.example", "ip_address": "10.0.0.1"}
        qmon.set_user(who)
        qmon.capture_message("x")
        attributes = qmon_capture.errors[0].attributes
        assert {key: attributes[f"user.{key}"] for key in who} == who

    def test_are_known_by_what_identifies_them(self, qmon_capture):
        qmon.identify("7", {"email": "ann@shop.example", "password": "x"})
        assert {"email": "ann@shop.example", "password": "[scrubbed]"} == (
            qmon_capture.events[0].attributes
        )

    @pytest.mark.parametrize("key", ["client.address", "ip_address", "REMOTE_ADDR", "x-real-ip"])
    def test_are_hidden_everywhere_else(self, scrubber, key):
        assert scrubber.labels({key: "10.0.0.1", "to": "ann@shop.example"}) == {
            key: "[scrubbed]",
            "to": "[scrubbed]",
        }

    def test_are_shown_when_they_may_be(self):
        facts = {"client.address": "10.0.0.1", "to": "ann@shop.example"}
        assert Scrubber(Settings(send_default_pii=True)).labels(facts) == facts


class TestTheSetting:
    def test_adds_keys_of_several_words(self):
        scrubber = Scrubber(Settings(scrub={"keys": ("mothers_name", "Mood")}))
        assert scrubber.hides("user.mothersName")
        assert scrubber.hides("mood")
        assert not scrubber.hides("mothers")

    def test_adds_patterns(self):
        scrubber = Scrubber(Settings(scrub={"patterns": (r"ORD-\d+",)}))
        assert scrubber.text("see ORD-123, password=x") == "see [scrubbed], password=[scrubbed]"

    def test_exempts_keys(self):
        scrubber = Scrubber(Settings(scrub={"allow": ("session_id", "Contact")}))
        facts = {"session_id": "abc", "contact": "ann@shop.example", "password": "x"}
        assert scrubber.labels(facts) == {**facts, "password": "[scrubbed]"}

    def test_turns_it_off(self):
        facts = {"password": "x", "db.query.text": "SELECT 'Ann'", "client.address": "10.0.0.1"}
        assert Scrubber(Settings(scrub=False)).labels(facts) == facts

    @pytest.mark.parametrize(
        "wrong", [{"words": ("x",)}, {"keys": "x"}, {"patterns": ("(",)}, (3,), {"allow": (None,)}]
    )
    def test_is_refused_when_it_cannot_be(self, wrong):
        with pytest.raises(SettingsError, match="scrub:"):
            qmon.init(scrub=wrong)

    def test_holds_for_variables_and_source(self):
        with capture(scrub={"keys": ("mood",), "patterns": (r"ORD-\d+",)}) as told:
            qmon.capture_exception(raised("ORD-123"))
            frame = json.loads(told.errors[0].stack)["chain"][0]["frames"][-1]
            assert frame["locals"]["mood"] == "[scrubbed]"
            assert "ORD-123" not in told.errors[0].stack


def raised(value):
    mood = "bad"
    try:
        raise ValueError(value)
    except ValueError as error:
        del value
        return error if mood else None
