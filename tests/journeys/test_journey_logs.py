"""A log file that grows while its agent is killed: every line once."""

from __future__ import annotations

import threading
import time

import pytest

LINES = 3_000
COUNTED = "SELECT count(*) AS n, count(DISTINCT body) AS lines FROM logs WHERE service = 'shop'"


@pytest.mark.slow
class TestKilledAgent:
    def test_loses_no_line_and_doubles_none(self, home):
        home.state.mkdir(parents=True)
        log = home.directory / "shop.log"
        log.touch()
        config = "[sources.log_files]\ninterval_s = 0.05\n[[sources.log_files.files]]\n"
        (home.state / "qmon.toml").write_text(f'{config}paths = ["{log}"]\n')
        home.start()
        writing = threading.Thread(target=write_slowly, args=(log,))
        writing.start()
        for pause_s in (0.7, 1.1, 0.3):
            time.sleep(pause_s)
            home.agents[-1].kill()
            home.start()
        writing.join()

        home.until(lambda: home.ask("query", COUNTED)["rows"][0]["n"] >= LINES)
        assert [{"n": LINES, "lines": LINES}] == home.ask("query", COUNTED)["rows"]


def write_slowly(log):
    with log.open("a") as file:
        for number in range(LINES):
            file.write(f"line {number}\n")
            if number % 10 == 0:
                file.flush()
                time.sleep(0.02)
