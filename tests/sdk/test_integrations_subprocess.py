"""Programs that are run: spans with names and exit codes, and nothing of what they were told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qmon_sdk.integrations.subprocess import SubprocessIntegration, program_of
from qmon_sdk.spans import span

PYTHON = Path(sys.executable).name
SHOW = "import os; print(os.environ.get('TRACEPARENT', ''), end='')"


@pytest.fixture
def watching(told):
    return told.begin(integrations=("subprocess",))


class TestRun:
    def test_is_a_span_with_the_exit_code(self, watching):
        with span("outer"):
            subprocess.run([sys.executable, "-c", "raise SystemExit(3)", "secret"], check=False)

        made = watching.span(PYTHON)
        assert ("client", "error") == (made.kind, made.status)
        assert watching.span("outer").span_id == made.parent_id
        assert "3" == made.attributes["process.exit.code"]
        assert "secret" not in str(made)

    def test_that_goes_well_is_no_error(self, watching):
        assert b"hi\n" == subprocess.check_output([sys.executable, "-c", "print('hi')"])

        made = watching.span(PYTHON)
        assert ("unset", "0") == (made.status, made.attributes["process.exit.code"])
        assert int(made.attributes["process.pid"]) > 0

    def test_of_what_is_not_there_says_so(self, watching):
        with pytest.raises(FileNotFoundError):
            subprocess.run(["/no/such/program"], check=False)

        made = watching.span("program")
        assert ("error", "FileNotFoundError") == (made.status, made.attributes["error.type"])


class TestPopen:
    def test_is_a_span_until_somebody_has_waited(self, watching):
        with subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        ) as process:
            assert process.poll() is None
            assert [] == watching.spans

        assert watching.span(PYTHON).duration_ns > 1_000_000

    def test_is_one_span_however_often_it_is_asked(self, watching):
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        process.poll()
        process.wait()

        assert 1 == len(watching.spans)
        assert not [name for name in vars(process) if "qmon" in name]

    async def test_of_asyncio_is_a_span_too(self, watching):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "exit(2)")
        assert 2 == await process.wait()

        assert "2" == watching.span(PYTHON).attributes["process.exit.code"]


class TestEnvironment:
    def test_has_no_trace_unless_that_is_wanted(self, watching):
        with span("outer"):
            assert b"" == subprocess.check_output([sys.executable, "-c", SHOW])

    @pytest.mark.parametrize("given", [None, {"PATH": os.environ["PATH"]}])
    def test_has_the_trace_if_it_is(self, told, given):
        told.begin(integrations=(SubprocessIntegration(pass_trace=True),))

        said = subprocess.check_output([sys.executable, "-c", SHOW], env=given).decode()

        made = told.span(PYTHON)
        assert f"00-{made.trace_id}-{made.span_id}-01" == said
        assert given is None or ["PATH"] == list(given)
        assert "TRACEPARENT" not in os.environ


class TestPrograms:
    @pytest.mark.parametrize(
        ("command", "options", "program"),
        [
            (["/usr/bin/git", "push"], {}, "git"),
            ("git", {}, "git"),
            ("curl -u me:secret", {}, "curl"),
            ("secret | more", {"shell": True}, "sh"),
            (["x"], {"executable": b"/bin/ls"}, "ls"),
            ([b"/bin/ls"], {}, "ls"),
            ([], {}, ""),
            (None, {}, ""),
            ("  ", {}, ""),
            (iter(["git"]), {}, ""),
        ],
    )
    def test_are_named_by_their_file(self, command, options, program):
        assert program == program_of(command, options)
