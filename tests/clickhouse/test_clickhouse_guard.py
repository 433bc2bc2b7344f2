"""A query reads our tables, and nothing that it may say reaches further."""

import pytest

from qmon_agent.domain.errors import QueryError

ALLOWED = [
    "SELECT 1",
    "SELECT 1;",
    "with s as (select * from spans) select count() from s",
    "/* why */ -- so\n SELECT count() FROM spans",
    "explain select * from spans",
    "EXPLAIN PIPELINE select 1",
    "describe spans",
    "desc table spans",
    "show tables",
    "select count() from numbers(5)",
    "select s.name from spans s join errors e using (trace_id)",
    "select count() from spans where trace_id in (select trace_id from errors)",
    "select name, row_number() over (partition by name order by time) from spans",
    "select arrayMap(x -> x + 1, [1, 2]) as a, k from spans array join mapKeys(attributes) as k",
    "select * from (select 1 union all select 2) order by 1 desc limit 1",
    "select quantile(0.95)(duration_ns) from spans group by service having count() > 1",
    "select 'a;b' as x",
    "select * except (time) from spans",
    "(select 1) intersect (select 1)",
]
REFUSED = [
    "",
    "SELECT 1; SELECT 2",
    "select 1; drop table spans",
    "INSERT INTO spans SELECT * FROM spans",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "ALTER TABLE spans DELETE WHERE 1",
    "TRUNCATE TABLE spans",
    "DROP DATABASE qmon",
    "SYSTEM FLUSH LOGS",
    "SET max_threads = 9",
    "USE system",
    "KILL QUERY WHERE 1",
    "GRANT ALL ON *.* TO x",
    "EXPLAIN AST select * from url('http://x')",
    "EXPLAIN actions = 1 select 1",
    "select 1 settings readonly = 0",
    "select * from (select 1 settings max_threads = 1)",
    "select 1 into outfile '/tmp/x'",
    "select 1 format JSON",
    "select * from system.users",
    "select * from qmon.spans",
    "select * from information_schema.tables",
    "select count() from spans where name in system.users",
    "select count() from spans where name not in system.one",
    "select (select count() from system.tables)",
    "with s as (select * from system.users) select * from s",
    "select * from file('/etc/passwd', 'LineAsString')",
    "select file('/etc/passwd')",
    "select * from url('http://127.0.0.1/', 'LineAsString')",
    "select * from s3('http://127.0.0.1/x')",
    "select * from remote('127.0.0.1', system.one)",
    "select * from cluster('default', system.one)",
    "select * from mysql('h', 'd', 't', 'u', 'p')",
    "select * from executable('x', 'TSV', 'a String')",
    "select * from merge('system', '.*')",
    "select * from viewIfPermitted(select 1 else null('x Int8'))",
    "select * from (explain select 1)",
    "select dictGet('d', 'a', 1)",
    "select joinGet('system.x', 'a', 1)",
    "select getSetting('max_threads')",
    "select hasColumnInTable('system', 'users', 'name')",
    "select sleep(1)",
    "select * apply(file) from spans",
    "show databases",
    "show tables from system",
    "describe system.users",
    "describe url('http://x')",
    "select `a\nb` from (select 1 as `a\nb`) union all select * from file('x')",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_passes_what_only_reads(bench, sql):
    bench.ask(sql)


@pytest.mark.parametrize("sql", REFUSED)
def test_refuses_everything_else(bench, sql):
    with pytest.raises(QueryError):
        bench.ask(sql)


def test_names_the_table_that_was_meant(bench):
    with pytest.raises(QueryError, match="did you mean 'spans'"):
        bench.ask("select * from span")


def test_behind_the_guard_the_server_is_locked_too(bench):
    with bench.engine._server.asked() as client:
        for sql in ("insert into spans (name) values ('x')", "drop table spans"):
            with pytest.raises(Exception, match="READONLY"):
                client.command(sql, settings={"readonly": 1})
