"""How far a cluster was tried: Debian's server of 2018 really replicates, today's engine registers.

The first takes of our statements what it knows, by plain HTTP, and the layout of our tables without
the rest. The second, in one process, has the tables of a cluster made in a real ZooKeeper.
"""

import json
import subprocess
import sys
import time

import pytest
from ports import free_port
from servers import NotInstalledError

from qmon_agent.store.telemetry.engines.clickhouse import bounding, ddl, folding
from qmon_agent.store.telemetry.engines.clickhouse.address import Address
from qmon_agent.store.telemetry.engines.clickhouse.ddl import Layout
from qmon_agent.store.telemetry.engines.clickhouse.server import connect
from qmon_agent.store.telemetry.schema import EVERY_TABLE, TABLES
from tests.clickhouse.replicas import Cluster, Keeper, RefusedError, common_of, of_2018

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LAYOUT = Layout(cluster="main", keep_s=dict.fromkeys(TABLES, 86_400 * 3_650))
SPANS, LOGS = TABLES["span"], TABLES["log"]
START, DAYS, ROWS, TRACES = 1_764_028_800, 3, 120, 40
DAY = "20251125"
NOT_KNOWN = {
    "codecs": "failed at position",
    "DateTime64": "Unknown data type family: DateTime64",
    "LowCardinality": "LowCardinality",
    "Map": "Unknown data type family: Map",
    "Bool": "Unknown data type family: Bool",
    "bloom filters": "bloom_filter",
    "TTL": "TTL",
    "settings": "Unknown setting",
}
WHOLE = "SELECT count(), uniqExact(trace_id) FROM qmon.spans"
OWN = "SELECT count(), uniqExact(trace_id) FROM qmon.spans_local"


@pytest.fixture(scope="module")
def cluster(missing):
    try:
        made = Cluster()
    except NotInstalledError as error:
        missing(str(error))
    try:
        for statement in ddl.statements(LAYOUT):
            made.nodes[0].say(of_2018(statement))
        yield made
    finally:
        made.stop()


@pytest.fixture
def nodes(cluster):
    """Three servers, whose spans are gone."""
    for partition in range(DAYS):
        gone = bounding.drop(SPANS, str(int(DAY) + partition), LAYOUT)
        cluster.nodes[0].say(gone)
    return cluster.nodes


def fill(node):
    """The same rows each time; three of a trace, and a third of them on each day."""
    rows = [
        {"time": START + 86_400 * (n % DAYS), "service": "shop", "trace_id": f"t{n // 3}"}
        for n in range(ROWS)
    ]
    lines = "\n".join(map(json.dumps, rows))
    node.say(f"INSERT INTO qmon.spans FORMAT JSONEachRow {lines}", insert_distributed_sync=1)


def counts(node, asked):
    return [*map(int, node.say(asked).split())]


def until_equal(one, other, asked):
    """Both say the same: a replica may be behind for a moment."""
    deadline = time.monotonic() + 60
    while (said := counts(one, asked)) != counts(other, asked):
        assert time.monotonic() < deadline, "a replica stays behind"
        time.sleep(0.1)
    return said


def answer(node, statement):
    try:
        node.say(statement)
    except RefusedError as error:
        return str(error)
    return ""


class TestServerOf2018:
    def test_is_the_one_that_was_measured(self, nodes):
        assert nodes[0].say("SELECT version()").startswith("18.16.")

    def test_is_none_that_our_client_speaks_to(self, nodes):
        driver = pytest.importorskip("clickhouse_connect.driver.exceptions")

        with pytest.raises(driver.ClickHouseError):
            connect(Address(host="127.0.0.1", port=nodes[0].port), "")

    def test_takes_one_of_our_statements_as_it_is(self, nodes):
        fresh = Layout(database="asis", cluster="main")
        statements = [*ddl.statements(fresh), *folding.statements(fresh)]
        said = [answer(nodes[0], each) for each in statements]
        taken = [each for each, error in zip(statements, said, strict=True) if not error]
        words = [sum(word in each for each in said) for word in ("CODEC", "doesn't exist")]

        assert taken == [ddl.database(fresh)]
        # Sixteen tables; and what is made of them: as many that reach all shards, six folds, views.
        assert [16, 28] == words

    @pytest.mark.parametrize(("what", "error"), NOT_KNOWN.items())
    def test_does_not_know(self, nodes, what, error):
        statement = ddl.create(TABLES["error"], LAYOUT)
        number = str(free_port())
        other = statement.replace("_local`", f"_{number}`").replace("qmon/", f"{number}/")
        other = other.replace("`qmon`", "`default`")

        assert error in answer(nodes[0], of_2018(other, but=(what,)))
        assert not answer(nodes[0], of_2018(other))

    @pytest.mark.parametrize(
        ("statement", "error"),
        [
            (bounding.thin(LOGS, DAY, ["shop"], holds=(), layout=LAYOUT), "IN PARTITION"),
            (bounding.stop(LOGS, LAYOUT), "KILL|MUTATION"),
            (bounding.pending(LOGS, LAYOUT), "clusterAllReplicas"),
        ],
    )
    def test_does_not_know_of_bounds(self, nodes, statement, error):
        assert any(word in answer(nodes[0], statement) for word in error.split("|"))


class TestReplicas:
    def test_have_every_table(self, nodes):
        asked = "SELECT count() FROM system.tables WHERE database = 'qmon' AND engine LIKE '{}%'"
        found = [counts(node, asked.format(kind)) for node in nodes for kind in "RD"]

        assert [[len(EVERY_TABLE)]] * 6 == found

    def test_have_the_same_rows_and_traces_lie_whole_on_a_shard(self, nodes):
        fill(nodes[0])
        one, two = until_equal(*nodes[:2], OWN), counts(nodes[2], OWN)

        assert [[ROWS, TRACES]] * 3 == [counts(node, WHOLE) for node in nodes]
        assert [ROWS, TRACES] == [x + y for x, y in zip(one, two, strict=True)]
        assert 0 < one[0] < ROWS

    def test_have_a_block_once_whichever_is_told_again(self, nodes):
        for node in (nodes[0], nodes[0], nodes[1], nodes[2]):
            fill(node)

        assert [[ROWS, TRACES]] * 3 == [counts(node, WHOLE) for node in nodes]

    def test_give_up_a_partition_together(self, nodes):
        fill(nodes[0])
        until_equal(*nodes[:2], OWN)
        before = nodes[1].say(bounding.pieces(SPANS, LAYOUT)).splitlines()
        services = nodes[0].say(bounding.services(SPANS, [DAY], LAYOUT))
        for _ in "again":
            nodes[2].say(bounding.drop(SPANS, DAY, LAYOUT))
        after = nodes[1].say(bounding.pieces(SPANS, LAYOUT)).splitlines()

        rows = [int(line.split()[2]) for line in before]
        assert ([ROWS // DAYS] * DAYS, before[1:]) == (rows, after)
        assert [DAY, "shop", str(ROWS // DAYS)] == services.split()
        assert [ROWS - ROWS // DAYS] == until_equal(*nodes[:2], WHOLE)[:1]

    def test_catch_up_after_one_was_killed(self, nodes):
        nodes[1].kill()
        fill(nodes[0])
        nodes[1].start_again()

        assert until_equal(*nodes[:2], OWN)[0]
        assert [ROWS, TRACES] == counts(nodes[1], WHOLE)


ENGINE = """
import os, sys
import chdb
from qmon_agent.store.telemetry.engines.clickhouse import ddl, folding
from qmon_agent.store.telemetry.engines.clickhouse.ddl import Layout
layout = Layout(cluster="main", keep_s={"log": 86400.0}, apart_s={"log": {"shop": 9e5}})
engine = chdb.connect(f"{sys.argv[1]}/data?config-file={sys.argv[1]}/config.xml")
statements = [*ddl.statements(layout), *folding.statements(layout)]
for each in statements:
    if "OTHERS" in sys.argv:
        each = each.replace("`host` LowCardinality(String)", "`host` String")
    try:
        engine.query(each.replace(layout.everywhere, ""))
    except RuntimeError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
asked = "SELECT count() FROM system.tables WHERE database = 'qmon' AND engine LIKE '{}%'"
for kind in ("Replicated", "Distributed", "MaterializedView", "View"):
    print(str(engine.query(asked.format(kind))).strip())
sys.stdout.flush()
os._exit(0)  # tables that nobody replicates hold up its end
"""


class TestEngineOfToday:
    @pytest.fixture
    def keeper(self, missing):
        pytest.importorskip("chdb")
        try:
            made = Keeper()
        except NotInstalledError as error:
            missing(str(error))
        yield made
        made.stop()

    def run(self, keeper, directory, *, shard, replica, more=()):
        port = free_port()
        common = common_of(keeper, [[port]], tcp=port, shard=shard, replica=replica)
        directory.mkdir()
        (directory / "config.xml").write_text(f"<clickhouse>{common}</clickhouse>")
        command = [sys.executable, "-c", ENGINE, str(directory), *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    def test_makes_each_table_of_a_cluster_in_a_real_keeper(self, keeper, tmp_path):
        """Two replicas of one shard, and another shard, each told what its keeper has already."""
        for shard, replica in ((1, "a"), (1, "b"), (2, "c")):
            done = self.run(keeper, tmp_path / replica, shard=shard, replica=replica)

            assert ["16", "16", "6", "6"] == done.stdout.split(), done.stderr

    def test_refuses_a_replica_whose_columns_are_others(self, keeper, tmp_path):
        self.run(keeper, tmp_path / "a", shard=1, replica="a")
        done = self.run(keeper, tmp_path / "b", shard=1, replica="b", more=["OTHERS"])

        assert "INCOMPATIBLE_COLUMNS" in done.stderr
