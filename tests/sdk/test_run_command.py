"""`qmon-run`: the program takes its place, and is watched without knowing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IS_WATCHED = (
    "import sys; c = sys.modules.get('qmon_sdk.client'); print(c and c.current().recording)"
)
SHIM = '#!/bin/sh\nexec {python} "$@"\n'


class Ran:
    """Start `qmon-run` with some words, as a process of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.python = sys.executable
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(("QMON_", "OTEL_"))}
        self.environ |= {
            "QMON_DSN": "memory:",
            "QMON_STATE_DIR": str(directory / "state"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *words, **options):
        return subprocess.Popen(
            [self.python, "-m", "qmon_sdk.run", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self.environ,
            **options,
        )

    def __call__(self, *words, expect=0):
        """Run to the end; returns what it said, lines on stdout or, if it fails, on stderr."""
        process = self.start(*words)
        said, complaints = process.communicate(timeout=60)
        assert expect == process.returncode, complaints
        if expect == 0:
            assert "" == complaints
        return (said if expect == 0 else complaints).splitlines()

    def program(self, source, name="program.py"):
        """Write a program down."""
        (self.directory / name).write_text(source)
        return name


@pytest.fixture
def ran(tmp_path):
    return Ran(tmp_path)


class TestProgram:
    def test_is_watched(self, ran):
        assert ["True"] == ran("--", "python", "-c", IS_WATCHED)

    def test_takes_the_place_of_the_command(self, ran):
        process = ran.start("--", "python", "-c", "import os; print(os.getpid())")

        assert f"{process.pid}\n" == process.communicate(timeout=60)[0]

    @pytest.mark.parametrize("code", [0, 1, 7, 255])
    def test_ends_with_its_own_exit_code(self, *, code, ran):
        ran("python", "-c", f"import os; os._exit({code})", expect=code)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
    def test_gets_the_signals_itself(self, *, number, ran):
        source = "import signal, time; signal.signal(2, signal.SIG_DFL); print(1, flush=True)"
        process = ran.start("--", "python", "-c", f"{source}; time.sleep(60)")
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=60)

        assert -number == process.returncode

    def test_sees_the_path_it_would_see_without(self, ran):
        source = "import sys; print(sys.path)"
        without = subprocess.run(
            ["python", "-c", source], env=ran.environ, check=True, capture_output=True, text=True
        )

        assert without.stdout.splitlines() == ran("--", "python", "-c", source)

    def test_inherits_no_ignored_signal(self, ran):
        said = ran("--", "sh", "-c", "grep SigIgn /proc/self/status")

        assert 0 == int(said[0].split()[1], 16) & (1 << (signal.SIGPIPE - 1))

    def test_may_be_a_file_that_nobody_can_execute(self, ran):
        ran.program(f"{IS_WATCHED}; print(sys.argv[1:])", "manage.py")

        assert ["True", "['runserver', '--x']"] == ran("--", "manage.py", "runserver", "--x")

    def test_may_be_a_script_of_the_environment(self, ran):
        script = ran.directory / "tool"
        script.write_text(f"#!{sys.executable}\n{IS_WATCHED}\n")
        script.chmod(0o755)

        assert ["True"] == ran("--", str(script))

    def test_stays_watched_in_what_it_executes(self, ran):
        source = f"import os, sys; os.execv(sys.executable, ['python', '-c', {IS_WATCHED!r}])"

        assert ["True"] == ran("--no-children", "--", "python", "-c", source)

    @pytest.mark.parametrize(("option", "expected"), [("--", "True"), ("--no-children", "None")])
    def test_has_children_that_are_watched_unless_told(self, *, option, expected, ran):
        source = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {IS_WATCHED!r}])"

        assert [expected] == ran(option, "python", "-c", source)

    def test_never_sees_the_agents_code(self, ran):
        source = "import sys; print([m for m in sys.modules if m.startswith('qmon_agent')])"

        assert ["[]"] == ran("--", "python", "-c", source)


class TestName:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ((), "program ci 1"),
            (("--service", "till", "--release=2", "--environment", "qa"), "till qa 2"),
        ],
    )
    def test_is_found_unless_told_and_is_the_childrens_too(self, *, options, expected, ran):
        ran.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_SHA": "1"}
        child = (
            "from qmon_sdk.client import current; s = current().settings;"
            "print(s.service, s.environment, s.release)"
        )
        ran.program(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])")

        assert [expected] == ran(*options, "--", "python", "program.py")


class TestSitecustomize:
    def test_of_others_still_runs_and_is_the_one_that_is_seen(self, ran):
        ran.program("import sys; sys.theirs = __file__", "sitecustomize.py")
        ran.environ["PYTHONPATH"] += f"{os.pathsep}{ran.directory}"
        source = "import sitecustomize, sys; print(sys.theirs == sitecustomize.__file__)"

        assert ["True", "True"] == ran("--", "python", "-c", f"{source}; {IS_WATCHED}")

    def test_that_fails_is_told_by_python_as_ever(self, ran):
        ran.program("1 / 0", "sitecustomize.py")
        ran.environ["PYTHONPATH"] += f"{os.pathsep}{ran.directory}"
        process = ran.start("--", "python", "-c", IS_WATCHED)
        said, complaints = process.communicate(timeout=60)

        # Once by the Python that qmon-run is, once by the one it becomes.
        assert ("True\n", 2) == (said, complaints.count("ZeroDivisionError"))

    def test_leaves_usercustomize_alone(self, ran):
        command = [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages"]
        subprocess.run([*command, str(ran.directory / "venv")], check=True)
        ran.python = str(ran.directory / "venv/bin/python")
        ran.program("import sys; sys.mine = 'mine'", "usercustomize.py")
        packages = [place for place in sys.path if place.endswith("site-packages")]
        ran.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ran.directory), *packages])

        assert ["mine", "True"] == ran(
            "--", ran.python, "-c", f"import sys; print(sys.mine); {IS_WATCHED}"
        )


class TestRefusal:
    @pytest.mark.parametrize("flag", ["-I", "-E", "-S", "-uEm"])
    def test_of_options_that_shut_us_out_says_which(self, *, flag, ran):
        (said,) = ran("--", "python", flag, "program.py", expect=2)

        assert f"-{flag.strip('-um')} " in said

    def test_of_another_environment_names_both_and_the_way_out(self, ran):
        other = ran.directory / "other"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
        said = "\n".join(ran("--", f"{other}/bin/python", "shop.py", expect=2))

        assert str(other) in said
        assert f"qmon-run -- {sys.executable} shop.py" in said

    def test_comes_late_where_a_shim_hides_the_environment(self, ran):
        other, shim = ran.directory / "other", ran.directory / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
        shim.write_text(SHIM.format(python=other / "bin/python"))
        shim.chmod(0o755)
        said = ran("--", str(shim), "-c", "print('started')", expect=2)

        assert "nothing is started" in said[0]

    def test_spares_children_of_other_environments(self, ran):
        other = ran.directory / "other"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
        source = f"import subprocess; subprocess.run(['{other}/bin/python', '-c', {IS_WATCHED!r}])"

        assert ["None"] == ran("--", "python", "-c", source)

    @pytest.mark.parametrize(("word", "code"), [("no-such-command", 127), ("./plain", 126)])
    def test_of_what_cannot_be_started_is_the_shells(self, *, word, code, ran):
        ran.program("x", "plain")

        assert word in ran("--", word, expect=code)[0]

    def test_of_no_command_shows_one(self, ran):
        assert "qmon-run -- python app.py" in ran(expect=2)[0]

    def test_of_a_dsn_that_cannot_be_names_it(self, ran):
        assert "dsn:" in ran("--dsn", "shop", "--", "python", "x.py", expect=2)[0]


class TestCheck:
    def test_says_what_was_found_and_that_the_agent_answers(self, ran):
        ran.program("")
        said = json.loads("\n".join(ran("--check", "--json", "--", "python", "program.py")))
        found = {line["name"]: line["value"] for line in said["found"]}

        assert (1, True, "program") == (said["version"], said["ok"], found["service"])
        assert "memory:" == found["agent"]

    def test_is_degraded_when_no_agent_answers(self, ran):
        ran.environ["QMON_DSN"] = f"unix://{ran.directory}/none.sock"
        process = ran.start("--check", "--", "python", "program.py")
        said, complaints = process.communicate(timeout=60)

        assert (1, "") == (process.returncode, complaints)
        assert "no agent there" in said
        assert "! agent" in said

    def test_hides_the_token(self, ran):
        process = ran.start("--check", "--dsn", "tcp://s3cr3t@127.0.0.1:1")

        assert "s3cr3t" not in process.communicate(timeout=60)[0]


class TestInstrument:
    def test_makes_spans_of_a_modules_own_public_functions(self, ran):
        ran.program("from os.path import join\ndef pay(): pass\ndef _hide(): pass\n", "till.py")
        source = "import till, qmon_sdk; till.pay(); till._hide(); till.join('a');"
        source += "qmon_sdk.flush(); print(qmon_sdk.stats().captured.get('span', 0))"

        assert ["1"] == ran("--instrument", "till", "--", "python", "-c", source)
        assert ["0"] == ran("--", "python", "-c", source)
