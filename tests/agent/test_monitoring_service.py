"""Collecting, validating and discovering metrics."""

import time

import pytest

from qmon_agent.domain.catalog import Metric
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import InvalidMetricError, SystemNotFoundError
from qmon_agent.monitoring import (
    Discovery,
    LatestValues,
    MetricCollector,
    MetricValidator,
    MonitoringService,
)
from qmon_agent.monitoring.discovery import Limits
from qmon_agent.store.state import StateStore
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point


@pytest.fixture
def vitals():
    return Vitals()


@pytest.fixture
def catalog(tmp_path):
    store = StateStore.open(f"sqlite:///{tmp_path}/state.db", HandClock())
    yield store.catalog
    store.close()


@pytest.fixture
def latest(vitals):
    return LatestValues(vitals=vitals, limit=2_000)


@pytest.fixture
def service(catalog, latest):
    return MonitoringService(catalog, MetricCollector(latest), MetricValidator())


def point(metric="temp", value=1.0, **more):
    return Point(metric=metric, value=value, time=7, **more)


class TestCollecting:
    def test_keeps_and_answers_the_latest_value_of_each_metric(self, service, catalog, latest):
        system = catalog.add_system("shop")
        catalog.add_metrics(Metric(name=n, monitoring_system=system.id) for n in ("temp", "silent"))
        latest.note("shop", [point(value=1.0), point(value=2.0)])

        [collected] = service.collect_metrics(system.id)

        assert (2.0, 7) == (collected.value, collected.timestamp)
        assert collected == catalog.newest_analytics(collected.metric)

    def test_takes_a_thousand_metrics_at_once(self, service, catalog, latest):
        system = catalog.add_system("shop")
        names = [f"metric.{number}" for number in range(1_000)]
        catalog.add_metrics(Metric(name=name, monitoring_system=system.id) for name in names)
        latest.note("shop", [point(name, float(n)) for n, name in enumerate(names)])
        started = time.perf_counter()

        collected = service.collect_metrics("shop")

        print(
            f"1,000 metrics in {(time.perf_counter() - started) * 1e3:.0f} ms"
        )  # the promise is 1 s
        assert set(map(float, range(1_000))) == {each.value for each in collected}

    def test_names_the_nearest_system_when_there_is_none(self, service, catalog):
        catalog.add_system("payments")

        with pytest.raises(SystemNotFoundError, match="did you mean 'payments'"):
            service.collect_metrics("paymets")

    def test_leaves_out_what_is_not_finite_and_what_is_switched_off(self, service, catalog, latest):
        system = catalog.add_system("shop")
        catalog.add_metrics(
            Metric(name=name, monitoring_system=system.id, status=status)
            for name, status in (("nan", "active"), ("off", "inactive"))
        )
        latest.note("shop", [point("nan", float("nan")), point("off", 1.0)])

        assert [] == service.collect_metrics("shop")


class TestLatestValues:
    @pytest.mark.parametrize(
        ("kind", "expected"), [("gauge", 4.0), ("counter", 6.0), ("distribution", 2.0)]
    )
    def test_fold_as_the_kind_of_point_asks_for(self, latest, kind, expected):
        latest.note("shop", [point(value=2.0, kind=kind), point(value=4.0, kind=kind, count=2)])

        assert expected == latest.latest("shop", ["temp"])["temp"].value

    def test_are_bounded_and_say_what_was_left_out(self, vitals):
        latest = LatestValues(vitals=vitals, limit=1)

        latest.note("shop", [point("one"), point("two"), point("one")])

        assert 1 == vitals.count("latest_values_overflow")


class TestValidating:
    def test_finds_nothing_in_what_is_well(self, service):
        assert [] == service.validate_metrics([Metric(name="http.requests", monitoring_system=1)])

    @pytest.mark.parametrize(
        ("field", "value", "says"),
        [
            ("name", "", "is no name"),
            ("name", "white space", "is no name"),
            ("description", "x" * 2_001, "longer than 2000"),
            ("metric_type", "gage", "did you mean 'gauge'"),
            ("monitoring_system", 0, "no monitoring system"),
            ("status", "on", "not one of"),
        ],
    )
    def test_names_the_field_and_what_is_wrong(self, service, field, value, says):
        wrong = {"name": "temp", "monitoring_system": 1} | {field: value}

        [problem] = service.validate_metrics([Metric(**wrong)])

        assert f"metrics[0].{field}" == problem.field
        assert says in problem.message

    def test_sees_wrong_types_and_doubles(self, service):
        twice = [Metric(name="temp", monitoring_system=1)] * 2

        [wrong_type] = service.validate_metrics([Metric(name=5, monitoring_system=1)])
        [doubled] = service.validate_metrics(twice)

        assert "metrics[0]" == wrong_type.field
        assert "2 times" in doubled.message

    def test_declares_all_or_none(self, service, catalog):
        system = catalog.add_system("shop")
        good = Metric(name="good", monitoring_system=system.id)

        with pytest.raises(InvalidMetricError, match=r"metrics\[1\]\.name"):
            service.declare_metrics([good, Metric(name="not good", monitoring_system=system.id)])

        assert [] == catalog.metrics_of(system.id)


class TestDiscovery:
    def test_makes_a_system_of_the_first_frame(self, catalog):
        Discovery(catalog).note("shop", [point(kind="counter"), point(kind="counter")])

        system = catalog.system("shop")
        assert "sdk" == system.created_by
        assert [("temp", "counter")] == [
            (each.name, each.metric_type) for each in catalog.metrics_of(system.id)
        ]

    def test_knows_after_a_restart_what_there_is(self, catalog):
        Discovery(catalog).note("shop", [point()])
        before = catalog.metrics_of(catalog.system("shop").id)

        Discovery(catalog).note("shop", [point()])

        assert before == catalog.metrics_of(catalog.system("shop").id)

    def test_is_bounded_and_counts_what_it_left_out(self, catalog, vitals):
        discovery = Discovery(catalog, vitals=vitals, limits=Limits(systems=1, metrics=1))

        discovery.note("shop", [point("one"), point("two"), point("no name")])
        discovery.note("other", [point()])

        assert 2 == vitals.count("catalog_overflow", kind="metric")
        assert 1 == vitals.count("catalog_overflow", kind="system")
        assert ["shop"] == [each.name for each in catalog.systems()]
