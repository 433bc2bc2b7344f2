"""Rules about scans: gates that fail."""

import pytest

from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_sdk.protocol.signals import Snapshot
from tests.agent.test_alerting_kinds import Judge

GATE = {"conditions": {"coverage": "< 80", "findings.new": "> 0"}}


class Scans:
    """A gate, and scans that come by."""

    def __init__(self, **options):
        self.judge = Judge("quality_gate", **GATE | options)

    def scan(self, commit="c1", *, at=None, scan="code", **measures):
        """Every measure of a scan at once; an underscore in a name is a dot."""
        time = self.judge.now + SECOND if at is None else at
        branch = {"vcs.ref.head.name": measures.pop("branch")} if "branch" in measures else {}
        told = [
            Snapshot(
                time=time,
                scan=scan,
                commit=commit,
                measure=name.replace("_", "."),
                value=float(value),
                attributes=branch,
            )
            for name, value in measures.items()
        ]
        self.judge.see(snapshots=told)
        return self

    @property
    def state(self):
        return self.judge.state


class TestQualityGate:
    def test_fails_and_says_why_and_where(self):
        scans = Scans().scan("4f1c2d9e77", coverage=71.25, findings_new=2)

        assert "firing" == scans.state
        expected = "coverage is 71.25 (fails at < 80), findings.new is 2 (fails at > 0) at 4f1c2d9e"
        assert (expected, 71.25) == (scans.judge.cell.text, scans.judge.cell.value)

    def test_is_passed_by_the_next_commit(self):
        scans = Scans().scan("c1", coverage=70, findings_new=0)

        assert "inactive" == scans.scan("c2", coverage=80, findings_new=0).state

    def test_that_something_is_not_measured_of_resolves_nothing(self):
        scans = Scans().scan("c1", coverage=70, findings_new=0).scan("c2", coverage=90)

        assert "not_measured:findings.new" == scans.state
        assert "firing" == scans.judge.cell.episode.state
        assert "inactive" == scans.scan("c2", findings_new=0).state

    def test_knows_nothing_of_a_commit_of_which_only_others_were_measured(self):
        scans = Scans().scan("c1", coverage=90, findings_new=0).scan("c2", smells=3)

        assert "not_measured:coverage" == scans.state

    def test_fails_by_one_measure_whatever_the_others_are(self):
        assert "firing" == Scans().scan(coverage=70).state

    def test_knows_nothing_of_what_was_measured_as_no_number(self):
        assert "not_measured:coverage" == Scans().scan(coverage="nan", findings_new=0).state

    def test_does_not_go_back_to_a_scan_that_came_late(self):
        scans = Scans().scan("c2", coverage=90, findings_new=0)

        assert "inactive" == scans.scan("c1", at=5, coverage=10, findings_new=9).state

    def test_takes_a_commit_as_it_was_scanned_last(self):
        scans = Scans().scan("c1", coverage=70, findings_new=0)

        assert "inactive" == scans.scan("c1", coverage=85).state

    def test_is_of_each_scan_and_branch(self):
        scans = Scans(scan="co*").scan(branch="main", coverage=70).scan(branch="x", coverage=70)
        scans.scan(scan="config", coverage=70).scan(scan="other", coverage=70)

        labels = [cell.labels for cell in scans.judge.cells.values()]
        assert ["main", "x", None] == [each.get("branch") for each in labels]
        assert ["code", "code", "config"] == [each["scan"] for each in labels]

    def test_may_be_of_some_branches_only(self):
        scans = Scans(branches=["main", "release/*"])
        for branch in ("main", "topic", "release/2"):
            scans.scan(branch=branch, coverage=70)

        assert 2 == len(scans.judge.cells)

    @pytest.mark.parametrize(
        ("conditions", "path"),
        [
            ({}, "rules.quality_gate.conditions"),
            ({"coverage": "low"}, "rules.quality_gate.conditions.coverage"),
            ({"coverage": "< 80 for 5m"}, "rules.quality_gate.conditions.coverage"),
        ],
    )
    def test_refuses_lines_that_are_none(self, conditions, path):
        with pytest.raises(ConfigError, match=path):
            RULES.build("quality_gate", {"conditions": conditions})
