"""What is special about each channel: threads, updates, pictures, buttons, and what they refuse."""

import json
import os
import ssl
import sys
import time
from pathlib import Path

import msgspec
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.notices import Notice
from qmon_agent.domain.signing import signed_headers
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.notify.channels._fitting import cut, in_bytes, in_utf16, without_marks
from qmon_agent.notify.channels.webhook import standard_body_of
from qmon_agent.notify.message import Address, compose

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def a_message(status="firing", *, chart=None, **address):
    notice = Notice(incident="abc", status=status, reason="breach", alert="hot", fired_at=1)
    usual = {"key": f"abc.{status}.here", "channel": "here", "sent_at": 1}
    message = compose(notice, Address(**usual | address))
    return msgspec.structs.replace(message, chart=chart)


@pytest.fixture
def started(services):
    """Starts services by name; what they refuse, fails the test."""
    running = []

    def start(name):
        running.append(services.SERVICES[name]())
        return running[-1]

    yield start
    for service in running:
        service.close()
    assert not [wrong for service in running for wrong in service.wrong]


class TestCut:
    @given(st.text(), st.integers(1, 30), st.sampled_from([len, in_bytes, in_utf16]))
    def test_fits_and_keeps_as_much_as_it_can(self, text, most, size):
        short = cut(text, most + 3, size)

        assert size(short) <= most + 3
        assert text == short or (text.startswith(short[:-1]) and short.endswith("…"))

    @pytest.mark.parametrize(
        ("text", "shown"),
        [("*a* [b](c)", r"\*a\* \[b\]\(c\)"), ("- x\n1. y", "\\- x\n1\\. y"), ("a-b.c", "a-b.c")],
    )
    def test_takes_marks_for_what_they_are(self, text, shown):
        assert shown == without_marks(text)


class TestSlackBot:
    async def test_keeps_one_message_up_to_date_and_says_the_news_in_its_thread(self, started):
        slack = started("slack")
        channel = CHANNELS.build("slack", slack.bot())

        first = await channel.send(a_message())
        last = await channel.send(a_message("resolved", reference=first.reference))

        [(stamp, text), (_, reply)] = slack.messages.items()
        assert f"C024BE91L/{stamp}" == first.reference
        assert ("delivered", "") == (last.outcome, last.reference)
        assert text.startswith("[RESOLVED]")
        assert [(stamp, reply)] == slack.threads

    async def test_begins_anew_when_its_message_is_gone(self, started):
        slack = started("slack")
        channel = CHANNELS.build("slack", slack.bot())

        delivery = await channel.send(a_message("resolved", reference="C024BE91L/1.1"))

        assert ("delivered", 1) == (delivery.outcome, len(slack.messages))
        assert delivery.reference

    async def test_answers_in_the_thread_when_its_message_may_not_be_changed(self, started):
        slack = started("slack")
        channel = CHANNELS.build("slack", slack.bot())
        first = await channel.send(a_message())
        slack.answers += [(200, {}, {"ok": False, "error": "edit_window_closed"})]

        await channel.send(a_message("resolved", reference=first.reference))

        assert ["[RESOLVED] warning: hot"] == [text for _, text in slack.threads]

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [("ratelimited", "retry"), ("invalid_auth", "retry"), ("no_text", "refused")],
    )
    async def test_hears_what_is_wrong_in_an_answer_that_went_well(self, started, error, outcome):
        slack = started("slack")
        slack.answers += [(200, {}, {"ok": False, "error": error})]

        delivery = await CHANNELS.build("slack", slack.bot()).send(a_message())

        assert (outcome, f"chat.postMessage: {error}") == (delivery.outcome, delivery.detail)

    async def test_has_told_where_the_answer_names_no_message(self, started):
        slack = started("slack")
        slack.answers += [(200, {}, {"ok": True})]

        delivery = await CHANNELS.build("slack", slack.bot()).send(a_message())

        assert ("delivered", "") == (delivery.outcome, delivery.reference)


@pytest.fixture
def certified(tmp_path):
    """A context for a server called `localhost`, and the file of who vouches for it."""
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context, str(ca_file)


class TestHttps:
    async def test_speaks_only_to_who_can_show_a_certificate(self, started, certified):
        service, (context, ca_file) = started("webhook"), certified
        service.socket = context.wrap_socket(service.socket, server_side=True)
        options = {"url": f"https://localhost:{service.server_port}/hook"}
        known = {"ca_file": ca_file}

        said = [
            await CHANNELS.build("webhook", options | more).send(a_message())
            for more in (known, {}, known)
        ]

        assert ["delivered", "retry", "delivered"] == [each.outcome for each in said]
        assert "its certificate is not accepted: " in said[1].detail


class TestDiscord:
    async def test_edits_its_message_and_begins_anew_when_it_is_gone(self, started):
        discord = started("discord")
        channel = CHANNELS.build("discord", discord.options())
        first = await channel.send(a_message())
        await channel.send(a_message("resolved", reference=first.reference))
        discord.answers += [(404, {}, {"message": "Unknown Message"})]

        again = await channel.send(a_message("resolved", reference=first.reference))

        assert ["1000", "1001"] == [first.reference, again.reference]
        assert "RESOLVED" in discord.messages["1000"]

    async def test_waits_for_as_long_as_the_answer_says(self, started):
        discord = started("discord")
        discord.answers += [(429, {"retry-after": "65"}, {"retry_after": 64.57, "global": False})]

        delivery = await CHANNELS.build("discord", discord.options()).send(a_message())

        assert ("retry", 64.57) == (delivery.outcome, delivery.retry_after_s)

    async def test_shows_a_picture(self, started):
        discord = started("discord")

        delivery = await CHANNELS.build("discord", discord.options()).send(a_message(chart=PNG))

        assert "delivered" == delivery.outcome
        assert {"url": "attachment://chart.png"} == discord.got[0]["embeds"][0]["image"]


class TestTelegram:
    async def test_answers_its_first_message(self, started):
        telegram = started("telegram")
        channel = CHANNELS.build("telegram", telegram.options())
        first = await channel.send(a_message())
        second = await channel.send(a_message("acknowledged", reference=first.reference))

        await channel.send(a_message("resolved", reference=second.reference))

        replies = [each.get("reply_parameters", {}).get("message_id") for each in telegram.got]
        assert [None, 1, 1] == replies

    async def test_does_without_buttons_that_it_is_refused(self, started):
        telegram = started("telegram")
        channel = CHANNELS.build("telegram", telegram.options())

        delivery = await channel.send(a_message(link="http://127.0.0.1:7690/incidents/abc"))

        assert ("delivered", 2) == (delivery.outcome, len(telegram.calls))
        assert "incident: http://127.0.0.1:7690/incidents/abc" in telegram.got[0]["text"]

    async def test_sends_a_picture_with_its_words_below(self, started):
        telegram = started("telegram")

        delivery = await CHANNELS.build("telegram", telegram.options()).send(a_message(chart=PNG))

        assert "delivered" == delivery.outcome
        assert PNG == telegram.got[0]["photo"]

    async def test_waits_for_as_long_as_the_answer_says(self, started):
        telegram = started("telegram")
        telegram.answers += [(429, {}, {"ok": False, "parameters": {"retry_after": 5}})]

        delivery = await CHANNELS.build("telegram", telegram.options()).send(a_message())

        assert ("retry", 5.0) == (delivery.outcome, delivery.retry_after_s)


class TestPaging:
    @pytest.mark.parametrize(
        ("name", "states"),
        [
            ("pagerduty", ["triggered", "acknowledged", "resolved"]),
            ("opsgenie", ["open", "acked", "closed"]),
        ],
    )
    async def test_is_one_alert_from_beginning_to_end(self, started, name, states):
        service, seen = started(name), []
        channel = CHANNELS.build(name, service.options())
        for status in ("firing", "acknowledged", "resolved"):
            for attempt in (1, 2):
                await channel.send(a_message(status, attempt=attempt))
            seen.append(service.alerts["abc"])

        assert states == seen
        assert ["abc"] == [*service.alerts]

    async def test_takes_pagerdutys_403_for_too_many(self, started):
        service = started("pagerduty")
        service.answers += [(403, {}, b"")]

        delivery = await CHANNELS.build("pagerduty", service.options()).send(a_message())

        assert ("retry", False) == (delivery.outcome, "token" in delivery.detail)

    async def test_says_what_pagerduty_dislikes(self, started):
        service = started("pagerduty")
        said = {"status": "invalid event", "message": "Event is invalid", "errors": ["no source"]}
        service.answers += [(400, {}, said)]

        delivery = await CHANNELS.build("pagerduty", service.options()).send(a_message())

        expected = f"127.0.0.1:{service.server_port}: HTTP 400: Event is invalid; no source"
        assert ("refused", expected) == (delivery.outcome, delivery.detail)


class TestNtfy:
    async def test_shows_one_push_per_incident(self, started):
        ntfy = started("ntfy")
        channel = CHANNELS.build("ntfy", ntfy.options())
        for status in ("firing", "resolved"):
            await channel.send(a_message(status))

        assert {"abc": "[RESOLVED] warning: hot"} == ntfy.shown


class TestStandardWebhook:
    async def test_is_signed_as_its_receivers_check_it(self, started):
        service = started("webhook")
        service.answers += [(200, {}, b"")]
        options = {**service.options(), "format": "standard", "secrets": ["s"]}

        await CHANNELS.build("webhook", options).send(a_message())

        [call] = service.calls
        expected = signed_headers([b"s"], name="abc.firing.here", stamp="0", body=call.body)
        assert expected.items() <= {k: call.headers[k] for k in expected}.items()
        assert "alert.firing" == json.loads(call.body)["type"]

    @pytest.mark.parametrize("letter", ["x", '"', "\U0001d54f"])
    def test_stays_below_what_receivers_take_whatever_is_in_it(self, letter):
        long = letter * 999
        words = dict.fromkeys(("alert", "text", "system", "metric", "rule", "threshold"), long)
        labels = {f"l{n}{long}": long for n in range(50)}
        one = Notice(incident="i", status="firing", reason="r", labels=labels, **words)
        group = msgspec.structs.replace(one, members=(one,) * 30, left_out=5)

        body = standard_body_of(compose(group, Address(key="k", channel="c")))

        data = json.loads(body)["data"]
        assert len(body) < 20_000
        assert 35 == len(data["members"]) + data["left_out"]

    async def test_has_headers_also_for_a_channel_with_an_odd_name(self, started):
        service = started("webhook")
        channel = CHANNELS.build("webhook", service.options())

        await channel.send(a_message(key="abc.firing.für 大"))

        assert "abc.firing.f%C3%BCr%20%E5%A4%A7" == service.calls[0].headers["webhook-id"]


class TestEmail:
    async def test_is_one_thread_per_incident(self, postbox):
        channel = CHANNELS.build("email", postbox.options())
        first = await channel.send(a_message())
        await channel.send(a_message("acknowledged", reference=first.reference))
        await channel.send(a_message("resolved", reference=first.reference))

        one, *others = postbox.taken
        assert [one["message-id"]] * 2 == [mail["in-reply-to"] for mail in others]
        assert all("<abc@example.org>" in mail["references"] for mail in postbox.taken)

    async def test_has_the_same_id_however_often_it_is_sent(self, postbox):
        channel = CHANNELS.build("email", postbox.options())
        for attempt in (1, 2):
            await channel.send(a_message(attempt=attempt))

        assert 1 == len({mail["message-id"] for mail in postbox.taken})

    async def test_shows_the_chart_inside(self, postbox):
        await CHANNELS.build("email", postbox.options()).send(a_message(chart=PNG))

        [mail] = postbox.taken
        [picture] = [part for part in mail.walk() if part.get_content_type() == "image/png"]
        assert (PNG, "<chart>") == (picture.get_content(), picture["content-id"])
        assert "cid:chart" in mail.get_body(("html",)).get_content()

    async def test_signs_in_by_starttls(self, postbox):
        who = {"user": postbox.USER, "password": postbox.PASSWORD}

        delivery = await CHANNELS.build("email", postbox.options() | who).send(a_message())

        assert ("delivered", ["qmon"]) == (delivery.outcome, postbox.signed_in)

    @pytest.mark.parametrize(
        ("security", "how"), [("tls", {"tls": True}), ("none", {"starttls": False})]
    )
    async def test_speaks_as_it_is_told_to(self, make_postbox, security, how):
        postbox = make_postbox(**how)

        delivery = await CHANNELS.build("email", postbox.options() | {"security": security}).send(
            a_message()
        )

        assert ("delivered", 1) == (delivery.outcome, len(postbox.taken)), delivery

    async def test_sends_nothing_where_no_starttls_is_offered(self, make_postbox):
        postbox = make_postbox(starttls=False)

        delivery = await CHANNELS.build("email", postbox.options()).send(a_message())

        assert ("retry", []) == (delivery.outcome, postbox.taken)
        assert "STARTTLS" in delivery.detail

    async def test_is_not_held_up_for_longer_than_it_says(self, peers):
        faulty, began = peers.Faulty("dripping"), time.monotonic()
        options = {"host": "127.0.0.1", "sender": "a@b.org", "to": ["c@d.org"], "timeout_s": 0.4}
        port = int(faulty.url.rpartition(":")[2])

        delivery = await CHANNELS.build("email", options | {"port": port}).send(a_message())

        faulty.close()
        assert "retry" == delivery.outcome
        assert time.monotonic() - began < 5

    async def test_waits_when_it_may_not_sign_in_and_tells_no_password(self, postbox):
        who = {"user": postbox.USER, "password": "wrong-secret"}

        delivery = await CHANNELS.build("email", postbox.options() | who).send(a_message())

        assert "retry" == delivery.outcome
        assert "535" in delivery.detail
        assert "wrong-secret" not in delivery.detail

    async def test_tells_nothing_to_a_server_that_it_cannot_know(self, postbox):
        channel = CHANNELS.build("email", postbox.options() | {"ca_file": ""})

        delivery = await channel.send(a_message())

        assert ("retry", []) == (delivery.outcome, postbox.taken)
        assert "its certificate is not accepted: " in delivery.detail

    @pytest.mark.parametrize(
        ("answer", "outcome"), [("451 later", "retry"), ("554 never", "refused")]
    )
    async def test_takes_a_server_at_its_word(self, postbox, answer, outcome):
        postbox.answers += [answer]

        delivery = await CHANNELS.build("email", postbox.options()).send(a_message())

        assert (outcome, f"localhost: {answer}") == (delivery.outcome, delivery.detail)

    @pytest.mark.parametrize(
        ("to", "outcome", "detail"),
        [
            (["nobody@x.org", "ops@x.org"], "delivered", "not to nobody@x.org"),
            (["nobody@x.org"], "refused", "localhost: 550 no such mailbox"),
        ],
    )
    async def test_says_whom_it_did_not_reach(self, postbox, to, outcome, detail):
        delivery = await CHANNELS.build("email", postbox.options() | {"to": to}).send(a_message())

        assert (outcome, detail) == (delivery.outcome, delivery.detail)

    async def test_waits_where_nobody_is(self, free_port):
        options = {"host": "127.0.0.1", "port": free_port, "sender": "a@b.org", "to": ["c@d.org"]}

        assert "retry" == (await CHANNELS.build("email", options).send(a_message())).outcome


def a_program(tmp_path, text):
    """A Python program that may be run."""
    file = tmp_path / "told"
    file.write_text(f"#!{sys.executable}\nimport json, os, subprocess, sys, time\n{text}\n")
    file.chmod(0o755)
    return str(file)


class TestCommand:
    async def test_hands_over_the_message_and_nothing_of_the_agents_environment(self, tmp_path):
        told = tmp_path / "out"
        program = a_program(tmp_path, "json.dump([json.load(sys.stdin), dict(os.environ)], open("
                            "sys.argv[1], 'w'))")  # fmt: skip
        options = {"program": program, "arguments": [str(told)], "environment": {"A": "b c"}}

        await CHANNELS.build("command", options).send(a_message())

        message, environment = json.loads(told.read_text())
        assert (1, "abc.firing.here") == (message["version"], message["key"])
        assert ("b c", "firing") == (environment["A"], environment["QMON_STATUS"])
        own = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "A"}
        assert {"QMON_"} == {name[:5] for name in environment.keys() - own}

    async def test_is_no_shell(self, tmp_path):
        hostile = f"$(touch {tmp_path}/x); touch {tmp_path}/x"
        program = a_program(tmp_path, "sys.exit(sys.argv[1] != os.environ['QMON_ALERT'])")
        notice = Notice(incident="i", status="firing", reason="r", alert=hostile)
        channel = CHANNELS.build("command", {"program": program, "arguments": [hostile]})

        delivery = await channel.send(compose(notice, Address(key="k", channel="c")))

        assert ("delivered", False) == (delivery.outcome, (tmp_path / "x").exists())

    @pytest.mark.parametrize(
        ("text", "outcome", "detail"),
        [
            ("sys.exit('wrong\\x1b[31m number')", "retry", r"exit code 1: wrong\x1b[31m number"),
            ("sys.exit(65)", "refused", "exit code 65"),
            ("print('s3cret'); sys.exit(2)", "retry", "exit code 2: ***"),
            ("os.kill(os.getpid(), 9)", "retry", "exit code -9"),
            ("sys.stdin.close(); print('x' * 10**6)", "delivered", ""),
        ],
    )
    async def test_says_how_it_ended(self, tmp_path, text, outcome, detail):
        options = {"program": a_program(tmp_path, text), "environment": {"TOKEN": "s3cret"}}

        delivery = await CHANNELS.build("command", options).send(a_message())

        assert outcome == delivery.outcome
        assert delivery.detail.endswith(detail)

    async def test_is_killed_at_its_deadline_with_all_it_started(self, tmp_path):
        child = tmp_path / "child"
        text = (
            "child = subprocess.Popen(['sleep', '60'])\n"
            f"open({str(child)!r} + '.new', 'w').write(str(child.pid))\n"
            f"os.rename({str(child)!r} + '.new', {str(child)!r})\n"
            "time.sleep(60)"
        )
        options = {"program": a_program(tmp_path, text), "timeout_s": 3.0}

        delivery = await CHANNELS.build("command", options).send(a_message())

        assert ("retry", True) == (delivery.outcome, "killed after 3 s" in delivery.detail)
        assert gone(int(child.read_text()))

    async def test_waits_where_the_program_is_gone(self, tmp_path):
        program = a_program(tmp_path, "")
        channel = CHANNELS.build("command", {"program": program})
        Path(program).unlink()

        assert "retry" == (await channel.send(a_message())).outcome


def gone(pid):
    """Whether nobody runs under this number, or soon nobody."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z"):
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


class TestSyslog:
    async def test_tells_one_line_with_the_key(self, log_taker):
        channel = CHANNELS.build("syslog", {"address": log_taker.address})

        await channel.send(a_message("firing"))

        line = log_taker.lines.get(timeout=10)
        assert line.startswith("<28>1 1970-01-01T00:00:00.000Z ")
        assert ' key="abc.firing.here" incident="abc" alert="hot"] \ufeff[FIRING]' in line

    @pytest.mark.parametrize(("transport", "how"), [("tcp", "a stream"), ("udp", "a datagram")])
    async def test_is_read_by_rsyslog(self, backends, transport, how):
        options = {"address": f"127.0.0.1:{backends.rsyslog.port}", "transport": transport}
        key = f'"]{how}\\'

        delivery = await CHANNELS.build("syslog", options).send(a_message(key=key))

        assert "delivered" == delivery.outcome
        line = waited_for(backends.rsyslog.log, how)
        level, program, data, text = line.split("|", 3)
        assert ("warning", "qmon") == (level, program)
        assert rf'key="\"\]{how}\\"' in data
        assert "[FIRING] warning: hot" == text.strip("\ufeff ")

    async def test_speaks_tls_to_who_can_show_a_certificate(self, make_log_taker, certified):
        context, ca_file = certified
        taker = make_log_taker(context)
        options = {"address": f"localhost:{taker.port}", "transport": "tls"}

        said = [
            await CHANNELS.build("syslog", options | more).send(a_message())
            for more in ({}, {"ca_file": ca_file})
        ]

        assert ["retry", "delivered"] == [each.outcome for each in said]
        assert "[FIRING]" in taker.lines.get(timeout=10) + taker.lines.get(timeout=10)

    async def test_waits_where_nobody_listens(self, free_port):
        channel = CHANNELS.build("syslog", {"address": f"127.0.0.1:{free_port}"})

        assert "retry" == (await channel.send(a_message())).outcome


def waited_for(log, word):
    """The line with this word in it, once the server has written it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        written = log.read_text() if log.exists() else ""
        found = [line for line in written.splitlines(keepends=True) if word in line]
        if found and found[-1].endswith("\n"):
            return found[-1].removesuffix("\n")
        time.sleep(0.02)
    raise AssertionError(f"no {word} in {log}")


class TestApprise:
    async def test_sends_at_once_and_without_a_pause_between_two(self, started):
        service = started("apprise")
        channel = CHANNELS.build("apprise", service.options())
        began = time.monotonic()
        for _ in range(3):
            await channel.send(a_message())

        assert 3 == len(service.got)
        assert time.monotonic() - began < 5  # its own pause would be five seconds each

    async def test_tries_again_what_it_is_denied_and_says_nothing_aloud(self, started, capfd):
        service = started("apprise")
        service.answers += [(400, {}, b"")]

        delivery = await CHANNELS.build("apprise", service.options()).send(a_message())

        assert ("retry", "Apprise says no") == (delivery.outcome, delivery.detail)
        assert ("", "") == tuple(capfd.readouterr())
