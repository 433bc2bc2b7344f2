"""What damage has cost is named by a backup and by a move, and the backup that has it stays."""

import json
import time

import pytest
from click.testing import CliRunner

from qmon_agent.app.backing_up import back_up
from qmon_agent.app.moving_house import move
from qmon_agent.app.restoring import restore
from qmon_agent.app.vault import Vault
from qmon_agent.cli.backup import command
from qmon_agent.settings import find_locations
from qmon_agent.store.telemetry import open_readonly
from qmon_sdk.protocol.signals import Span
from tests.agent.test_telemetry_damage import flip, listed, scrub, without_journal
from tests.agent.test_telemetry_engine import DAY, Bench

COUNT = "SELECT count(*) AS n FROM spans"
LOST = {"table": "spans", "day": "1970-01-01", "rows": 100}


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "state")
    made.engine._scrubber._next_round = float(1 << 62)  # not before the test says so
    for day in (0, 1):
        made.store(*(Span(time=day * DAY + n, span_id=f"{day}-{n}") for n in range(100)))
        made.export()
    yield made
    made.close()
    made.journal.close()


@pytest.fixture
def keep(bench, tmp_path):
    """Backs up, and keeps one."""
    place, vault = find_locations(state=str(bench.directory)), Vault(tmp_path / "vault")

    def made():
        time.sleep(0.001)  # two backups of one moment would have one name
        return back_up(place, vault, keep=1), vault

    return made


def lose_a_day(bench):
    """The oldest segment is damaged for good, and found to be."""
    flip(bench.directory / "telemetry" / listed(bench)[0].file, 500)
    without_journal(bench)
    scrub(bench)


class TestBackup:
    def test_names_what_was_set_aside_before(self, bench, keep):
        lose_a_day(bench)

        backup, _ = keep()

        assert [LOST] == [
            {"table": each.table, "day": each.day, "rows": each.rows}
            for each in backup.set_aside
            if each.table == "spans"
        ]
        assert () == backup.damaged

    def test_keeps_the_one_that_has_it_for_as_long_as_it_is_lacking(self, bench, keep, tmp_path):
        whole, _ = keep()
        lose_a_day(bench)
        _, vault = keep()
        again, vault = keep()
        kept, spared = vault.names(), vault.spared

        restore(find_locations(state=str(tmp_path / "there")), vault, name=whole.name)

        assert ([whole.name, again.name], (whole.name,)) == (kept, spared)
        with open_readonly(tmp_path / "there") as store:
            assert [{"n": 200}] == store.query(COUNT).records()

    def test_gives_it_up_once_the_damaged_file_is_removed(self, bench, keep):
        keep()
        lose_a_day(bench)
        keep()
        for path in (bench.directory / "telemetry" / "damaged-segments").rglob("*.parquet"):
            path.unlink()
        scrub(bench)

        last, vault = keep()

        assert ([last.name], ()) == (vault.names(), vault.spared)

    def test_says_so_to_whoever_makes_it(self, bench, tmp_path):
        place, vault = ["--state", str(bench.directory)], str(tmp_path / "vault")
        CliRunner().invoke(command, [vault, *place], standalone_mode=False)
        lose_a_day(bench)

        said = CliRunner().invoke(command, [vault, *place, "--keep", "1"], standalone_mode=False)
        told = CliRunner().invoke(command, [vault, *place, "--keep", "1", "--json"])

        assert "not in it: 100 rows of spans, 1970-01-01" in said.stderr
        assert "stays beyond --keep" in said.stderr
        answer = json.loads(told.stdout)
        assert (True, []) == (answer["ok"], answer["damaged"])
        assert LOST.items() <= answer["set_aside"][0].items()
        assert 1 == len(answer["spared"])


class TestMove:
    def test_counts_the_segments_that_were_set_aside(self, bench, tmp_path):
        lose_a_day(bench)
        lost = len(bench.engine._ledger.manifest.damaged)
        bench.close()

        moved = move(find_locations(state=str(bench.directory)), f"duckdb://{tmp_path}/there")

        bench.open()
        assert lost == moved.damaged > 0
