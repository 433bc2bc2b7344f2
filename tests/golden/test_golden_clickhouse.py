"""The statements that make the tables of a ClickHouse, for one server and for a cluster."""

import os
from pathlib import Path

import pytest

from qmon_agent.domain.retention import Hold
from qmon_agent.store.telemetry import sums
from qmon_agent.store.telemetry.engines.clickhouse import bounding, ddl, erasing, folding
from qmon_agent.store.telemetry.engines.clickhouse.ddl import Layout
from qmon_agent.store.telemetry.rollups import ROLLUPS
from qmon_agent.store.telemetry.schema import BY_NAME, TABLES

FOLDER = Path(__file__).parent / "clickhouse"
DAY_S = 86_400
LOGS = TABLES["log"]
WHOLE = "ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1"
USER = "o'\\"
LAYOUTS = {
    "single": Layout(
        keep_s={"log": 3 * DAY_S, "span": 7 * DAY_S, "spans_1h": 400 * DAY_S},
        apart_s={"log": {"it's": 9 * DAY_S}, "event": {"shop": DAY_S, "till": 30 * DAY_S}},
    ),
    "cluster": Layout(
        cluster="main",
        keep_s=dict.fromkeys(TABLES, 30 * DAY_S),
        apart_s={"span": {"shop": 60 * DAY_S}},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("part", ["", "_rollups"])
def test_statements_are_the_golden_ones(name, part):
    path, made = FOLDER / f"{name}{part}.sql", folding if part else ddl
    script = "".join(f"{each};\n\n" for each in made.statements(LAYOUTS[name]))
    if os.environ.get("QMON_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(script)

    assert path.read_text() == script


def test_the_sums_that_a_move_compares_are_the_golden_ones():
    path, asked = FOLDER / "sums.sql", ""
    for name in ("points", "resources"):
        table = BY_NAME[name]
        asked += f"{sums.asked(table, name, sums.DUCKDB)};\n\n"
        asked += f"{sums.asked(table, name, sums.CLICKHOUSE)};\n\n"
    if os.environ.get("QMON_GOLDEN") == "write":
        path.write_text(asked)

    assert path.read_text() == asked


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_forgets_a_user_is_the_golden_one(name):
    path, layout = FOLDER / f"{name}_forget.sql", LAYOUTS[name]
    holds = (Hold(id="1", kinds=("event",), service="it's", since=5),)
    asked = "".join(
        f"{erasing.delete(table, USER, holds, layout=layout)};\n\n"
        f"{erasing.unfinished(table, layout)};\n\n"
        for table in erasing.tables()
        if table.name in {"events", "logs", "points_1h_parts"}
    )
    if os.environ.get("QMON_GOLDEN") == "write":
        path.write_text(asked)

    assert path.read_text() == asked


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_keeps_bounds_of_bytes_is_the_golden_one(name):
    path, layout = FOLDER / f"{name}_bounds.sql", LAYOUTS[name]
    holds = (Hold(id="1", kinds=("log",), service="it's", since=5),)
    asked = (
        *(bounding.pieces(table, layout) for table in bounding.tables({"log", "points_1h"})),
        bounding.services(LOGS, ["20261126", "20261127"], layout),
        bounding.drop(LOGS, "20261126", layout),
        bounding.pending(LOGS, layout),
        bounding.thin(LOGS, "20261127", {"shop", "it's"}, holds=holds, layout=layout),
        bounding.stop(LOGS, layout),
    )
    script = "".join(f"{each};\n\n" for each in asked)
    if os.environ.get("QMON_GOLDEN") == "write":
        path.write_text(script)

    assert path.read_text() == script


class TestChanges:
    def test_give_an_older_table_its_new_columns(self):
        points = BY_NAME["points"]
        present = [name for name in points.column_names if name != "unit"]

        (added,) = ddl.add(points, Layout(), present)
        assert added.startswith("ALTER TABLE `qmon`.`points` ADD COLUMN IF NOT EXISTS `unit` ")

    def test_reach_both_tables_of_a_cluster(self):
        points = BY_NAME["points"]
        present = [name for name in points.column_names if name != "unit"]

        local, whole = ddl.add(points, Layout(cluster="main"), present)

        assert local.startswith("ALTER TABLE `qmon`.`points_local` ON CLUSTER 'main' ADD")
        assert whole.startswith("ALTER TABLE `qmon`.`points` ON CLUSTER 'main' ADD")

    def test_change_for_how_long_rows_are_kept_only_where_that_differs(self):
        logs, layout = LOGS, Layout(keep_s={"log": 3 * DAY_S})
        has = f"MergeTree TTL {ddl.ttl(logs, layout)} SETTINGS {WHOLE}"

        assert ddl.keep(logs, layout, full_engine=has) == []
        assert ddl.keep(logs, Layout(), full_engine=has) == ["ALTER TABLE `qmon`.`logs` REMOVE TTL"]
        assert ddl.keep(logs, Layout(keep_s={"log": 60}), full_engine=has) == [
            "ALTER TABLE `qmon`.`logs` MODIFY TTL toDateTime(time) + toIntervalSecond(60)"
        ]

    def test_of_ages_by_service_begin_with_how_rows_go(self):
        shop = Layout(apart_s={"log": {"shop": DAY_S}})
        setting, ttl = ddl.keep(LOGS, shop, full_engine=f"MergeTree SETTINGS {WHOLE}")

        assert setting == "ALTER TABLE `qmon`.`logs` MODIFY SETTING ttl_only_drop_parts = 0"
        assert ttl.startswith("ALTER TABLE `qmon`.`logs` MODIFY TTL multiIf(service = 'shop', ")


def test_every_table_has_an_order_of_its_own_columns():
    assert BY_NAME.keys() == ddl.ORDER.keys()
    for name, order in ddl.ORDER.items():
        assert {*order, ddl.SHARDED_BY.get(name, "process")} <= {*BY_NAME[name].column_names}


def test_what_tells_series_apart_is_in_the_order_of_a_rollup():
    for rollup in ROLLUPS.values():
        order = ", ".join((*folding.ORDER[rollup.source], *folding.REST[rollup.source]))
        assert all(key in order for key in rollup.keys)
