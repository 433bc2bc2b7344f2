"""The demo, as a newcomer runs it: one command, one document, every number accounted for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 110.0
STEPS = ["view_product", "add_to_cart", "checkout", "paid"]


def environment(directory):
    ours = {k: v for k, v in os.environ.items() if not k.startswith("QMON_")}
    return {**ours, "TMPDIR": str(directory), "PYTHONPATH": str(ROOT)}


def start(directory, *options, program=("-m", "qmon_agent.cli")):
    return subprocess.Popen(
        [sys.executable, *program, "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(directory),
    )


def run(directory, *options, **more):
    demo = start(directory, *options, **more)
    output, errors = demo.communicate(timeout=PATIENCE_S)
    return demo.returncode, output, errors


def two_digits(number):
    return number == round(number, 2)


def left_behind(directory):
    """Processes that were told to live in this directory, other than us."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("QMON_STATE_DIR", "").startswith(str(directory)):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A demo that was kept, and where."""
    directory = tmp_path_factory.mktemp("demo")
    code, output, errors = run(directory, "--seconds", "12", "--keep", "--json")
    assert (0, True) == (code, "requests/s" in errors), errors
    return json.loads(output), directory


@pytest.mark.slow
class TestDemo:
    def test_accounts_for_everything_the_shop_captured(self, played):
        document, _ = played

        assert document["captured"] == document["stored"] + document["dropped"]
        tables = ("spans", "errors", "events", "sessions", "points", "logs", "checkins")
        assert document["stored"] == sum(document[table] for table in tables)
        assert all(document[table] > 0 for table in tables[:6])

    def test_delivers_alerts_to_the_receiver_and_says_how_fast(self, played):
        document, _ = played

        assert document["alerts_delivered"] >= 1
        assert 0 < document["alert_delay_ms_p50"] <= document["alert_delay_ms_max"]

    def test_shows_routes_funnel_and_host(self, played):
        document, _ = played

        routes = {route["name"]: route for route in document["routes"]}
        assert routes["GET /search"]["p95_ms"] > routes["GET /"]["p95_ms"] > 0
        assert STEPS == list(document["funnel"])
        assert all(two_digits(route["per_second"]) for route in document["routes"])
        counted = list(document["funnel"].values())
        assert counted == sorted(counted, reverse=True)
        assert 0 <= document["host"]["cpu"] <= 1

    def test_shows_the_bug_with_its_stack_and_the_users_it_met(self, played):
        document, _ = played

        (bug,) = [issue for issue in document["issues"] if issue["type"] == "KeyError"]
        assert "COUPONS[coupon]" in bug["stack"][-1]
        assert bug["times"] >= bug["users"] >= 1

    def test_keeps_the_directory_that_can_be_asked(self, played):
        document, _ = played
        sql = "SELECT count(*) AS n FROM spans WHERE service = 'shop'"
        command = ["-m", "qmon_agent.cli", "--state", document["state"], "query", sql, "--json"]
        said = subprocess.run(
            [sys.executable, *command], check=True, capture_output=True, env=environment("/tmp")
        )

        assert [{"n": document["spans"]}] == json.loads(said.stdout)["rows"]

    def test_ends_every_process(self, played):
        _, directory = played

        assert [] == left_behind(directory)


@pytest.mark.slow
class TestInterrupted:
    def test_tells_what_was_seen_and_cleans_up(self, tmp_path):
        code, output = interrupted(tmp_path)

        assert 130 == code
        assert "Ended by hand" in output
        assert "COUPONS[coupon]" in output
        assert [] == left_behind(tmp_path)
        assert [] == list(tmp_path.iterdir())

    def test_tells_one_document_with_what_is_kept(self, tmp_path):
        code, output = interrupted(tmp_path, "--keep", "--json")
        document = json.loads(output)

        assert (130, True) == (code, document["interrupted"])
        assert document["stored"] > 0
        assert document["elapsed_s"] < document["seconds"]
        assert Path(document["state"]).is_dir()

    def test_twice_ends_at_once_and_says_what_is_kept(self, tmp_path):
        demo = start(tmp_path, "--keep")
        while not any(tmp_path.glob("*/agent.log")):
            assert demo.poll() is None
        for _ in range(2):
            demo.send_signal(signal.SIGINT)
            time.sleep(0.1)  # two of a kind at once are one
        errors = demo.communicate(timeout=PATIENCE_S)[1]

        assert 130 == demo.returncode
        assert [] == left_behind(tmp_path)
        assert "Kept: " in errors


def interrupted(directory, *options):
    """A demo told to stop once the crowd was in: its exit code and output."""
    demo = start(directory, "--seconds", "60", *options)
    while "requests/s" not in demo.stderr.readline():
        assert demo.poll() is None
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=PATIENCE_S)
    return demo.returncode, output


class TestPlaces:
    @pytest.mark.parametrize("before", [True, False])
    def test_are_refused_since_the_demo_has_its_own(self, tmp_path, before):
        said = ["--state", str(tmp_path)]
        words = [*said, "demo"] if before else ["demo", *said]
        command = [sys.executable, "-m", "qmon_agent.cli", *words]
        answer = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment(tmp_path)
        )

        assert (2, "") == (answer.returncode, answer.stdout)
        assert "--state" in answer.stderr


class TestMissing:
    def test_says_what_to_install(self, tmp_path):
        source = (
            "import sys; sys.modules['flask'] = None; import qmon_agent.cli; qmon_agent.cli.main()"
        )
        code, output, errors = run(tmp_path, program=("-c", source))

        assert (2, "") == (code, output)
        assert "qmon[agent,demo]" in errors
