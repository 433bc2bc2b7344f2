"""What every test may rely on: steady Hypothesis, nothing left installed, no skips in CI."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

IN_CI = bool(os.environ.get("CI"))
REQUIRE_ALL = IN_CI or os.environ.get("QMON_REQUIRE_ALL") == "1"
# A busy machine is slow, not wrong: the pytest timeout bounds a test, no deadline per example.
STEADY = {
    "deadline": None,
    "max_examples": 50,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}

settings.register_profile("ci", derandomize=True, database=None, print_blob=True, **STEADY)
settings.register_profile("dev", **STEADY)
settings.register_profile("deep", **{**STEADY, "max_examples": 2000})
settings.load_profile(os.environ.get("QMON_HYPOTHESIS", "ci" if IN_CI else "dev"))


def pytest_configure(config):
    """Offer the servers, and `qmon_capture` also where no entry point brings it."""
    config.pluginmanager.register(_module("servers"), "servers")
    config.pluginmanager.register(_module("backends"), "backends")
    config.pluginmanager.register(_module("state_places"), "state_places")
    if config.pluginmanager.has_plugin("qmon") or not importlib.util.find_spec("qmon_sdk.testing"):
        return
    config.pluginmanager.register(importlib.import_module("qmon_sdk.testing"), "qmon")


def pytest_sessionstart():
    """Take away the rings that earlier runs left, lest one that a test begins tells of them.

    In CI all that nobody lives in; at a desk only what any process with qmon would take away.
    """
    beyond = "time() + 315360000" if IN_CI else "None"
    program = (
        "import os; from time import time\n"
        "from qmon_sdk.protocol.flight import folder_of\n"
        "from qmon_sdk.recorder.expiry import expire\n"
        f"expire(folder_of('', os.getuid()), now={beyond})"
    )
    subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)


@pytest.fixture
def free_port():
    """A port for one server, or for nobody; `from ports import free_port` gives more."""
    return sys.modules["ports"].free_port()


@pytest.fixture(scope="session")
def drawn_ring():
    """Makes flight rings by hand, for whoever has to read them."""
    return _module("rings").DrawnRing


@pytest.fixture
def drawn_machine(tmp_path):
    """The kernel's files of a machine that has everything."""
    return _module("machines").DrawnMachine(tmp_path / "machine")


@pytest.fixture(scope="session")
def peers():
    """Receivers that read what sinks send as each protocol has it."""
    _module("prompb")
    return _module("peers")


@pytest.fixture(scope="session")
def services():
    """Services that judge the messages of channels as the real ones do."""
    return _module("services")


@pytest.fixture
def make_postbox():
    """Makes real SMTP servers that keep what they take."""
    made = []

    def make(**how):
        made.append(_module("postbox").Postbox(**how))
        return made[-1]

    yield make
    for postbox in made:
        postbox.close()


@pytest.fixture
def postbox(make_postbox):
    """One with STARTTLS."""
    return make_postbox()


@pytest.fixture
def make_log_taker():
    """Makes who takes lines of syslog by TCP or TLS, with their lengths before them."""
    made = []

    def make(context=None):
        made.append(_module("postbox").LogTaker(context))
        return made[-1]

    yield make
    for taker in made:
        taker.close()


@pytest.fixture
def log_taker(make_log_taker):
    """One by TCP."""
    return make_log_taker()


@pytest.fixture(scope="session")
def sifting():
    """Processors driven by hand, and traces to put into them."""
    return _module("sifting")


def _module(name):
    """Import a module beside this one by its place: `tests` is on nobody's path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


for each in ("ports", "yardstick"):  # at once: conftests of folders may want them
    _module(each)


@pytest.fixture(autouse=True)
def nobody_is_remembered():
    """Forget the user, tags and breadcrumbs that a test speaks of outside of any scope."""
    yield
    context = sys.modules.get("qmon_sdk.context")
    if context:
        context.SCOPE.set(context.EMPTY)


@pytest.fixture(autouse=True)
def no_trouble_is_remembered():
    """Forget what went wrong while nobody recorded: the next `init` would tell of it."""
    yield
    if client := sys.modules.get("qmon_sdk.client"):
        client.SILENT.trouble.clear()


@pytest.fixture(autouse=True)
def no_client_left_behind():
    """Fail the test that installs a client and leaves it to the next one."""
    before = _installed_client()
    yield
    after = _installed_client()
    if after is before or _is_silent(after):
        return
    client = sys.modules["qmon_sdk.client"]
    client.install(before if before is not None else client.SILENT)
    pytest.fail(f"this test left {after!r} installed: use the fixture, or call shutdown()")


def _installed_client():
    client = sys.modules.get("qmon_sdk.client")
    return client.current() if client else None


def _is_silent(client):
    return client is None or isinstance(client, sys.modules["qmon_sdk.client"].SilentClient)


@pytest.fixture(scope="session")
def missing():
    """Say that a server or a right is not there: a skip at a desk, a failure in CI."""

    def say(what):
        if REQUIRE_ALL:
            pytest.fail(f"{what} is missing, and QMON_REQUIRE_ALL wants it")
        pytest.skip(f"{what} is missing")

    return say


@pytest.fixture
def sink_with():
    """Makes sinks by name and options, and closes them."""
    sinks = importlib.import_module("qmon_agent.forward.sinks").SINKS
    made = []

    def make(name, **options):
        made.append(sinks.build(name, options))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture(scope="session")
def compiled():
    """The compiled accelerator, in use or not: to be compared with pure Python."""
    module = importlib.import_module("qmon_sdk._speedups") if _has_speedups() else None
    if hasattr(module, "GENERATION"):
        return module
    if REQUIRE_ALL:
        pytest.fail("the accelerator is not compiled, and QMON_REQUIRE_ALL wants it")
    pytest.skip("the accelerator is not compiled")


def _has_speedups():
    try:
        return importlib.util.find_spec("qmon_sdk._speedups") is not None
    except ModuleNotFoundError:
        return False
