"""The how-to on quality and vulnerabilities: what its program sends makes its alerts fire."""

from __future__ import annotations

import re
import time

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.domain.clock import SECOND, HandClock
from qmon_agent.settings import read_settings
from qmon_agent.store.state import StateStore
from qmon_sdk.testing import capture


@pytest.fixture
def blocks(pytestconfig):
    page = pytestconfig.rootpath / "docs/howto/quality-and-vulnerability-alerts.md"
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return dict(found)


def sent_by(program):
    """What it hands to the client; it is run without its own `init`."""
    with capture() as seen:
        exec(program.replace('qmon.init(service="shop")\n', ""), {"__name__": "scan"})
        return seen.all("snapshot"), seen.all("finding")


class TestProgram:
    def test_makes_the_alerts_fire(self, blocks, tmp_path):
        clock = HandClock(time.time_ns() + SECOND)
        store = StateStore.open(f"sqlite:///{tmp_path}/state.db", clock)
        service = AlertService(store, clock=clock)
        service.declare(read_settings(blocks["toml"].encode()).alerts)
        snapshots, findings = sent_by(blocks["python"])

        service.observe(
            Observed(service="shop", time=clock.now(), snapshots=snapshots, findings=findings)
        )

        assert {
            ("The shop is not good enough", "firing"),
            ("A package is vulnerable", "firing"),
        } == {(each.alert, each.state) for each in service.standings()}
        store.close()
