"""A query reads our tables, and nothing that it may say reaches further."""

import pytest

from qmon_agent.domain.errors import QueryError
from qmon_agent.store.telemetry.engines.duckdb import guard, limits
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
    "show spans",
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
    "with x as (copy spans to 'segments/x.parquet') from x",
    "with x as (insert into spans values (1) returning *) from x",
    "with x as (update spans set name = '' returning *) from x",
    "with x as (delete from spans returning *) from x",
    "from (with x as (copy (select 1) to 'x') from x)",
    "show all tables",
    "show databases",
    "show memory_limit",
    "show variables",
    "show tables from g1",
    "describe g1.spans",
    "summarize '/etc/passwd'",
    "select sleep_ms(9)",
    "select pg_sleep(9)",
    "select setval('x', 1)",
    "select json_serialize_plan('select * from g1.spans')",
    "select get_block_size('hot')",
    "select 'HOME'.getenv()",
    "select system.main.getenv('HOME')",
    "select list_transform([1], lambda x: getenv('HOME'))",
    "select sum(name order by (from g1.spans)) from spans",
    "select * from spans, lateral (from g1.spans)",
    "from generate_series((select max(a) from read_parquet('x')), 3)",
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


# What of the engine's functions is not the same each time, or looks into its catalog, and may be
# called all the same: it tells nothing that is not in the query, or that everybody may know.
HARMLESS = frozenset(
    (
        "col_description",
        "current_connection_id",
        "current_query",
        "current_query_id",
        "current_transaction_id",
        "error",
        "format_pg_type",
        "format_type",
        "gen_random_uuid",
        "list_histogram",
        "map_to_pg_oid",
        "map_type_id_to_pg_oid",
        "obj_description",
        "parse_filename",
        "random",
        "shobj_description",
        "stats",
        "uuid",
        "uuidv4",
        "uuidv7",
        "vector_type",
    )
)
DOUBTFUL = """
SELECT DISTINCT function_name FROM duckdb_functions()
WHERE (function_type = 'scalar' AND (has_side_effects OR stability = 'VOLATILE'))
   OR (function_type = 'macro' AND regexp_matches(lower(macro_definition), '[( ]from '))
   OR function_name SIMILAR TO '.*(read|file|getenv|secret|setting|serialize_plan|sleep).*'
     AND function_type NOT IN ('table', 'table_macro', 'pragma')
"""


def test_every_function_that_does_more_than_compute_was_looked_at():
    """A new version of the engine may bring more of them: this says which."""
    import duckdb

    with duckdb.connect() as everything:
        doubtful = {name for (name,) in everything.execute(DOUBTFUL).fetchall()}

    assert not doubtful - guard.REFUSED_FUNCTIONS - HARMLESS


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
