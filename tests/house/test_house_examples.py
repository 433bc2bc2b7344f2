"""Examples are programs: every one of them compiles, and those that stand alone run."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECRETS = {
    "CLICKHOUSE_PASSWORD": "secret",
    "COLLECTOR_TOKEN": "token",
    "DD_API_KEY": "token",
    "DISCORD_WEBHOOK": "https://chat.example/hook",
    "ELASTIC_KEY": "token",
    "GATEWAY_TOKEN": "token",
    "HASH_KEY": "secret",
    "HEARTBEAT_URL": "https://hc.example/ping",
    "INFLUX_TOKEN": "token",
    "JSM_KEY": "token",
    "LAMP_TOKEN": "token",
    "MATRIX_URL": "matrixs://me:secret@chat.example/#room",
    "MATTERMOST_WEBHOOK": "https://chat.example/hook",
    "NTFY_TOKEN": "token",
    "PAGERDUTY_KEY": "token",
    "DB_PASSWORD": "secret",
    "SHOP_METRICS_TOKEN": "token",
    "SLACK_TOKEN": "token",
    "SLACK_WEBHOOK": "https://chat.example/hook",
    "SMTP_PASSWORD": "secret",
    "TEAMS_WORKFLOW": "https://chat.example/hook",
    "TELEGRAM_TOKEN": "token",
    "TWILIO_TOKEN": "token",
    "PAGER_SECRET": "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0",
}
NEVER_ENDS = ("while True", "serve_forever")
ASKED = re.compile(r'^\$ qmon-agent query .*?"(.+)"$', re.MULTILINE)
PIECES = ("README.md", "CONTRIBUTING.md", "docs")


def pytest_generate_tests(metafunc):
    kinds = {"program": "python", "configuration": "toml", "question": "sql"}
    for argument, language in kinds.items():
        if argument in metafunc.fixturenames:
            found = FINDERS.get(language, examples)(metafunc.config.rootpath, language)
            metafunc.parametrize(argument, found.values(), ids=found.keys())


def test_every_program_runs(program, tmp_path):
    if any(words in program for words in NEVER_ENDS):
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

    limits = ("[admission", "[cardinality", "[heartbeat", "[retention", "[store")
    others = ("[sources.", "[samplers", "[[probes]]", "[[processors]]", "[[alerts]]", *limits)
    assert made.channels or made.sinks or any(section in configuration for section in others)


def test_every_question_has_an_answer(question, stores):
    from qmon_agent.app.state_views import state_tables

    telemetry, state = stores

    assert telemetry.query(question, state_tables=state_tables(state, question)).columns


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The real schemas of both stores, with nothing in them."""
    from qmon_agent.store.state import StateStore
    from qmon_agent.store.telemetry import open_readonly

    directory = tmp_path_factory.mktemp("stores")
    for folder in ("telemetry", "journal"):
        (directory / folder).mkdir()
    state = StateStore.open(f"sqlite:///{directory}/state.db")
    with open_readonly(directory) as telemetry:
        yield telemetry, state
    state.close()


@pytest.mark.parametrize("page", ["README.md"])
def test_readme_fits_one_screen_and_sets_up_with_two_commands(page, root):
    text = (root / page).read_text(encoding="utf-8")
    installs = re.findall(r"^\$ (.*pip install.*)$", text, re.MULTILINE)

    assert len(text.splitlines()) <= 70
    assert installs == [
        "python -m pip install '.[all]' && qmon-agent demo",
        "python -m pip install nox && nox",
    ]


def questions(root, language):
    """Statements in blocks of their own, and those that a command line asks."""
    asked = {
        f"{name}/{number}": sql
        for name, text in examples(root, "console").items()
        for number, sql in enumerate(ASKED.findall(text), 1)
    }
    return examples(root, language) | asked


FINDERS = {"sql": questions}


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
