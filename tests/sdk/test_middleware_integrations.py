"""Integrations: light to have, there on import, alone in their failures, gone afterwards."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap

import pytest

from qmon_sdk.client import current
from qmon_sdk.integrations import names
from qmon_sdk.integrations._imports import Imports
from qmon_sdk.integrations._watch import Watch
from qmon_sdk.start import shutdown, stats


def run(program):
    """Run a program in an interpreter of its own, and return what it says."""
    text = textwrap.dedent(program)
    command = [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert "" == done.stderr
    return done.stdout.split()


BEGIN = """
import sys
from qmon_sdk.start import init, stats
from qmon_sdk.transports.memory import MemoryTransport
init(service="test", transport=MemoryTransport(), integrations="auto")
"""

HEAVY = ("django", "fastapi", "flask", "starlette", "wrapt", "inspect", "typing", "asyncio")


class TestAuto:
    def test_knows_the_frameworks_and_the_clients(self):
        frameworks = {"aiohttp", "django", "fastapi", "flask", "starlette"}
        assert frameworks | {"httpx", "requests", "urllib3"} <= set(names())

    def test_imports_no_framework_and_nothing_heavy(self):
        before = "import sys; before = set(sys.modules)"  # start-up files of the site bring some
        assert [] == run(f"{before}\n{BEGIN}\nprint(*({set(HEAVY)} & set(sys.modules) - before))")

    def test_watches_what_is_imported_later(self):
        program = f"{BEGIN}\nprint(stats().integrations['flask'])\nimport flask\n"
        said = run(f"{program}print(stats().integrations['flask'])")

        assert "waiting for its import watching" == " ".join(said)

    def test_watches_what_was_imported_before(self):
        assert ["watching"] == run(f"import flask\n{BEGIN}\nprint(stats().integrations['flask'])")

    def test_leaves_loaders_and_the_import_path_as_they_were(self):
        assert ["True", "True"] == run(f"""
            import sys; before = list(sys.meta_path)
            {BEGIN.strip().replace(chr(10), "; ")}
            import flask, qmon_sdk.start
            print(type(flask.__loader__).__name__ == "SourceFileLoader")
            qmon_sdk.start.shutdown()
            print(before == sys.meta_path)
        """)


class TestNames:
    def test_that_are_wrong_are_told_with_the_nearest(self, told):
        told.begin(integrations=("flsk",))

        assert "did you mean 'flask'" in stats().integrations["flsk"]

    def test_choose_what_is_watched(self, told):
        told.begin(integrations="flask")

        assert ["flask"] == list(stats().integrations)

    def test_with_a_minus_are_left_out(self, told):
        told.begin(integrations=("auto", "-flask"))

        assert sorted({*names(), "uwsgi"} - {"flask"}) == sorted(stats().integrations)


class Library:
    """Something to watch."""

    def greet(self, name):
        return f"hello {name}"


@pytest.fixture
def watch(told):
    made = Watch("sys", Imports())  # a library that is there already
    yield made
    made.remove()


class TestWatch:
    def test_a_failing_integration_is_off_and_changes_nothing(self, watch):
        greet = Library.greet

        def install():
            watch.wrap(Library, "greet", lambda original: lambda self, name: "broken")
            watch.wrap(Library, "missing", lambda original: original)

        watch.begin(install)
        assert str(watch).startswith("off: AttributeError")
        assert greet is Library.greet

    def test_an_observer_that_fails_is_counted_and_harms_nobody(self, watch):
        watch.before(Library, "greet", lambda self, name: 1 / 0)

        with pytest.raises(ZeroDivisionError):  # loud here, because this is pytest
            Library().greet("ann")
        assert 1 == sum(current().trouble.values())

    def test_observers_see_arguments_and_results(self, watch):
        seen = []
        watch.before(Library, "greet", lambda self, name: seen.append(name))
        watch.after(Library, "greet", lambda result, self, name: seen.append(result))

        assert "hello ann" == Library().greet("ann")
        assert ["ann", "hello ann"] == seen

    def test_keeps_the_name_and_the_text_of_what_it_wraps(self, watch):
        watch.before(Library, "greet", print)

        assert "Library.greet" == Library.greet.__qualname__

    def test_leaves_a_patch_of_somebody_else_alone(self, watch):
        greet = Library.greet
        watch.before(Library, "greet", lambda self, name: None)
        ours = Library.greet
        Library.greet = theirs = functools.partialmethod(ours)
        watch.remove()

        assert theirs is vars(Library)["greet"]
        Library.greet = greet

    def test_is_undone_by_shutdown(self, told):
        told.begin(integrations=("flask",))
        watch = current().integrations["flask"]
        shutdown(timeout=0)

        assert "removed" == str(watch)
