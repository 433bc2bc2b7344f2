"""What the store may take is what the settings say, and what they cannot say is refused."""

import threading
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.app.checking import check_plugins
from qmon_agent.app.status import _store_problems
from qmon_agent.cli._rooms import _disk
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import read_settings
from qmon_agent.settings.room import LEAST_MEMORY, check_room, journal_of
from qmon_agent.store.telemetry import TelemetryOptions, manifest, with_memory
from qmon_agent.store.telemetry.answers import StoreStatus
from qmon_agent.store.telemetry.engine import open_engine
from qmon_agent.store.telemetry.options import LIBRARIES_MB, Exporting, Joining, Rolling, Scrubbing
from qmon_agent.store.telemetry.taken import bytes_under
from qmon_sdk.protocol.signals import Span
from tests.agent.test_telemetry_engine import Bench

PLAIN = TelemetryOptions(directory="", journal="")
SPANS = 18_000


class Told(Bench):
    """A bench whose store has options of its own."""

    def __init__(self, directory, **told):
        self.told = told
        super().__init__(directory)

    def open(self):
        options = TelemetryOptions(
            directory=str(self.directory / "telemetry"), journal=str(self.directory / "journal")
        )
        options = msgspec.structs.replace(options, **self.told)
        self.engine = open_engine(with_memory(options, LEAST_MEMORY))
        self.open_follower(self.engine)

    def fill(self, exports):
        for number in range(exports):
            each = SPANS // exports
            self.store(
                *(Span(time=number * each + n, span_id=f"{number}-{n}") for n in range(each))
            )
            self.export()

    def tidy(self, until=lambda: False, *, most_s=1.0):
        end = time.monotonic() + most_s
        while time.monotonic() < end and not until():
            self.engine.tend(now=time.time_ns())
            time.sleep(0.02)

    @property
    def segments(self):
        listed = manifest.load(self.directory / "telemetry").segments
        return [each for each in listed if each.table == "spans"]


@pytest.fixture
def told(tmp_path):
    opened = []

    def tell(**options):
        opened.append(Told(tmp_path, **options))
        return opened[-1]

    yield tell
    for each in opened:
        each.close()
        each.journal.close()


def wrong(text):
    _, problems = check_plugins(read_settings(text.encode()))
    return [str(each) for each in problems]


class TestMemory:
    def test_of_the_default_is_what_it_always_was(self):
        assert with_memory(PLAIN, 350_000_000) == PLAIN

    @given(st.integers(LEAST_MEMORY, 1 << 40))
    def test_is_parted_without_a_rest(self, memory):
        given = with_memory(PLAIN, memory)

        parts = given.memory_limit_mb + given.joining.memory_limit_mb + LIBRARIES_MB
        assert parts == memory // 1_000_000
        assert given.rolling.memory_limit_mb == given.joining.memory_limit_mb

    def test_is_not_taken_by_an_export_and_by_what_is_beside_at_once(self, told):
        bench = told(
            exporting=Exporting(rows=16_000),
            rolling=Rolling(share=1.0),
            joining=Joining(share=1.0, interval_s=0.01),
        )
        seen = set()
        for number in range(200):
            if number % 5 == 0:
                bench.store(*(Span(time=number * 4_000 + n, name=f"{n}") for n in range(4_000)))
            bench.engine.tend(now=time.time_ns())
            busy = {each.name for each in threading.enumerate()} & {"export", "roll", "join"}
            assert busy == {"export"} or "export" not in busy
            seen |= busy
            time.sleep(0.01)

        assert seen >= {"export", "roll"}

    @pytest.mark.parametrize("said", ['"much"', '"100MB"', "5", '""'])
    def test_that_is_no_size_or_too_small_is_refused_by_its_path(self, said):
        (problem,) = wrong(f"[store]\nmemory = {said}")

        assert problem.startswith("store.memory")

    def test_that_is_the_least_is_enough_to_export_and_to_join(self, told):
        bench = told(joining=Joining(interval_s=0.0, share=1.0))
        bench.fill(9)
        bench.tidy(lambda: len(bench.segments) < 9, most_s=30.0)

        assert len(bench.segments) < 9
        assert bench.engine.counts().get("join_failures", 0) == 0
        assert bench.rows("select count(distinct span_id) from spans") == [[SPANS]]


class TestAFailingDisk:
    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (
                StoreStatus(state="running", ended="no room"),
                "gave up, and is started again: no room",
            ),
            (StoreStatus(state="running", counts={"export_failing": 1}), "is the disk full?"),
        ],
    )
    def test_is_named_in_the_status(self, status, words):
        (problem,) = _store_problems(status)

        assert words in problem


class TestSwitches:
    def test_without_joining_segments_stay_as_they_are(self, told):
        bench = told(joining=Joining(is_on=False, interval_s=0.0, share=1.0))
        bench.fill(9)
        bench.tidy()

        assert len(bench.segments) == 9

    @pytest.mark.parametrize("is_on", [True, False])
    def test_segments_are_read_again_only_with_scrubbing(self, told, is_on):
        bench = told(joining=Joining(is_on=False), scrubbing=Scrubbing(is_on=is_on, interval_s=0.0))
        bench.fill(2)
        bench.tidy()

        assert bool(bench.engine.counts().get("scrubbed_segments")) == is_on

    @pytest.mark.parametrize("said", ["joining = 1", 'scrubbing = "no"'])
    def test_are_true_or_false(self, said):
        with pytest.raises(ConfigError, match=f"store.{said.split()[0]}"):
            wrong(f"[store]\n{said}")


class TestAJournal:
    @pytest.mark.parametrize("said", ['"4GB"', "4000000000", '"4000000000"'])
    def test_has_a_size_as_people_write_them(self, said):
        text = f"[journal]\nmax_bytes = {said}"

        assert wrong(text) == []
        assert 4 * 10**9 == journal_of(read_settings(text.encode()).journal)

    @pytest.mark.parametrize("said", ['"plenty"', "0", "-1", '"0"', "1.5"])
    def test_of_no_size_is_refused(self, said):
        with pytest.raises(ConfigError, match=r"^journal\.max_bytes: "):
            check_room(read_settings(f"[journal]\nmax_bytes = {said}".encode()))


class TestDisk:
    @pytest.mark.parametrize("said", ['"plenty"', "0", '"4GB"'])
    def test_that_is_no_size_or_does_not_hold_the_journal_is_refused(self, said):
        (problem,) = wrong(f"[store]\ndisk_bytes = {said}")

        assert problem.startswith("store.disk_bytes")

    @pytest.mark.parametrize(
        "said",
        ['[store]\ndisk_bytes = "20GB"', "", '[store]\ndisk_bytes="2GB"\n[journal]\nmax_bytes=1'],
    )
    def test_that_holds_the_journal_is_taken(self, said):
        assert wrong(said) == []

    def test_is_what_all_files_take_wherever_they_are(self, tmp_path):
        (tmp_path / "segments" / "spans").mkdir(parents=True)
        (tmp_path / "hot").write_bytes(b"x" * 7)
        (tmp_path / "segments" / "spans" / "a").write_bytes(b"x" * 5)
        (tmp_path / "nowhere").symlink_to("/nowhere/at/all")

        assert bytes_under(tmp_path) == 12 + len("/nowhere/at/all")
        assert bytes_under(tmp_path / "none") == 0

    @pytest.mark.parametrize(
        ("share", "filling", "verdict", "words"),
        [
            (None, {"verdict": "unknown", "days": None}, "ok", "no budget"),
            (
                0.6,
                {"verdict": "unknown", "days": None},
                "ok",
                "60 % of 1.0 KiB, when it is full is",
            ),
            (0.6, {"verdict": "not_before", "days": 3.0}, "ok", "full not before 3.0 days"),
            (0.6, {"verdict": "full_in", "days": 2.9}, "warn", "full in about 2.9 days"),
            (0.95, {"verdict": "not_before", "days": 12.0}, "warn", "95 % of 1.0 KiB"),
            (1.2, {"verdict": "full_in", "days": 0.0}, "warn", "120 % of 1.0 KiB, full"),
        ],
    )
    def test_is_said_in_a_line_and_warned_of_in_time(self, share, filling, verdict, words):
        disk = {
            "telemetry_bytes": 500,
            "journal_bytes": 100,
            "budget_bytes": None if share is None else 1024,
            "share": share,
            "filling": filling,
        }

        (finding,) = _disk(disk)

        assert finding.verdict == verdict
        assert words in finding.detail
