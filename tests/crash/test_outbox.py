"""`kill -9` at each step of evaluate, write, lease, send and complete; clocks; bad receivers.

A nursery forks off lives that work through one story; what a life without any crash tells is what
many short ones have to tell, each message once. `QMON_CRASH_ROUNDS` makes the random part longer.
"""

import importlib.util
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from qmon_agent.store.state import StateStore

HERE = Path(__file__).parent
CHILD = HERE / "outbox_child.py"
ROUNDS = int(os.environ.get("QMON_CRASH_ROUNDS", "6"))
STEPS = (
    *(f"{when}-{what}" for what in ("write", "lease", "settle") for when in ("before", "after")),
    "before-send",
    "after-send",
)
TREES = ("", "tree")
BEFORE_THE_HOUR_TWICE = datetime(2040, 10, 27, 23, 30, tzinfo=UTC)
BEFORE_THE_HOUR_LEFT_OUT = datetime(2040, 3, 24, 23, 30, tzinfo=UTC)
# Later than any clock here is set to: what ends in the story has not ended by the machine's.
BEGIN = time.time_ns() + 10 * 3_600 * 10**9
# So long ago that whatever waits has waited for long.
LONG_AGO = time.time_ns() - 3_600 * 10**9


def beside(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


child, receivers = beside("outbox_child"), beside("outbox_receivers")


class Nursery:
    """Forks off lives, and tells what they said and how they ended."""

    def __init__(self, *before):
        environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
        self.process = subprocess.Popen(
            [*before, sys.executable, str(CHILD)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.hear()

    def hear(self):
        return json.loads(self.process.stdout.readline())

    def begin(self, life):
        """Returns the process of the life, when that has begun."""
        self.process.stdin.write(msgspec.json.encode(life) + b"\n")
        self.process.stdin.flush()
        self.first = self.hear()
        return self.first["pid"]

    def end(self):
        """How the life ended, and the last thing it said after it was alive."""
        said, last = self.first, None
        if said["step"] == "alive":
            said = self.hear()
        while said["step"] != "ended":
            last, said = said, self.hear()
        return said["about"][0], last

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


@pytest.fixture(scope="module")
def nursery():
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def receiver():
    receiver = receivers.Receiver()
    yield receiver
    receiver.shutdown()
    receiver.server_close()


class Tale:
    """A story, its database, and what is in that."""

    def __init__(self, folder, receiver, control):
        self.folder, self.receiver, self.control = folder, receiver, control
        urls = {name: receiver.url(name) for name in child.EVERY}
        path = str(folder / "state.db")
        self.life = child.Life(path=path, urls=urls, begin=BEGIN)

    def be(self, **how):
        self.life = msgspec.structs.replace(self.life, **how)
        return self

    def lived(self, nursery, **how):
        """One life; how it ended, and the last it said."""
        self.receiver.caller = nursery.begin(msgspec.structs.replace(self.life, **how))
        self.receiver.is_known.set()
        return nursery.end()

    def expected(self):
        """The messages of a life without any crash: key, channel, notice."""
        return self.rows("SELECT key, channel, notice FROM outbox", self.control_of(self.life))

    def control_of(self, life):
        """Where such a life has left its books; tests of one story share it."""
        path = self.control / f"{life.tree}-{life.begin}-{life.storm}.db"
        if not path.exists():
            store = StateStore.open(f"sqlite:///{path}")
            _, observe = child.judging(store, life)
            for batch in child.story(life):
                observe(batch)
            store.close()
        return path

    def rows(self, sql, path=None):
        with closing(sqlite3.connect(path or self.folder / "state.db")) as connection:
            return connection.execute(sql).fetchall()

    def position(self):
        store = StateStore.open(f"sqlite:///{self.folder}/state.db")
        position = store.incidents.position()
        store.close()
        return int(position or 0)

    def status(self, key):
        found = dict(self.rows("SELECT key, status FROM outbox"))
        return found.get(key)

    def attempts(self, keys):
        """How often these were leased."""
        leased = dict(self.rows("SELECT key, attempts FROM outbox"))
        return sum(leased[key] for key in keys)

    def histories(self, path=None):
        """Of each incident, all it went through."""
        columns = "incident, before, after, reason, at"
        return self.rows(f"SELECT {columns} FROM transitions ORDER BY incident, id", path)

    def judge(self):
        """Every message accepted; all acceptances of a key are one message; one history."""
        expected = self.expected()
        keys = {row[0] for row in expected}
        assert dict.fromkeys(keys, "sent") == dict(self.rows("SELECT key, status FROM outbox"))
        assert keys == set(self.receiver.accepted)
        for key, bodies in self.receiver.accepted.items():
            assert 1 == len({json.dumps(_of(body), sort_keys=True) for body in bodies}), key
        told = self.rows("SELECT key, channel, notice FROM outbox")
        assert _said(expected) == _said(told)
        assert self.histories(self.control_of(self.life)) == self.histories()
        return expected


class TaleOnPostgresql(Tale):
    """The same, whose books are on a server."""

    def __init__(self, place, *rest):
        super().__init__(*rest)
        self.place = place
        self.be(dsn=place.dsn)

    def rows(self, sql, path=None):
        return super().rows(sql, path) if path else self.place.ask(sql)

    def position(self):
        store = StateStore.open(self.place.dsn)
        position = store.incidents.position()
        store.close()
        return int(position or 0)


def _said(rows):
    """By key, what is said; in which order members of a group are named is nobody's promise."""
    said = {}
    for key, channel, notice in rows:
        whole = json.loads(notice)
        members = sorted(whole.pop("members", []), key=lambda each: each["incident"])
        said[key] = (channel, whole, members)
    return said


def _of(body):
    """What of a body is the same however often it is sent; how many others fire is not."""
    kept = {name: body[name] for name in ("status", "groupLabels", "receiver")}
    alerts = [{**alert, "annotations": {}} for alert in body["alerts"]]
    return {**kept, "alerts": alerts}


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    return tmp_path_factory.mktemp("control")


@pytest.fixture
def tale(tmp_path, receiver, control):
    return Tale(tmp_path, receiver, control)


class TestTheStory:
    def test_with_a_tree_has_groups_repeats_escalation_and_a_silence(self, tale):
        told = tale.be(tree="tree").expected()
        notices = [(channel, json.loads(notice)) for _, channel, notice in told]
        members = [each["alert"] for _, said in notices for each in said.get("members", [])]

        reasons = {said["reason"] for _, said in notices}
        assert {"first", "new_alerts", "repeat", "all_resolved"} <= reasons
        assert {"hook", "pager", "boss"} == {channel for channel, _ in notices}
        assert {"hot", "held", "new"} <= set(members)
        assert any(len(said.get("members", [])) > 1 for _, said in notices)
        assert "known" in members
        begin = tale.life.begin
        told_of_known = [
            row[0]
            for row in tale.rows(
                "SELECT created_at FROM outbox WHERE notice LIKE '%\"known\"%'",
                tale.control_of(tale.life),
            )
        ]
        assert min(told_of_known) >= begin + 15 * 10**9


@pytest.mark.parametrize("tree", TREES)
class TestAbsence:
    """Receivers that are away while incidents come and go, and senders that are killed then."""

    # While the first fires still, so that something is to be told in the end.
    LENGTH = 25

    def test_leaves_nothing_open_that_was_heard_and_tells_nothing_that_came_and_went(
        self, nursery, tale, receiver, tree
    ):
        receiver.moods = {name: ["well"] for name in child.EVERY}
        tale.be(tree=tree, begin=LONG_AGO, length=self.LENGTH)
        # It has arrived, and nobody of ours knows.
        assert -9 == tale.lived(nursery, step="after-send")[0]
        receiver.moods = {name: ["503"] for name in child.EVERY}
        self.live_through_it(nursery, tale)
        receiver.moods = {name: ["well"] for name in child.EVERY}
        assert -9 == tale.lived(nursery, step="after-send")[0]
        assert (0, None) == tale.lived(nursery)

        # The silence of the story is over by the machine's clock, so more is told than by others.
        self.judge(tale)

    def live_through_it(self, nursery, tale):
        """All of the story, until somebody kills it."""
        pid = nursery.begin(msgspec.structs.replace(tale.life, lingers=True))
        assert "lived" == nursery.hear()["step"]
        os.kill(pid, 9)
        assert -9 == nursery.end()[0]

    def judge(self, tale):
        columns = "thread, channel, key, says, status, doubts, notice"
        rows = tale.rows(f"SELECT {columns} FROM outbox ORDER BY id")
        tale.expected()
        assert tale.histories(tale.control_of(tale.life)) == tale.histories()
        assert {"sent", "superseded"} == {row[4] for row in rows}
        told = {row[2] for row in rows if row[2] in tale.receiver.accepted}
        assert {row[2] for row in rows if row[4] == "sent"} <= told
        assert told <= {row[2] for row in rows if row[4] == "sent" or row[5]}
        threads = {row[:2]: [each for each in rows if each[:2] == row[:2]] for row in rows}
        for letters in threads.values():
            self.judge_thread(tale, letters, told)

    def judge_thread(self, tale, letters, told):
        over = {row[0] for row in tale.rows("SELECT id FROM incidents WHERE state = 'inactive'")}
        _, _, key, says, *_, notice = letters[-1]
        said = json.loads(notice)
        about = {each["incident"] for each in said.get("members") or [said]}
        heard = any(row[2] in told and row[3] == "firing" for row in letters)
        if says == "resolved":
            assert heard <= (key in told)
        if about <= over and not any(row[5] for row in letters):
            assert not heard
            assert key not in told
        if not about & over:
            assert key in told


class TestKillOnPostgresql:
    @pytest.mark.parametrize("step", STEPS)
    def test_at_every_step_loses_and_doubles_nothing(
        self, nursery, tmp_path, receiver, control, state_place, step
    ):
        tale = TaleOnPostgresql(state_place, tmp_path, receiver, control)
        code, last = tale.be(tree="tree").lived(nursery, step=step, at=4)

        assert (-9, step) == (code, last["step"])
        TestKill().was_there(tale, step, last["about"])
        # The next life owns it: nobody waits for a lock that a dead one had.
        assert (0, None) == tale.lived(nursery)
        tale.judge()


@pytest.mark.parametrize("tree", TREES)
class TestKill:
    @pytest.mark.parametrize("step", STEPS)
    def test_at_every_step_loses_and_doubles_nothing(self, nursery, tale, tree, step):
        code, last = tale.be(tree=tree).lived(nursery, step=step, at=4)

        assert (-9, step) == (code, last["step"])
        self.was_there(tale, step, last["about"])
        assert (0, None) == tale.lived(nursery)
        tale.judge()

    def was_there(self, tale, step, about):
        """By the database and the receiver, it died where it was to."""
        what, calls = about[0], sum(tale.receiver.calls[key] for key in about)
        if step == "before-write":
            assert tale.position() < int(what)
        elif step == "after-write":
            assert tale.position() == int(what)
            assert {"waiting", "leased"} & {
                row[0] for row in tale.rows("SELECT status FROM outbox")
            }
        elif step == "before-lease":
            assert what in child.EVERY
        elif step in {"after-lease", "before-send"}:
            assert ("leased", tale.attempts(about) - len(about)) == (tale.status(what), calls)
        elif step in {"after-send", "before-settle"}:
            assert ("leased", tale.attempts(about)) == (tale.status(what), calls)
        else:
            assert tale.status(what) in {"sent", "waiting"}
            assert calls

    @pytest.mark.parametrize("when", ["called", "read", "answered"])
    def test_by_the_receiver_itself_loses_and_doubles_nothing(
        self, nursery, tale, receiver, tree, when
    ):
        receiver.kills = (when, 3)
        code, _ = tale.be(tree=tree).lived(nursery)

        assert -9 == code
        assert tale.status(receiver.killed) in {"leased", "sent", "waiting"}
        assert when == "answered" or "leased" == tale.status(receiver.killed)
        assert (0, None) == tale.lived(nursery)
        tale.judge()

    def test_at_random_moments_loses_and_doubles_nothing(self, nursery, tale, tree):
        chance, killed = random.Random(11), 0
        tale.be(tree=tree)
        for _ in range(ROUNDS):
            pid = nursery.begin(msgspec.structs.replace(tale.life, lingers=True))
            time.sleep(chance.uniform(0, 0.25))
            os.kill(pid, 9)
            killed += nursery.end()[0] == -9

        assert ROUNDS == killed
        assert (0, None) == tale.lived(nursery)
        told = tale.judge()
        repeated = sum(tale.receiver.calls.values()) - len(told)
        print(f"{len(told)} messages, {repeated} sendings repeated, none lost")


class TestStorm:
    """What is held back and what sums it up, killed at each step of a storm."""

    @pytest.fixture
    def stormy(self, tale, receiver):
        receiver.moods = {"hook": ["well"]}
        return tale.be(storm=True)

    def test_comes_twice_in_the_story_and_holds_what_begins(self, stormy):
        said, held = self.control(stormy)

        storms = [notice["status"] for _, notice, _ in said.values() if notice["rule"] == "storm"]
        assert Counter(storms)["firing"] == Counter(storms)["resolved"] >= 2
        assert held

    @pytest.mark.parametrize("step", STEPS)
    def test_loses_and_doubles_neither_its_beginning_nor_what_sums_it_up(
        self, nursery, stormy, step
    ):
        code, last = stormy.lived(nursery, step=step, at=2)
        assert (-9, step) == (code, last["step"])
        if step.endswith("write"):
            [(noted,)] = stormy.rows("SELECT position FROM checkpoints WHERE name = 'storms'")
            assert json.loads(noted)["storms"]["hook"]["since"]
        assert (0, None) == stormy.lived(nursery)

        expected, held = self.control(stormy)
        assert expected == _said(stormy.rows("SELECT key, channel, notice FROM outbox"))
        became = dict(stormy.rows("SELECT key, status FROM outbox"))
        assert {key: "held" if key in held else "sent" for key in expected} == became
        assert expected.keys() - held == set(stormy.receiver.accepted)
        for bodies in stormy.receiver.accepted.values():
            assert 1 == len({json.dumps(_of(body), sort_keys=True) for body in bodies})

    def control(self, tale):
        """What is said without any crash, and which of it is held."""
        path = tale.control_of(tale.life)
        held = tale.rows("SELECT key FROM outbox WHERE status = 'held'", path)
        return _said(tale.expected()), {row[0] for row in held}


class TestKillWithinATransaction:
    @pytest.mark.parametrize("call", [5, 25])
    def test_loses_and_doubles_nothing(self, nursery, tale, missing, call):
        if not shutil.which("strace"):
            missing("strace")
        calls = f"inject=pwrite64:signal=SIGKILL:when={call}"
        command = ("strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=pwrite64", "-e", calls)
        assert -9 == tale.be(tree="tree").lived(nursery, step="after-write")[0]
        before, traced = tale.position(), Nursery(*command)
        try:
            code, last = tale.lived(traced)
        finally:
            traced.close()

        assert (-9, None) == (code, last)
        assert before <= tale.position() < tale.life.length
        assert (0, None) == tale.lived(nursery)
        tale.judge()


class TestClocks:
    @pytest.mark.parametrize("tree", TREES)
    @pytest.mark.parametrize("off_s", [3_600.0, -3_600.0])
    def test_that_are_set_between_lives_lose_and_double_nothing(self, nursery, tale, tree, off_s):
        assert -9 == tale.be(tree=tree).lived(nursery, step="after-settle", at=6)[0]
        assert -9 == tale.lived(nursery, step="before-settle", at=4, clock_s=off_s)[0]
        assert (0, None) == tale.lived(nursery)
        tale.judge()

    @pytest.mark.parametrize("tree", TREES)
    def test_that_are_set_while_running_keep_nothing_waiting(self, nursery, tale, tree):
        assert (0, None) == tale.be(tree=tree).lived(nursery, steps_clock=True)
        tale.judge()

    @pytest.mark.parametrize(
        ("begin", "minutes"),
        [(BEFORE_THE_HOUR_TWICE, 60), (BEFORE_THE_HOUR_LEFT_OUT, 120)],
        ids=["twice", "left-out"],
    )
    def test_hand_over_once_where_an_hour_comes_twice_or_is_left_out(
        self, nursery, tale, begin, minutes
    ):
        start = round(begin.timestamp()) * 10**9
        tale.be(tree="watch", begin=start, pace_s=300)
        assert -9 == tale.lived(nursery, step="after-write", at=3)[0]
        assert (0, None) == tale.lived(nursery)

        told = [(json.loads(row[2]), row[1]) for row in tale.judge()]
        before, after = _told_at(tale, start, minutes)
        assert before
        assert after
        assert 1 == len(before) == len(after)
        assert before != after
        assert told


def _told_at(tale, start, minutes):
    """Who was told of what fires before a moment of the story, and from then on."""
    over = start + minutes * 60 * 10**9
    rows = tale.rows("SELECT channel, created_at, notice FROM outbox")
    firing = [(row[0], row[1]) for row in rows if json.loads(row[2])["status"] == "firing"]
    before = {channel for channel, at in firing if at < over}
    return before, {channel for channel, at in firing if at >= over}


GOOD = "well"
IN_THE_END = {
    "500": ["500", "500", "well"],
    "429": ["later", "well"],
    "dated": ["dated", "well"],
    "hanging": ["hanging", "well"],
    "closing": ["closing", "closing", "well"],
    "late": ["late", "well"],
    "garbage": ["garbage", "well"],
    "redirect": ["elsewhere"],
    "refusing": ["400"],
    GOOD: ["well"],
}
DEAD = {"redirect": "HTTP 302", "refusing": "HTTP 400: no such room"}


class TestReceivers:
    @pytest.fixture
    def told(self, nursery, tale, receiver):
        """One message to a receiver of every kind, its sender killed on the way."""
        receiver.moods = {name: list(moods) for name, moods in IN_THE_END.items()}
        urls = {name: receiver.url(name) for name in IN_THE_END}
        tale.be(urls=urls, length=3, tree="every")
        assert -9 == tale.lived(nursery, step="after-settle", at=3)[0]
        assert (0, None) == tale.lived(nursery)
        columns = "channel, key, status, detail, sent_at, attempts"
        return {row[0]: row for row in tale.rows(f"SELECT {columns} FROM outbox")}

    def test_of_every_kind_have_it_once_or_a_dead_letter_says_why(self, told, receiver):
        became = {name: row[2] for name, row in told.items()}
        accepted = {name for name, row in told.items() if row[1] in receiver.accepted}

        assert {name: "dead" if name in DEAD else "sent" for name in IN_THE_END} == became
        assert set(IN_THE_END) - set(DEAD) == accepted
        assert len(accepted) == len(receiver.accepted)
        assert all(why in told[name][3] for name, why in DEAD.items())

    def test_that_hang_hold_up_no_other(self, nursery, tale, receiver):
        receiver.moods = {"slow": ["patient"], "one": ["well"], "two": ["500", "well"]}
        urls = {name: receiver.url(name) for name in receiver.moods}
        tale.be(urls=urls, length=3, tree="every", timeout_s=50)

        assert (0, None) == tale.lived(nursery)
        assert [1, 1, 2] == [len(receiver.times[name]) for name in receiver.moods]
        assert {("sent",)} == set(tale.rows("SELECT status FROM outbox"))

    def test_that_ask_for_time_get_it(self, nursery, tale, receiver):
        receiver.moods = {"seconds": ["later", "well"], "date": ["dated", "well"]}
        urls = {name: receiver.url(name) for name in receiver.moods}

        assert (0, None) == tale.be(urls=urls, length=3, tree="every").lived(nursery)
        assert [2, 2] == [len(times) for times in receiver.times.values()]
        assert all(second - first >= 0.9 for first, second in receiver.times.values())

    def test_that_answer_too_late_are_told_once_more_by_the_same_key(self, told, receiver):
        assert Counter(late=2) == Counter(late=len(receiver.accepted[told["late"][1]]))
