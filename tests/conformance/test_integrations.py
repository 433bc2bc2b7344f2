"""Every integration, ours and those to come: light, in any order, gone without a trace, alone.

A new file in `qmon_sdk/integrations/` is held to this at once. It brings `uses/<name>.py` along,
which uses the library once, from begin to end: `use(servers)`, a generator (or an async one) that
yields once in the middle of it, and `TELLS`, the kinds of signals that come of it (`()` if none).
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from qmon_sdk.integrations import MODULES, names
from qmon_sdk.start import shutdown, stats
from qmon_sdk.testing import capture

HERE = Path(__file__).parent
KINDS = ("span", "error", "log", "point", "checkin", "event")
WAITING, WATCHING = "waiting for its import", "watching"

pytestmark = pytest.mark.parametrize("name", names())


@pytest.fixture(scope="module")
def examined():
    """What `integration_child.py` found out about each, asked once."""
    known = {}

    def examine(name):
        if name not in known:
            command = [sys.executable, HERE / "integration_child.py", name]
            run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
            assert "" == run.stderr
            known[name] = json.loads(run.stdout)
        return known[name]

    return examine


@pytest.fixture
def found(name, examined, missing):
    about = examined(name)
    if "missing" in about:
        missing(f"{name} (pip install --group test: {about['missing']})")
    return about


class TestInstalling:
    def test_imports_nothing_of_the_library(self, found):
        assert [] == found["brings"]

    def test_waits_for_the_import_or_comes_after_it(self, name, found):
        in_every_program = MODULES.get(name, name) in sys.stdlib_module_names
        before = {WAITING, WATCHING} if in_every_program else {WAITING}

        assert found["state_before_import"] in before
        assert [WATCHING, WATCHING] == [found["state_after_import"], found["state_first"]]

    def test_leaves_the_import_path_as_it_was(self, found):
        assert found["same_paths"]


class TestRemoving:
    def test_leaves_nothing_that_was_put_in_at_import(self, found):
        assert [] == found["left_after_late"]

    def test_restores_every_attribute(self, found):
        assert [[], []] == [found["left_first"], found["left_second"]]

    def test_allows_to_install_again(self, found):
        assert WATCHING == found["state_second"]
        assert found["changed_first"] == found["changed_second"]


class TestALibraryThatHasChanged:
    def test_turns_its_integration_off_and_keeps_every_attribute(self, found):
        assert [] == found["broken"]


@pytest.fixture
def uses(name, servers, missing):
    """Call to go on with using the library: first to the middle, then to the end."""
    file = HERE / "uses" / f"{name}.py"
    assert file.exists(), f"tests/conformance/uses/{file.name} is to use the library once"
    spec = importlib.util.spec_from_file_location(f"uses_{name}", file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        missing(f"{name} (pip install --group test: {error})")
    module.servers = servers
    return module


async def walk(module, in_the_middle=lambda: None):
    """Use the library from begin to end, and do something in the middle."""
    using = module.use(module.servers)
    if inspect.isasyncgen(using):
        async for _ in using:
            in_the_middle()
    else:
        for _ in using:
            in_the_middle()


def all_told(captured):
    return {kind for kind in KINDS if captured.all(kind)}


# What a hook is told by purpose, pytest would tell of too.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
class TestUsing:
    async def test_is_recorded_while_it_is_watched(self, name, uses):
        with capture(integrations=(name,)) as captured:
            await walk(uses)

            assert set(getattr(uses, "TELLS", ("span",))) <= all_told(captured)

    async def test_tells_nothing_when_it_is_not_watched_any_more(self, name, uses):
        with capture(integrations=(name,)):
            await walk(uses)
        with capture() as captured:
            await walk(uses)

            assert set() == all_told(captured)

    async def test_goes_on_when_the_sdk_stops_half_way(self, name, uses):
        before = stats().trouble
        with capture(integrations=(name,)):
            await walk(uses, shutdown)

        assert before == stats().trouble

    async def test_goes_on_when_the_sdk_starts_half_way(self, name, uses):
        captured = capture(integrations=(name,))

        await walk(uses, captured.__enter__)

        trouble = stats().trouble
        captured.__exit__(None, None, None)
        assert {} == trouble
