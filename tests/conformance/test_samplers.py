"""What makes a sampler a sampler: every file in the folder, ours and others'."""

import re
import time

import pytest

from qmon_agent.domain.errors import ConfigError, NotHereError
from qmon_agent.domain.plugins import options_of
from qmon_agent.monitoring.samplers import SAMPLERS

NAME = re.compile(r"(system|process|hw|container|systemd)(\.[a-z0-9_]+)+\Z")
UNITS = re.compile(r"(1|By|By/s|s|Hz|Cel|rpm|V|W|A|\{[a-z_]+\})\Z")
SECOND = 1_000_000_000


@pytest.fixture
def sampler(name, drawn_machine):
    """On this machine, or on one drawn by hand where this one has nothing of the kind."""
    try:
        SAMPLERS.build(name, {}).sample(1)
    except NotHereError as reason:
        assert str(reason)
        return SAMPLERS.build(name, drawn_machine.options(name))
    return SAMPLERS.build(name, {})


@pytest.fixture
def points(sampler):
    """The second look: the first has no differences yet."""
    now = time.time_ns()
    sampler.sample(now)
    time.sleep(0.05)
    return sampler.sample(now + SECOND)


@pytest.mark.parametrize("name", SAMPLERS.names())
class TestEverySampler:
    def test_says_what_it_is_in_one_sentence(self, name):
        assert (SAMPLERS.find(name).__doc__ or "").strip()

    def test_says_what_its_options_are(self, name):
        assert not [each for each in options_of(SAMPLERS.find(name)) if not each.isidentifier()]

    def test_refuses_an_option_it_does_not_have(self, name):
        with pytest.raises(ConfigError, match=f"samplers.{name}.no_such_option"):
            SAMPLERS.build(name, {"no_such_option": 1})

    def test_names_metrics_and_units_as_opentelemetry_does(self, points):
        assert [] == [point for point in points if not NAME.match(point.metric)]
        assert [] == [point for point in points if not UNITS.match(point.unit)]

    def test_dates_every_point_with_the_moment_it_was_given(self, sampler):
        assert {12_345} >= {point.time for point in sampler.sample(12_345)}

    def test_has_something_to_say(self, sampler):
        now = time.time_ns()
        seen = [*sampler.sample(now), *sampler.sample(now + SECOND)]

        assert seen

    def test_gives_finite_numbers_of_known_kinds(self, points):
        assert {"gauge", "counter"} >= {point.kind for point in points}
        assert all(abs(point.value) < float("inf") for point in points)

    def test_counts_growth_never_totals(self, points):
        assert all(point.value >= 0 for point in points if point.kind == "counter")

    def test_gives_each_series_once(self, points):
        series = [(point.metric, tuple(sorted(point.attributes.items()))) for point in points]

        assert len(series) == len(set(series))

    def test_costs_little(self, name, sampler):
        sampler.sample(time.time_ns())
        costs = []
        for _ in range(20):
            started = time.process_time_ns()
            sampler.sample(time.time_ns())
            costs.append(time.process_time_ns() - started)

        print(f"sampler {name}: {min(costs) / 1e3:.0f} µs")
        assert min(costs) < 20_000_000  # 2 % of a core at 1 s would be far too much


class TestShares:
    def test_of_the_processors_add_up_to_one(self):
        cpu = SAMPLERS.build("cpu", {})
        cpu.sample(1)
        time.sleep(0.2)

        shares = [each.value for each in cpu.sample(2) if each.metric == "system.cpu.utilization"]

        assert 1.0 == pytest.approx(sum(shares))

    def test_of_the_agents_processor_time_are_what_it_burnt(self):
        process = SAMPLERS.build("process", {})
        process.sample(time.time_ns())
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass
        points = process.sample(time.time_ns())

        burnt = sum(each.value for each in points if each.metric == "process.cpu.time")
        assert 0.1 < burnt < 0.6
