"""How OpenTelemetry comes to record with qmon: by a call, by a variable, by its own starter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

LIGHT = """
import sys
import qmon_sdk.otel
import qmon_sdk.otel.entry as entry
assert entry.distro() is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
INSTALLED = """
import qmon_sdk.otel
from opentelemetry import _logs, metrics, trace
from qmon_sdk.testing import capture

early = trace.get_tracer("early")
number = metrics.get_meter("early").create_counter("n")
qmon_sdk.otel.install()
qmon_sdk.otel.install()
with capture() as told:
    with early.start_as_current_span("proxied"):
        number.add(1)
        _logs.get_logger("l").emit(body="line")
    print(told.span("proxied").name, told.total("n"), told.logs[0].span_id == told.spans[0].span_id)
"""
BY_VARIABLES = """
import gc
gc.disable()  # its collections are points as well
from opentelemetry import _logs, metrics, trace
import qmon_sdk as qmon

with trace.get_tracer("t").start_as_current_span("s"):
    metrics.get_meter("m").create_counter("n").add(2)
    _logs.get_logger("l").emit(body="line")
print(type(trace.get_tracer_provider()).__module__, qmon.flush())
print({kind: n for kind, n in qmon.stats().captured.items() if kind in ("span", "log", "point")})
"""
BY_CONTEXT = """
from opentelemetry import context
import qmon_sdk as qmon
from opentelemetry import trace

print(type(context._RUNTIME_CONTEXT).__name__)
qmon.init(integrations=())
with qmon.span("native"):
    print(trace.get_current_span().get_span_context().is_valid)
print(type(context._RUNTIME_CONTEXT).__name__)
token = context.attach(context.set_value("k", 1))
context.detach(token)
print(context.get_value("k"))
"""
ONE_REQUEST = """
import qmon_sdk as qmon
qmon.init(dsn="memory:", service="shop")  # once more, as programs do
from flask import Flask
from werkzeug.test import Client

app = Flask("shop")
app.route("/")(lambda: "hello")
print(Client(app).get("/").status_code)
qmon.flush()
print(qmon.stats().captured["span"])
print("flask" in qmon.stats().integrations)
"""
CHOSEN = {f"OTEL_PYTHON_{signal}_PROVIDER": "qmon" for signal in ("TRACER", "METER", "LOGGER")}


def run(program, *starter, **variables):
    """Run a program, and give the lines it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [*(starter or (sys.executable,)), "-c", program],
        capture_output=True,
        check=False,
        env={**kept, "QMON_DSN": "memory:", **variables},
        text=True,
        timeout=60,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


def only(*wanted):
    """Switch off every instrumentation but some: whatever else is installed takes its time."""
    found = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")}
    return {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(found - set(wanted))}


class TestTheEntryPoints:
    def test_import_nothing_of_opentelemetry_unless_qmon_is_chosen(self):
        assert ["[]"] == run(LIGHT)

    def test_give_all_three_providers(self):
        lines = run(BY_VARIABLES, **CHOSEN)

        assert ["qmon_sdk.otel.standing_aside True", "{'span': 1, 'log': 1, 'point': 1}"] == lines

    def test_give_the_context(self):
        lines = run(BY_CONTEXT, OTEL_PYTHON_CONTEXT="qmon")

        assert ["LateRuntimeContext", "True", "QmonRuntimeContext", "None"] == lines


class TestInstall:
    def test_reaches_what_was_made_before_and_may_be_repeated(self):
        assert ["proxied 1.0 True"] == run(INSTALLED)


class TestOpentelemetryInstrument:
    @pytest.fixture
    def starter(self):
        module = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
        return (sys.executable, "-c", module, sys.executable)

    def test_starts_a_program_with_qmon(self, starter):
        lines = run(BY_VARIABLES, *starter, OTEL_PYTHON_DISTRO="qmon", **only())

        assert "qmon_sdk.otel.tracer True" == lines[0]

    def test_has_no_library_watched_twice(self, starter):
        program = "import qmon_sdk as qmon; print(*qmon.stats().integrations)"
        ours = run(program, *starter, OTEL_PYTHON_DISTRO="qmon", **only("sqlite3"))[0].split()
        others = run(program, *starter, OTEL_PYTHON_DISTRO="qmon", **only())[0].split()

        assert (True, False) == ("excepthook" in ours, "sqlite3" in ours)
        assert "sqlite3" in others

    def test_has_one_span_for_a_request_by_variables_too(self, starter):
        lines = run(ONE_REQUEST, *starter, **CHOSEN, **only("flask"))

        assert ["200", "1", "False"] == lines

    def test_leaves_a_program_alone_that_did_not_choose_it(self, starter):
        program = "import sys; print([m for m in sys.modules if m.startswith('qmon_sdk.otel.')])"

        assert ["['qmon_sdk.otel.installing', 'qmon_sdk.otel.entry']"] == run(
            program, *starter, **only()
        )
