"""How the tests of a configuration are told of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "config"
WRITE = os.environ.get("QMON_GOLDEN") == "write"


@pytest.mark.parametrize(("golden", "options"), [("tests.txt", []), ("tests.json", ["--json"])])
def test_tests_of_a_configuration_are_told_of(golden, options, tmp_path):
    config = ["--config", str(HERE / "policy.toml"), "--state", str(tmp_path)]
    command = [sys.executable, "-m", "qmon_agent.cli", "check-config", "--test", *config, *options]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = told.stdout.replace(str(HERE), "HERE")
    if WRITE:
        (HERE / golden).write_text(said, encoding="utf-8")

    assert (1, "") == (told.returncode, told.stderr)
    assert (HERE / golden).read_text(encoding="utf-8") == said
    assert not options or json.loads(said)["ok"] is False
