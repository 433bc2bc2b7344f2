"""The tables are the signals' fields, and an older hot file gets what it lacks."""

from pathlib import Path

import duckdb
import pytest

from qmon_agent.store.telemetry.engines.duckdb import ddl
from qmon_agent.store.telemetry.schema import BY_NAME, TABLES
from qmon_sdk.protocol.signals import FIELDS

GOLDEN = Path(__file__).parents[1] / "golden" / "telemetry_ddl.sql"
COMMON = {"time", "service", "release", "environment", "host", "process", "attributes"}


class TestTables:
    def test_are_named_as_the_contract_names_them(self):
        assert set(BY_NAME) == {
            "spans", "errors", "events", "sessions", "points", "logs", "checkins", "snapshots",
            "findings", "resources",
        }  # fmt: skip

    @pytest.mark.parametrize("kind", sorted(TABLES))
    def test_have_the_common_columns_and_every_field(self, kind):
        assert COMMON | {field.name for field in FIELDS[kind]} == {*TABLES[kind].column_names}

    @pytest.mark.parametrize("kind", sorted(TABLES))
    def test_keep_the_fields_in_the_order_they_were_added(self, kind):
        own = [name for name in TABLES[kind].column_names if name not in COMMON - {"attributes"}]

        assert [field.name for field in FIELDS[kind]][1:] == own


class TestStatements:
    def test_are_the_golden_ones(self):
        assert GOLDEN.read_text() == ddl.script()

    def test_are_understood_by_the_engine(self):
        with duckdb.connect() as connection:
            connection.execute("CREATE SCHEMA hot")
            connection.execute(GOLDEN.read_text())
            found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()

        assert {*BY_NAME} == {name for (name,) in found}

    def test_give_an_older_table_its_new_columns_with_their_defaults(self):
        table = BY_NAME["points"]
        with duckdb.connect() as connection:
            connection.execute("CREATE TABLE main.points (time TIMESTAMP_NS)")
            connection.execute("INSERT INTO main.points VALUES (make_timestamp_ns(1))")
            for statement in ddl.add(table, "main", ["time"]):
                connection.execute(statement)
            row = connection.execute("SELECT kind, count, buckets FROM main.points").fetchall()

        assert row == [("gauge", 1, {})]
