"""However a statement is put together: it is refused, or it does nothing and tells no secret."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.guarded import Den

SOURCES = (
    "spans",
    "g1.spans",
    "g1.hidden",
    "hot.g1.hidden",
    '"g1"."hidden"',
    "'{hidden}'",
    '"{hidden}"',
    "'{secret}'",
    "read_parquet('{hidden}')",
    "read_text('{secret}')",
    "read_blob('{secret}')",
    "read_csv('{secret}')",
    "glob('{directory}/*')",
    "duckdb_settings()",
    "duckdb_tables()",
    "duckdb_views",
    "information_schema.tables",
    "pg_catalog.pg_class",
    "sqlite_master",
    "query('FROM g1.hidden')",
    "query_table('g1.hidden')",
    "json_execute_serialized_sql(json_serialize_sql('FROM g1.hidden'))",
    "range(3)",
)
VALUES = (
    "1",
    "getenv('QMON_CANARY')",
    "'QMON_CANARY'.getenv()",
    "system.main.getenv('QMON_CANARY')",
    "current_setting('temp_directory')",
    "getvariable('x')",
    "nextval('s')",
    "json_serialize_plan('FROM g1.hidden')",
    "(SELECT max(word) FROM g1.hidden)",
    "(SELECT max(content) FROM read_text('{secret}'))",
    "list_transform([1], lambda x: getenv('QMON_CANARY'))",
)
STATEMENTS = (
    "COPY {source} TO '{hidden}'",
    "COPY (SELECT {value}) TO '{directory}/out.csv'",
    "INSERT INTO g1.spans SELECT 1, 'y'",
    "INSERT INTO g1.spans VALUES (1, 'y') RETURNING *",
    "DELETE FROM g1.spans RETURNING *",
    "UPDATE g1.spans SET a = 9 RETURNING *",
    "CREATE TABLE stolen AS FROM {source}",
    "CREATE OR REPLACE MACRO x() AS {value}",
    "DROP TABLE g1.spans",
    "ATTACH '{directory}/x.db'",
    "DETACH hot",
    "SET threads = 9",
    "RESET threads",
    "PRAGMA database_size",
    "CALL pragma_version()",
    "INSTALL httpfs",
    "LOAD '{directory}/x'",
    "EXPORT DATABASE '{directory}/out'",
    "IMPORT DATABASE '{directory}'",
    "CHECKPOINT",
    "SHOW ALL TABLES",
    "SHOW memory_limit",
    "DESCRIBE {source}",
    "SUMMARIZE {source}",
    "FROM {source}",
    "SELECT {value}",
    "SELECT {value} FROM {source}",
    "PIVOT {source} ON 1 USING count(*)",
)
FRAMES = (
    "{it}",
    "{it};",
    "; {it}",
    "SELECT 1; {it}",
    "{it}; SELECT 1",
    "EXPLAIN {it}",
    "EXPLAIN ANALYZE {it}",
    "EXPLAIN (ANALYZE, FORMAT json) {it}",
    "EXPLAIN /* x */ ANALYZE -- y\n {it}",
    "/* x */ {it} -- y",
    "WITH x AS ({it}) FROM x",
    "WITH x AS MATERIALIZED ({it}) FROM spans, x",
    "WITH spans AS ({it}) FROM spans",
    "WITH RECURSIVE x AS ({it} UNION ALL FROM x) FROM x",
    "FROM ({it})",
    "SELECT ({it})",
    "SELECT EXISTS ({it})",
    "SELECT ARRAY ({it})",
    "FROM spans WHERE a IN ({it})",
    "FROM spans ORDER BY ({it})",
    "FROM spans LIMIT ({it})",
    "FROM spans, LATERAL ({it})",
    "SELECT sum(a) FILTER (WHERE a IN ({it})) FROM spans",
    "SELECT sum(a ORDER BY ({it})) OVER () FROM spans",
    "(SELECT 1) UNION ALL ({it})",
    "VALUES (({it}))",
    "PREPARE p AS {it}",
    "EXECUTE p",
    "DESCRIBE {it}",
)


@pytest.fixture(scope="module")
def den(tmp_path_factory):
    made = Den(tmp_path_factory.mktemp("den"))
    yield made
    made.close()


def filled(text, den, **parts):
    for name, part in parts.items():
        text = text.replace("{" + name + "}", part)
    places = {"hidden": den.hidden, "secret": den.directory / "secret.txt"}
    for name, place in {**places, "directory": den.directory}.items():
        text = text.replace("{" + name + "}", str(place))
    return text


class TestAnyStatement:
    @settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        statement=st.sampled_from(STATEMENTS),
        frames=st.lists(st.sampled_from(FRAMES), min_size=1, max_size=3),
        source=st.sampled_from(SOURCES),
        value=st.sampled_from(VALUES),
    )
    def test_is_refused_or_harmless(self, den, statement, frames, source, value):
        sql = filled(statement, den, source=source, value=value)
        for frame in frames:
            sql = frame.replace("{it}", sql)

        den.put(sql)

    @pytest.mark.parametrize("statement", STATEMENTS)
    @pytest.mark.parametrize("frame", FRAMES)
    def test_is_refused_where_it_names_what_is_hidden(self, den, statement, frame):
        sql = filled(statement, den, source="g1.hidden", value="getenv('QMON_CANARY')")

        passed = den.put(frame.replace("{it}", sql))

        assert not passed or ("hidden" not in sql and "getenv" not in sql)

    @given(st.text(max_size=60))
    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_of_any_text_is_too(self, den, text):
        den.put(text)
        den.put(f"SELECT * FROM spans WHERE {text}")
