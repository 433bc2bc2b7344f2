"""What a server is to give up for its bytes: judged as the embedded store's segments are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from qmon_agent.domain.retention import Bound, Hold, Policy, clear
from qmon_agent.store.telemetry.engines.clickhouse.bounding import (
    Piece,
    by_bytes,
    lot_of,
    span_of,
    tables,
    unended,
)
from qmon_agent.store.telemetry.schema import TABLES

LOGS = TABLES["log"]
NOW = int(datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()) * 10**9
DAYS = [
    f"{datetime.fromtimestamp(NOW / 1e9, UTC) + timedelta(days=ago):%Y%m%d}" for ago in range(-9, 3)
]
sizes = some.lists(some.integers(1, 50), min_size=len(DAYS), max_size=len(DAYS))
bounds = some.builds(Bound, bytes=some.none() | some.integers(0, 400), age_ns=some.just(1))
policies = some.builds(
    Policy,
    kinds=some.fixed_dictionaries({}, optional={"log": bounds}),
    services=some.fixed_dictionaries({}, optional={"a": some.fixed_dictionaries({"log": bounds})}),
)


def lots_of(each):
    return [
        lot_of(LOGS, Piece(day, size, size), {"a": size, "b": size})
        for day, size in zip(DAYS, each, strict=True)
    ]


@given(sizes, policies)
def test_no_day_goes_that_is_not_over_and_no_age_is_judged(each, policy):
    judged = clear(lots_of(each), by_bytes(policy), holds=[unended(NOW)], now=NOW)

    assert all(day < "20261127" for day in (*judged.drop, *judged.thin))
    if not by_bytes(policy).bounded:
        assert not judged.drop
        assert not judged.thin


@given(sizes, some.integers(0, 400))
def test_the_oldest_go_until_the_rest_fits_or_is_of_today(each, most):
    policy = Policy(kinds={"log": Bound(bytes=most)})
    judged = clear(lots_of(each), policy, holds=[unended(NOW)], now=NOW)
    left = [day for day in DAYS if day not in judged.drop]

    assert left == DAYS[len(DAYS) - len(left) :]
    rest = sum(each[len(DAYS) - len(left) :])
    assert rest <= most or left[0] == "20261127"
    if judged.drop:
        assert rest + each[len(judged.drop) - 1] > most


@given(sizes, policies, some.sampled_from(DAYS))
def test_what_is_held_stays(each, policy, day):
    since, until = span_of(day)
    holds = [Hold(id="1", since=since, until=until), unended(NOW)]
    judged = clear(lots_of(each), by_bytes(policy), holds=holds, now=NOW)

    assert day not in {*judged.drop, *judged.thin}


@pytest.mark.parametrize(
    ("partition", "first", "last"),
    [
        ("20261231", "2026-12-31T00:00:00", "2026-12-31T23:59:59"),
        ("202612", "2026-12-01T00:00:00", "2026-12-31T23:59:59"),
        ("202402", "2024-02-01T00:00:00", "2024-02-29T23:59:59"),
        ("19700101", "1970-01-01T00:00:00", "1970-01-01T23:59:59"),
    ],
)
def test_a_partition_is_a_day_or_a_month(partition, first, last):
    found = [datetime.fromtimestamp(each // 10**9, UTC) for each in span_of(partition)]

    assert [first, last] == [f"{each:%Y-%m-%dT%H:%M:%S}" for each in found]


def test_rollups_are_bound_where_their_parts_are():
    assert ["logs", "points_1h_parts"] == [each.name for each in tables({"log", "points_1h"})]
