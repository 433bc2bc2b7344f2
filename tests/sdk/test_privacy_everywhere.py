"""Wherever a program writes something, what must stay secret is not in the bytes that leave."""

from __future__ import annotations

import logging

import pytest

import qmon_sdk as qmon
from qmon_sdk.logging_bridge import LoggingHandler

SECRET = "hunter2"
CARD = 4242_4242_4242_4242
SAID = f"login failed: password={SECRET}"
FACTS = {"password": SECRET, "note": SAID, "deep": {"token": SECRET, "list": [SAID]}, "n": CARD}


def in_attributes():
    with qmon.span("work", **FACTS) as span:
        span.set_attributes(FACTS)


def in_span_names():
    with qmon.span(SAID):
        qmon.current_span().update_name(SAID + "!")


def in_recorded_arguments():
    @qmon.instrument(record_args=True, record_return=True)
    def login(password, note):
        return note

    login(SECRET, SAID)


def in_attributes_of_every_call():
    @qmon.instrument(attributes=FACTS)
    def login():
        """Do nothing."""

    login()


def in_errors():
    password, note, deep = SECRET, SAID, FACTS  # noqa: F841 - a variable like any other
    try:
        raise ValueError(SAID, note, deep)
    except ValueError as error:
        error.add_note(SAID)
        qmon.capture_exception(error, attributes=FACTS)


def in_causes():
    try:
        try:
            raise KeyError(SAID)
        except KeyError as error:
            raise ExceptionGroup(SAID, [OSError(SAID)]) from error
    except ExceptionGroup as error:
        qmon.capture_exception(error)


def in_messages():
    qmon.capture_message(SAID, attributes=FACTS)


def in_events():
    qmon.track(SAID, FACTS, groups={"shop": SAID})
    qmon.identify("7", FACTS)


def in_scopes():
    with qmon.new_scope(tags=FACTS, contexts={"c": FACTS}, flags={"f": SAID}):
        qmon.set_user({"id": "7", **FACTS})
        qmon.add_breadcrumb(SAID, category=SAID, data=FACTS)
        qmon.capture_message("x")
        qmon.track("x")


def in_logs():
    qmon.log.info(SAID + " {note}", **FACTS)
    record = {"name": "shop", "levelno": 20, "msg": "%s %d", "args": (SAID, CARD), **FACTS}
    LoggingHandler().handle(logging.makeLogRecord(record))


def in_metrics():
    qmon.count("logins", attributes=FACTS)
    qmon.gauge(SAID, 1)
    qmon.distribution.bind("sizes", attributes=FACTS)(3)


def in_features_and_sessions():
    with qmon.session(user={"id": "7", **FACTS}):
        qmon.feature("export", FACTS)


PLACES = [value for name, value in list(globals().items()) if name.startswith("in_")]


@pytest.mark.parametrize("say", PLACES)
def test_no_secret_leaves(say, told):
    say()
    qmon.flush()

    sent = b"".join(told.transport.messages)
    assert b"scrubbed" in sent
    assert SECRET.encode() not in sent
    assert str(CARD).encode() not in sent


def test_what_is_said_before_init_is_scrubbed_as_init_says(told):
    @qmon.instrument(attributes={"password": SECRET, "plan": "pro"})
    def login():
        """Do nothing."""

    seen = []
    for scrub in (True, False, {"allow": ("password",), "keys": ("plan",)}):
        told.begin(scrub=scrub)
        login()
        kept = told.spans[-1].attributes
        seen.append((kept["password"], kept["plan"]))

    hidden = "[scrubbed]"
    assert [(hidden, "pro"), (SECRET, "pro"), (SECRET, hidden)] == seen


def test_no_secret_leaves_in_what_describes_the_process(told):
    told.begin(db_url=f"postgres://shop:{SECRET}@db/x", api_key=SECRET)
    qmon.count("x")
    qmon.flush()

    assert SECRET.encode() not in b"".join(told.transport.messages)


def test_nothing_is_changed(told):
    facts = {"password": SECRET, "deep": {"token": SECRET, "list": [SAID]}}
    before = repr(facts)
    qmon.track("x", facts)
    qmon.set_user(facts)
    qmon.set_context("c", facts)
    with qmon.span("x", **facts):
        qmon.capture_message("x", attributes=facts)
    qmon.flush()

    assert before == repr(facts)
