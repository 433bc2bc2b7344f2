"""A query reads our tables, and nothing that it may say reaches further."""

import pytest

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.engines.duckdb import limits
from qmon_agent.store.telemetry.engines.duckdb.guard import checked

TABLES = ("spans", "errors", "alerts")
ALLOWED = [
    "SELECT 1",
    "FROM spans",
    "TABLE spans",
    "VALUES (1)",
    "with s as (select * from Spans) select * from s",
    "with recursive t as (select 1 a union all select a + 1 from t where a < 5) from t",
    "/* why */ -- so\n EXPLAIN ANALYZE SELECT * FROM spans",
    "explain (format json) select 1",
    "DESCRIBE spans",
    "SUMMARIZE spans",
    "SHOW TABLES",
    "select * from range(5), unnest([1, 2])",
    "pivot spans on name in ('a') using count(*)",
    "select * from spans s join errors using (trace_id), lateral (select s.name)",
]
REFUSED = [
    "",
    "SELECT 1; SELECT 2",
    "select * from spans; drop schema g1 cascade",
    "explain insert into spans values (1)",
    "INSERT INTO spans VALUES (1)",
    "CREATE TABLE x (a INT)",
    "create macro now() as 1",
    "COPY spans TO 'x.csv'",
    "COPY (SELECT 1) TO 'x.csv'",
    "EXPORT DATABASE 'x'",
    "ATTACH 'x.db'",
    "USE main",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 9",
    "RESET ALL",
    "PRAGMA database_size",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "pivot spans on name using count(*)",
    "select * from g1.spans",
    "select * from qmon.generations",
    "select * from hot.qmon.generations",
    "select (select count(*) from information_schema.tables)",
    "select * from duckdb_databases",
    "select * from duckdb_databases, (with duckdb_databases as (select 1) from duckdb_databases)",
    "select * from sqlite_master",
    "select * from '/etc/passwd'",
    "select * from 'x.parquet'",
    "select * from read_text('/etc/passwd')",
    "from (from read_blob('/etc/passwd'))",
    "select * from read_parquet('x')",
    "select count(*) from sniff_csv('/etc/passwd')",
    "select * from glob('*')",
    "select * from duckdb_settings()",
    "select * from query('select 1')",
    "select * from query_table(['spans'])",
    "select * from arrow_scan(1::ubigint, 2, 3)",
    "select * from pragma_table_info('spans')",
    "explain analyze select * from read_csv('x')",
    "select nextval('x')",
    "select getenv('HOME')",
    "select current_setting('threads')",
]  # fmt: skip


@pytest.fixture
def connection(tmp_path):
    opened = limits.connect(
        tmp_path / "hot.duckdb", readable=tmp_path / "segments", memory_limit_mb=64, threads=1
    )
    yield opened
    opened.close()


class TestGuard:
    @pytest.mark.parametrize("sql", ALLOWED)
    def test_passes_what_only_reads(self, connection, sql):
        assert checked(connection, sql, tables=TABLES).sql == sql

    @pytest.mark.parametrize("sql", REFUSED)
    def test_refuses_everything_else(self, connection, sql):
        with pytest.raises(QueryError):
            checked(connection, sql, tables=TABLES)

    def test_names_the_table_that_was_meant(self, connection):
        with pytest.raises(QueryError, match="did you mean 'spans'"):
            checked(connection, "select * from span", tables=TABLES)

    def test_tells_which_tables_are_needed(self, connection):
        assert checked(connection, "from SPANS", tables=TABLES).tables == {"spans"}

    def test_needs_them_all_when_they_are_listed(self, connection):
        assert checked(connection, "show tables", tables=TABLES).tables is None


class TestEngineBehindTheGuard:
    @pytest.mark.parametrize(
        "sql",
        [
            "select * from read_text('/etc/passwd')",
            "copy (select 1) to '/dev/null'",
            "attach '/tmp/x.db'",
            "set enable_external_access = true",
            "set memory_limit = '9GB'",
        ],
    )
    def test_is_locked_too(self, connection, sql):
        with pytest.raises(Exception, match=r"disabled|Cannot|locked"):
            connection.execute(sql)

    def test_does_not_see_our_variables(self, connection):
        secret = [1]
        with pytest.raises(Exception, match="does not exist"):
            connection.execute("select * from secret").fetchall()
        assert secret


def test_what_the_engine_knows_of_tables_is_found_another_way(connection):
    with pytest.raises(QueryError, match="SHOW TABLES lists the tables, and DESCRIBE the columns"):
        checked(connection, "SELECT * FROM information_schema.columns", tables=TABLES)
