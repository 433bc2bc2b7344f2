"""The services without the agent: twenty lines in somebody's own program."""

import asyncio

import qmon_agent
from qmon_agent.domain.errors import SystemNotFoundError
from qmon_agent.monitoring import LatestValues
from qmon_agent.notify.channels import CHANNELS
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Point

NAMES = (
    "MonitoringService",
    "MetricCollector",
    "MetricValidator",
    "AlertService",
    "AlertNotifier",
    "SystemNotFoundError",
    "MonitoringSystem",
    "Metric",
    "Alert",
    "Analytics",
)


class TestFrontDoor:
    def test_has_everything_embedding_needs(self):
        assert [] == [name for name in NAMES if not hasattr(qmon_agent, name)]
        assert SystemNotFoundError is qmon_agent.SystemNotFoundError


class TestEmbedding:
    def test_collects_judges_and_tells(self, tmp_path):
        store = StateStore.open(f"sqlite:///{tmp_path}/state.db")
        system = store.catalog.add_system("boiler", created_by="me")
        readings = LatestValues()
        service = qmon_agent.MonitoringService(
            store.catalog, qmon_agent.MetricCollector(readings), qmon_agent.MetricValidator()
        )
        service.declare_metrics([qmon_agent.Metric(name="temp", monitoring_system=system.id)])
        [metric] = store.catalog.metrics_of(system.id)
        store.catalog.put_alert(
            qmon_agent.Alert(
                name="too hot", metric=metric.id, threshold="> 90", severity="critical"
            )
        )
        alerts = qmon_agent.AlertService(store, channels=("file",))
        told = CHANNELS.build("file", {"path": str(tmp_path / "told.ndjson")})
        notifier = qmon_agent.AlertNotifier(store.outbox, {"file": told})

        readings.note("boiler", [Point(metric="temp", value=95.0, time=1)])
        [value] = service.collect_metrics(system.id)
        [standing] = alerts.check_alerts(metric.id)
        asyncio.run(notifier.send_due())
        store.close()

        assert (95.0, True) == (value.value, standing.is_firing)
        assert "too hot on boiler: temp = 95 (> 90)" in (tmp_path / "told.ndjson").read_text()
