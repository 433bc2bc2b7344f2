"""The heartbeat as the agent runs it: what being well means, and where a check-in goes."""

from __future__ import annotations

from collections.abc import Callable

from qmon_agent.app.host import AGENT, OwnProcess
from qmon_agent.app.parts import Parts, Plan
from qmon_agent.notify.heartbeat import HeartbeatRunner
from qmon_agent.settings import Heartbeat
from qmon_sdk.protocol.schedules import schedule_text
from qmon_sdk.protocol.signals import CheckIn


class Heart:
    """Makes runners; those of one agent check in as one process."""

    def __init__(self, plan: Plan, parts: Parts, *, is_well: Callable[[], bool]) -> None:
        """On the running loop."""
        self._clock = plan.clock
        self._vitals = parts.vitals
        self._is_well = is_well
        self._process = OwnProcess(
            parts.taking.intake, clock=plan.clock, kind="checkin", service=AGENT
        )

    def runner(self, options: Heartbeat) -> HeartbeatRunner:
        return HeartbeatRunner(
            options, is_well=self._is_well, check_in=self._check_in, vitals=self._vitals
        )

    def _check_in(self, options: Heartbeat) -> None:
        """It promises the next one: whoever reads it knows when that is missing."""
        said = {"schedule": schedule_text(options.interval_s)}
        checkin = CheckIn(time=self._clock.now(), monitor=options.monitor, attributes=said)
        self._process.submit([checkin])
