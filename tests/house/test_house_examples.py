"""Examples are programs: every one of them compiles, and those that stand alone run."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECRETS = {
    "COLLECTOR_TOKEN": "token",
    "PAGER_SECRET": "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0",
}
NEVER_ENDS = "while True"
PIECES = ("README.md", "CONTRIBUTING.md", "docs")


def pytest_generate_tests(metafunc):
    kinds = {"program": "python", "configuration": "toml"}
    for argument, language in kinds.items():
        if argument in metafunc.fixturenames:
            found = examples(metafunc.config.rootpath, language)
            metafunc.parametrize(argument, found.values(), ids=found.keys())


def test_every_program_runs(program, tmp_path):
    if NEVER_ENDS in program:
        compile(program, "example", "exec")
        return
    file = tmp_path / "example.py"
    file.write_text(program, encoding="utf-8")

    run = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "QMON_DSN": "memory:", "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert (0, "") == (run.returncode, run.stderr)


def test_every_configuration_is_right(configuration):
    from qmon_agent.app.checking import make_plugins
    from qmon_agent.settings import read_settings

    made = make_plugins(read_settings(configuration.encode(), SECRETS))

    assert made.channels or made.sinks


@pytest.mark.parametrize("page", ["README.md"])
def test_readme_fits_one_screen_and_sets_up_with_two_commands(page, root):
    text = (root / page).read_text(encoding="utf-8")
    installs = re.findall(r"^\$ (.*pip install.*)$", text, re.MULTILINE)

    assert len(text.splitlines()) <= 70
    assert installs == [
        "python -m pip install '.[all]' && qmon-agent demo",
        "python -m pip install nox && nox",
    ]


def examples(root, language):
    """Blocks of a language by page and number, README first."""
    pages = [root / piece for piece in PIECES]
    files = [
        file
        for page in pages
        for file in ([page] if page.is_file() else sorted(page.rglob("*.md")))
    ]
    return {
        f"{file.relative_to(root)}#{number}": text
        for file in files
        if "generated" not in file.parts
        for number, (kind, text) in enumerate(BLOCK.findall(file.read_text(encoding="utf-8")), 1)
        if kind == language
    }
