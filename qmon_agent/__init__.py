"""The qmon agent: takes signals, keeps them, judges them, tells about them."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qmon_agent.alerting.service import AlertService as AlertService
    from qmon_agent.domain.catalog import Alert as Alert
    from qmon_agent.domain.catalog import Analytics as Analytics
    from qmon_agent.domain.catalog import Metric as Metric
    from qmon_agent.domain.catalog import MonitoringSystem as MonitoringSystem
    from qmon_agent.domain.errors import SystemNotFoundError as SystemNotFoundError
    from qmon_agent.monitoring.collector import MetricCollector as MetricCollector
    from qmon_agent.monitoring.service import MonitoringService as MonitoringService
    from qmon_agent.monitoring.validator import MetricValidator as MetricValidator
    from qmon_agent.notify.notifier import AlertNotifier as AlertNotifier

# Looked up late: a command of the command line must not pay for the state store's engine.
_ROOMS = {
    "Alert": "domain.catalog",
    "AlertNotifier": "notify.notifier",
    "AlertService": "alerting.service",
    "Analytics": "domain.catalog",
    "Metric": "domain.catalog",
    "MetricCollector": "monitoring.collector",
    "MetricValidator": "monitoring.validator",
    "MonitoringService": "monitoring.service",
    "MonitoringSystem": "domain.catalog",
    "SystemNotFoundError": "domain.errors",
}

__all__ = [
    "Alert",
    "AlertNotifier",
    "AlertService",
    "Analytics",
    "Metric",
    "MetricCollector",
    "MetricValidator",
    "MonitoringService",
    "MonitoringSystem",
    "SystemNotFoundError",
]


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
