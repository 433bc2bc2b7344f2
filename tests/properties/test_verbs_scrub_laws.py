"""Laws of scrubbing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qmon_sdk.entropy import without_random
from qmon_sdk.rendering import HIDDEN
from qmon_sdk.scrub import Scrubber
from qmon_sdk.settings import Settings

SCRUBBER = Scrubber(Settings(max_value_length=200))
PIECES = (
    *("4111 1111 1111 1111", "4111", "1", " ", "-", "@", ".", ":", "://", "a", "b.c", "password"),
    *(
        "=",
        "'",
        '"',
        "Bearer ",
        "eyJhbGciOi",
        ".",
        "x" * 30,
        "ghp_",
        "AKIAABCDEFGH12345678",
        HIDDEN,
    ),
    *("cookie: ", "authorization: ", "token ", "Key (a)=(", "row contains (", "sig=", "%40", "\\"),
    *("duplicate entry '", "' for key", "[parameters: ", "?", "&", "#", "a_b", "%", ")", "}"),
    *(
        "--pin ",
        "pin: ",
        ":=",
        "=>",
        "('",
        "(b'",
        "', '",
        "x-api-key', b'",
        "session_id=",
        "--",
        "'--pin', ",
    ),
    *('\\"', "\\'", "pass=", "db_pass", "mysql ", "-p", "-u a:", "<token>", "</", "?code=", "tok="),
    *("'key': 'pin', 'value': ", "<![CDATA["),
    *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "api_key", "[", "]", "\n", "ß"),
)
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
TEXTS = st.one_of(HOSTILE, st.text(max_size=300))


@given(TEXTS)
def test_scrubbing_twice_is_scrubbing_once(text):
    once = SCRUBBER.text(text)
    assert once == SCRUBBER.text(once)


KEYS = st.one_of(TEXTS, st.sampled_from(["db.query.text", "url.full", "url.query", "password"]))


@given(st.dictionaries(KEYS, TEXTS, max_size=5))
def test_scrubbing_labels_twice_is_scrubbing_them_once(labels):
    once = SCRUBBER.labels(labels)
    assert once == SCRUBBER.labels(once)


@given(TEXTS, TEXTS)
def test_no_card_number_survives(before, after):
    card = "4242424242424242"
    assert card not in SCRUBBER.text(f"{before} {card} {after}")


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_any_value_becomes_a_bounded_text(value):
    assert len(SCRUBBER.value(value)) <= 200


@given(st.lists(st.sampled_from((*PIECES, "9fK2vQ7xTz4LmB8nRw3d", "aB1", "/")), max_size=25))
def test_hiding_random_words_twice_is_hiding_them_once(pieces):
    once = without_random("".join(pieces), HIDDEN)
    assert once == without_random(once, HIDDEN)
