"""Tests of rules: what comes in, and every alert that fires."""

import json
import subprocess
import sys

import pytest

from qmon_agent.app.rule_cases import read_rule_tests
from qmon_agent.app.rule_trials import coverage, run_case
from qmon_agent.domain.errors import ConfigError, in_full

RULES = """
[[alerts]]
name = "hot"
metric = "temp"
threshold = "> 5 for 30s"

[[alerts]]
name = "many"
rule = "promql"
options = { expr = "sum(increase(hits_total[1m])) > 30", interval = "15s" }

[[alerts]]
name = "crashes"
rule = "crashed_sessions"
options = { min_events = 2, threshold = 0.5 }

[[alerts]]
name = "lines"
rule = "log_pattern"
options = { text = "disk*" }

[[alerts]]
name = "nightly"
rule = "missed_checkin"
options = { troubles = ["failed"] }
"""
HOT = 'series = [{ metric = "temp", service = "shop", values = "1 9x5 1" }]'
EVENTS = """
input = [
  { at = "5s", service = "shop", session = { status = "crashed" }, times = 3 },
  { advance = "5s" },
  { service = "shop", log = { body = "disk is full" } },
  { at = "1m", service = "shop", checkin = { monitor = "backup", status = "error" } },
]
expect = [
  { alert = "crashes", fires = "5s" },
  { alert = "lines", fires = "10s", text = "1 lines*" },
  { alert = "nightly", fires = "1m", text = "backup*" },
]
"""


@pytest.fixture
def read(tmp_path):
    """The tests of a text, of the rules above unless it names others."""

    def reading(text, rules=RULES):
        (tmp_path / "rules.toml").write_text(rules)
        (tmp_path / "test.toml").write_text(f'rules = "rules.toml"\n{text}')
        return read_rule_tests(tmp_path / "test.toml", None)

    return reading


@pytest.fixture
def tried(read):
    """How a test of this body ends."""

    def trying(body, rules=RULES):
        tests = read(f'[[tests]]\nname = "t"\n{body}', rules)
        return run_case(tests.cases[0], tests.alerts)

    return trying


@pytest.fixture
def half_run(tmp_path):
    """A file with a test of two rules of Prometheus, one of which cannot be run."""

    def writing(expect):
        up = "{alert: Up, expr: up == 0, for: 1m}"
        at = "{alert: At, expr: up @ 5 == 0}"
        (tmp_path / "rules.yml").write_text(f"groups: [{{name: g, rules: [{up}, {at}]}}]")
        body = 'name = "t"\ninterval = "1m"\nseries = [{ metric = "up", values = "1 0x3" }]'
        (tmp_path / "t.toml").write_text(f'rules = "rules.yml"\n[[tests]]\n{body}\n{expect}')
        return tmp_path / "t.toml"

    return writing


SCANS = """
[[alerts]]
name = "gate"
rule = "quality_gate"
options = { conditions = { coverage = "< 80" } }

[[alerts]]
name = "hole"
rule = "new_vulnerability"

[[alerts]]
name = "attack"
rule = "security_incident"
options = { limits = { authz_fail = 2 }, by = ["user"] }

[[alerts]]
name = "funnel"
rule = "funnel_drop"
options = { steps = ["view", "order"], below = 0.5, within = "1m", window = "2m", minimum = 1 }

[[alerts]]
name = "back"
rule = "regression"
options = { quiet_for = "5m" }
"""
SCANNED = """
lasts = "12m"
input = [
  { at = "5s", service = "shop", snapshot = { scan = "code", measure = "coverage", value = 70 } },
  { service = "shop", finding = { scan = "code", rule = "CVE-2026-0001", severity = "critical" } },
  { service = "shop", event = { name = "authz_fail", user_id = "ann" }, times = 2 },
  { service = "shop", event = { name = "view", user_id = "ann" } },
  { service = "shop", release = "1.0", error = { type = "Boom" } },
  { at = "6m", service = "shop", snapshot = { scan = "code", measure = "coverage", value = 90 } },
  { service = "shop", release = "1.1", error = { type = "Boom" } },
]
expect = [
  { alert = "gate", fires = "5s", resolves = "6m", value = 70 },
  { alert = "hole", fires = "5s", text = "CVE-2026-0001 (critical)" },
  { alert = "attack", fires = "5s", severity = "critical", labels = { user = "ann" } },
  { alert = "funnel", value = 0 },
  { alert = "back", fires = "6m", text = "again in 1.1, after a silence of 5m55s: Boom*" },
]
"""


def expecting(said):
    return f'{HOT}\nexpect = [{{ alert = "hot"{said} }}]'


class TestTest:
    @pytest.mark.parametrize(
        "body",
        [
            expecting(""),
            expecting(', fires = "45s", resolves = "1m45s"'),
            expecting(', fires = 45, resolves = "105s", value = 9, severity = "warning"'),
            expecting(', labels = { service = "sh?p" }, reason = "breach_held", unknown = false'),
            f'lasts = "1m"\n{expecting(", resolves = false")}',
            EVENTS,
            'series = [{ metric = "temp", values = "1 9 1 _x3 stale 1" }]',
        ],
    )
    def test_passes_where_every_alert_is_as_expected(self, tried, body):
        assert () == tried(body).differences

    def test_says_what_people_do_and_what_scans_find(self, tried):
        assert () == tried(SCANNED, SCANS).differences

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            (expecting(', fires = "44s"'), ["fires"]),
            (expecting(", resolves = false, value = 8"), ["resolves", "value"]),
            (expecting(', severity = "error", text = "x"'), ["severity", "text"]),
            (expecting(', labels = { room = "a" }, reason = "breach"'), ["reason", "labels.room"]),
            (f'lasts = "1m"\n{expecting(""", resolves = "1m", unknown = "no_data" """)}', None),
        ],
    )
    def test_says_where_it_is_not(self, tried, body, fields):
        missing, unexpected = tried(body).differences

        assert ["missing", "unexpected"] == [missing.what, unexpected.what]
        assert (fields or ["resolves", "unknown"]) == [field for field, *_ in missing.fields]

    def test_fails_where_an_alert_fires_that_is_not_listed(self, tried):
        (difference,) = tried(HOT).differences

        assert ("unexpected", "hot") == (difference.what, difference.got["alert"])

    def test_fails_where_one_is_listed_twice_and_fires_once(self, tried):
        twice = f'{HOT}\nexpect = [{{ alert = "hot" }}, {{ alert = "hot" }}]'

        assert ["missing"] == [each.what for each in tried(twice).differences]

    def test_lets_questions_see_all_that_came_at_their_moment(self, tried):
        hits = '{{ metric = "hits", kind = "counter", service = "{}", values = "0x3 20+20x1" }}'
        both = f"series = [{hits.format('a')}, {hits.format('b')}]"
        expect = 'expect = [{ alert = "many", fires = "1m" }]'

        assert () == tried(f"{both}\n{expect}").differences

    def test_begins_when_it_says(self, tried):
        job = '[[alerts]]\nname = "job"\nrule = "missed_checkin"\nsystem = "a"\n'
        job += 'options = { monitor = "m", schedule = "0 3 * * *", margin = "5m" }'
        starts = "starts = 2026-01-05T02:00:00Z\nlasts = '2h'"
        fired = tried(starts, job).fired

        assert ["1h5m"] == [each.fires for each in fired]

    def test_is_not_touched_by_the_one_before(self, read):
        test = f'[[tests]]\nname = "t"\nlasts = "1m"\n{expecting("")}\n'
        tests = read(test + test)

        assert all(run_case(case, tests.alerts).passed for case in tests.cases)


class TestCoverage:
    def test_counts_the_tests_in_which_a_rule_fires_or_has_anything_to_judge(self, read):
        cool = '[[tests]]\nname = "cool"\nseries = [{ metric = "temp", values = "1" }]\n'
        tests = read(f'{cool}[[tests]]\nname = "hot"\n{HOT}')
        outcomes = [run_case(case, tests.alerts) for case in tests.cases]
        counted = {
            each.alert: (each.fires_in, each.judged_in) for each in coverage(tests.alerts, outcomes)
        }

        assert ((1, 2), (0, 0)) == (counted["hot"], counted["lines"])


class TestFiles:
    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ('series = [{ metric = "m", values = "1+" }]', "tests.t.series[0].values: '1+'"),
            ('input = [{ span = { name = "x" } }]', "tests.t.input[0].span: no rule looks at"),
            ('input = [{ log = { bdy = "x" } }]', "tests.t.input[0].log.bdy: unknown field"),
            ('input = [{ at = "soon", log = { body = "x" } }]', "tests.t.input[0].at"),
            ('expect = [{ alert = "hat" }]', "tests.t.expect[0].alert: there is no alert 'hat'"),
            ('expect = [{ alert = "hot", fires = "x" }]', "tests.t.expect[0].fires"),
            ('expect = [{ alert = "hot", resolves = true }]', "tests.t.expect[0].resolves"),
            ('expect = [{ alert = "hot", severity = "bad" }]', "tests.t.expect[0].severity"),
            ("expext = []", "tests.t.expext: unknown key"),
            ("starts = 2026-01-05T02:00:00", "tests.t.starts: says its offset"),
            ('interval = "x"', "tests.t.interval"),
        ],
    )
    def test_that_are_wrong_are_told_by_test_and_field(self, read, body, where):
        with pytest.raises(ConfigError) as caught:
            read(f'[[tests]]\nname = "t"\n{body}')

        assert f"test.toml: {where}" in in_full(caught.value)

    def test_tell_everything_that_is_wrong(self, read):
        with pytest.raises(ConfigError) as caught:
            read('[[tests]]\nname = "a"\ninterval = "x"\n[[tests]]\nname = "b"\nlasts = "y"')

        assert 1 == len(caught.value.others)

    @pytest.mark.parametrize("text", ["x = 1", "tests = 1", "[[", 'rules = ["gone.toml"]'])
    def test_of_another_kind_are_refused(self, read, text, tmp_path):
        (tmp_path / "other.toml").write_text(text)

        with pytest.raises(ConfigError):
            read_rule_tests(tmp_path / "other.toml", None)

    def test_with_wrong_rules_are_refused_with_the_name_of_the_file_of_rules(self, read):
        with pytest.raises(ConfigError) as caught:
            read("", '[[alerts]]\nname = "a"\nmetric = "m"\nthreshold = "hot"')

        assert "rules.toml: alerts.a.threshold" in in_full(caught.value)

    def test_need_no_secrets_of_the_configuration_they_are_of(self, read):
        secret = '\n[channels.hook]\nkind = "webhook"\nurl = "${NOBODY_SAYS_THIS}"\n'

        assert 5 == len(read("", RULES + secret).alerts)

    def test_may_be_of_rules_of_prometheus(self, tmp_path):
        rules = "groups: [{name: g, rules: [{alert: Up, expr: up == 0, for: 1m}]}]"
        (tmp_path / "rules.yml").write_text(rules)
        body = 'name = "t"\ninterval = "1m"\nseries = [{ metric = "up", values = "1 0x3" }]'
        expect = 'expect = [{ alert = "Up", fires = "2m" }]'
        (tmp_path / "t.toml").write_text(f'rules = "rules.yml"\n[[tests]]\n{body}\n{expect}')
        tests = read_rule_tests(tmp_path / "t.toml", None)

        assert () == run_case(tests.cases[0], tests.alerts).differences

    def test_leave_out_a_rule_of_prometheus_that_cannot_be_run(self, half_run):
        tests = read_rule_tests(half_run('expect = [{ alert = "Up", fires = "2m" }]'), None)

        assert [("alert", "At")] == [(each.kind, each.name) for each in tests.left_out]
        assert () == run_case(tests.cases[0], tests.alerts).differences

    def test_fail_where_they_expect_one_that_is_left_out(self, half_run):
        expect = 'expect = [{ alert = "Up" }, { alert = "At" }]'
        tests = read_rule_tests(half_run(expect), None)

        (missing,) = run_case(tests.cases[0], tests.alerts).differences
        assert ("missing", {"alert": "At"}) == (missing.what, missing.expected)


def run(*words):
    done = subprocess.run(
        [sys.executable, "-m", "qmon_agent.cli", "test-rules", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


class TestCommand:
    def test_shows_the_example(self, pytestconfig):
        code, said = run(pytestconfig.rootpath / "examples" / "rules-test.toml", "--covered")

        assert 0 == code, said
        assert "6 tests: 6 passed, 0 failed\n5 rules: 5 fire in a test, 0 do not\n" in said

    def test_says_what_is_not_as_expected_and_what_is_not_covered(self, read, tmp_path):
        read(f'[[tests]]\nname = "t"\n{HOT}')
        code, said = run(tmp_path / "test.toml")

        assert 1 == code
        assert "FAIL  t\n      + hot fires at 45s, over at 1m45s" in said
        assert "  not covered: lines (log_pattern): nothing of what comes in" in said

    def test_answers_programs(self, read, tmp_path):
        read(f'[[tests]]\nname = "t"\n{expecting("")}')
        code, said = run(tmp_path / "test.toml", "--json")
        told = json.loads(said)

        assert (0, True) == (code, told["ok"])
        assert "45s" == told["files"][0]["tests"][0]["fired"][0]["fires"]

    def test_names_what_is_left_out(self, half_run):
        file = half_run('expect = [{ alert = "Up" }]')
        code, said = run(file)
        told = json.loads(run(file, "--json")[1])

        assert (0, True) == (code, told["ok"]), said
        assert "  left out: At (" in said
        assert ["At"] == [each["name"] for each in told["files"][0]["left_out"]]

    def test_fails_for_want_of_coverage_only_where_it_is_told_to(self, read, tmp_path):
        read(f'[[tests]]\nname = "t"\n{expecting("")}')

        assert [0, 1] == [
            run(tmp_path / "test.toml")[0],
            run(tmp_path / "test.toml", "--covered")[0],
        ]

    def test_exits_with_3_for_a_file_that_is_wrong(self, tmp_path):
        assert 3 == run(tmp_path / "none.toml")[0]


PEOPLE = """
[[alerts]]
name = "new"
rule = "new_error"
options = { lasts = "1h" }

[[alerts]]
name = "again"
rule = "regression"
"""


class TestPeople:
    """Errors of a kind at ten seconds, one minute, and two minutes; somebody acts in between."""

    BOOM = 'service = "{}", error = { type = "Boom", grouping = "g" } }'

    def tried(self, tried, act, *, expect, service="shop"):
        boom = self.BOOM.replace("{}", service)
        came = f'{{ at = "10s", {boom}, {{ at = "1m", {act} }}, {{ at = "2m", {boom}'
        return tried(f"input = [{came}]\nexpect = [{expect}]", PEOPLE)

    def test_who_resolve_make_a_regression_of_what_comes_again(self, tried):
        expect = """
          { alert = "new", fires = "10s", resolves = "1m" },
          { alert = "again", fires = "2m", resolves = false },"""

        assert self.tried(tried, 'resolve = "new"', expect=expect).passed

    def test_who_acknowledge_end_nothing(self, tried):
        expect = '{ alert = "new", fires = "10s", resolves = false }'

        assert self.tried(tried, 'ack = "new", by = "ann"', expect=expect).passed

    def test_are_about_what_has_the_labels(self, tried):
        expect = '{ alert = "new", resolves = "1m" }, { alert = "again" }'
        act = 'resolve = "new", labels = { service = "sh*" }'

        assert self.tried(tried, act, expect=expect).passed
        assert not self.tried(tried, act, expect=expect, service="bank").passed

    def test_cannot_resolve_what_does_not_fire(self, tried):
        expect = '{ alert = "new", fires = "10s", resolves = false }'
        outcome = self.tried(tried, 'resolve = "again"', expect=expect)

        (undone,) = outcome.differences
        assert "at 1m somebody was to resolve it, and it did not fire" == undone.expected["text"]

    @pytest.mark.parametrize(
        ("act", "words"),
        [
            ('resolve = "nwe"', "did you mean 'new'"),
            ('resolve = "new", ack = "new"', "says one alert"),
            ('ack = "new", whose = "x"', "whose"),
        ],
    )
    def test_do_only_what_is_known(self, tried, act, words):
        with pytest.raises(ConfigError, match=words):
            self.tried(tried, act, expect="")
