"""Vulnerabilities that scans find: one incident each, until a later scan finds it no more."""

import pytest

from qmon_agent.alerting import AlertService, Observed
from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.clock import HandClock
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_sdk.protocol.signals import Finding, Snapshot

CVE = "CVE-2026-1234"


class Desk:
    """A service that is told what scans find, and has one alert about it."""

    def __init__(self, path):
        self.clock = HandClock()
        self.store = StateStore.open(f"sqlite:///{path}", self.clock)

    def watch(self, **options):
        self.service = AlertService(self.store, channels=("chat",), clock=self.clock)
        alert = AlertOptions(name="vulnerable", rule="new_vulnerability", options=options)
        self.service.declare([alert])
        return self

    def scan(self, *findings, after=3_600, commit="c1", branch="main", scan="security"):
        """One run: what it has measured, then what it has found."""
        self.wait(after)
        now = self.clock.now()
        run = {"time": now, "scan": scan, "commit": commit}
        of = {"vcs.ref.head.name": branch} if branch else {}
        told = [
            Finding(**run, tool="audit", attributes=of | more, **said) for said, more in findings
        ]
        numbers = [Snapshot(**run, measure="findings", value=float(len(told)), attributes=of)]
        for batch in ({"snapshots": numbers}, {"findings": told}):
            self.service.observe(Observed(service="shop", time=now, position=str(now), **batch))
        return self

    def wait(self, seconds):
        self.clock.turn(seconds)
        self.service.tick()
        return self

    def settle(self):
        return self.wait(301)

    @property
    def open(self):
        found = [each for each in self.service.standings() if each.state == "firing"]
        return sorted(f"{each.labels['advisory']} {each.labels['package']}" for each in found)


def of(rule=CVE, package="jinja2", state="new", severity="critical", **more):
    said = {"rule": rule, "severity": severity, "state": state, "message": "it executes templates"}
    return said, {"package.name": package, **{name.replace("__", "."): more[name] for name in more}}


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "state.db")
    yield desk.watch()
    desk.store.close()


class TestNewVulnerability:
    def test_is_one_incident_for_each_advisory_and_package(self, desk):
        desk.scan(of(), of(), of(package="flask"), of(rule="PYSEC-2026-7"))

        assert [f"{CVE} flask", f"{CVE} jinja2", "PYSEC-2026-7 jinja2"] == desk.open

    def test_says_what_it_is_in_which_version_and_where_it_is_fixed(self, desk):
        desk.scan(of(package__version="2.11", package__fixed_version="3.1"))

        with desk.store.reading() as connection:
            (notice,) = connection.exec_driver_sql("SELECT notice FROM outbox").one()
        said = f"{CVE} (critical) in jinja2 2.11, fixed in 3.1: it executes templates"
        assert said in notice

    @pytest.mark.parametrize("state", ["known", "fixed"])
    def test_is_new_only_where_it_is_told_to_be(self, desk, state):
        assert [] == desk.scan(of(state=state)).open

    def test_is_not_what_a_linter_finds(self, desk):
        assert [] == desk.scan(of(rule="S101")).open
        assert [f"{CVE} jinja2"] == desk.scan(of(rule="S101", vulnerability__id=CVE)).open

    def test_has_one_name_whichever_tool_finds_it(self, desk):
        ghsa = {"vulnerability__id": "GHSA-jf85-cpcp-j695", "vulnerability__aliases": f"X-1,{CVE}"}
        desk.scan(of(), of(package="Jinja2", **ghsa))
        desk.scan(({"rule": CVE, "severity": "critical"}, {"package.purl": "pkg:pypi/jinja2@2.11"}))

        assert [f"{CVE} jinja2"] == desk.open

    @pytest.mark.parametrize(
        ("floor", "word", "is_told"),
        [
            ("critical", "high", False),
            ("critical", "Blocker", True),
            ("high", "error", True),
            ("medium", "moderate", True),
            ("none", "unknown", False),
        ],
    )
    def test_has_to_be_bad_enough(self, desk, floor, word, is_told):
        assert is_told == bool(desk.watch(severity=floor).scan(of(severity=word)).open)

    def test_is_looked_for_in_some_scans_and_branches_only(self, desk):
        desk.watch(scan="sec*", branches=["main"])

        assert [] == desk.scan(of(), branch="topic").scan(of(), scan="nightly").open
        assert [f"{CVE} jinja2"] == desk.scan(of()).open

    def test_refuses_a_severity_there_is_none_of(self):
        with pytest.raises(ConfigError, match=r"new_vulnerability\.severity.*'critical'"):
            RULES.build("new_vulnerability", {"severity": "critcal"})


class TestItsEnd:
    def test_is_told_as_fixed(self, desk):
        assert [] == desk.scan(of()).scan(of(state="fixed")).open

    def test_is_when_a_later_scan_does_not_list_it(self, desk):
        desk.scan(of(), of(package="flask")).scan(of(package="flask"))

        assert [f"{CVE} flask"] == desk.settle().open

    def test_is_when_a_later_scan_finds_nothing_at_all(self, desk):
        assert [] == desk.scan(of()).scan().settle().open

    def test_waits_until_the_later_scan_has_told_all(self, desk):
        desk.scan(of()).scan(commit="c2")
        before = desk.open
        desk.scan(of(state="known"), after=60, commit="c2")

        assert [f"{CVE} jinja2"] == before == desk.settle().open

    def test_is_not_while_it_is_known_and_still_listed(self, desk):
        for _ in range(3):
            desk.scan(of(state="known" if _ else "new")).settle()

        assert [f"{CVE} jinja2"] == desk.open

    def test_is_soon_where_the_next_commit_is_scanned_soon(self, desk):
        assert [] == desk.scan(of()).scan(commit="c2", after=30).settle().open

    @pytest.mark.parametrize("other", [{"branch": "topic"}, {"branch": ""}, {"scan": "quality"}])
    def test_is_not_for_what_another_scan_does_not_list(self, desk, other):
        assert [f"{CVE} jinja2"] == desk.scan(of()).scan(commit="c2", **other).settle().open

    def test_is_where_it_became_less_bad(self, desk):
        assert [] == desk.scan(of()).scan(of(state="known", severity="low")).open

    def test_survives_a_restart(self, desk):
        desk.scan(of()).scan(commit="c2")
        assert desk.service.checkpoint()

        assert [] == desk.watch().settle().open
