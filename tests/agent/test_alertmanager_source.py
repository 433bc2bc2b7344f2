"""The door for alerts of others, and the rule that makes incidents of them."""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from qmon_agent.alerting.observed import Observed
from qmon_agent.alerting.rules import RULES
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_agent.http.application import routes_of
from qmon_agent.ingest.alerts import FIRING, fingerprint_of, read_alerts
from qmon_agent.ingest.foreign import dropped_of
from qmon_agent.ingest.sources import SOURCES
from qmon_sdk.protocol.signals import Log, Point

LABELS = {"alertname": "Flooded", "job": "shop", "severity": "critical"}
ALERT = {
    "labels": LABELS,
    "annotations": {"summary": "water"},
    "startsAt": "2026-01-01T00:00:00Z",
    "endsAt": "2100-01-01T00:00:00Z",
}
OVER = ALERT | {"endsAt": "2026-01-01T01:00:00Z"}
NOW = 1_780_000_000 * SECOND


@pytest.fixture
async def alertmanager(taking):
    source = SOURCES.build("alertmanager", {})
    await source.start(taking.door())
    transport = httpx.ASGITransport(Starlette(routes=[*routes_of(source)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        yield client
    await source.stop()


def rows(taking, kind):
    return [row for row in taking.rows() if type(row) is kind]


class TestReadAlerts:
    @pytest.mark.parametrize(
        ("said", "is_firing"),
        [
            ([ALERT], True),
            ([OVER], False),
            ([{"labels": LABELS}], True),
            ({"alerts": [OVER | {"status": "firing", "endsAt": "0001-01-01T00:00:00Z"}]}, True),
            ({"alerts": [ALERT | {"status": "resolved"}]}, False),
        ],
    )
    def test_knows_what_fires(self, said, is_firing):
        assert [is_firing] == [alert.is_firing for alert in read_alerts(said, now=NOW)]

    @pytest.mark.parametrize(
        "said", [[{}], [7], [None], [{"labels": []}], {"alerts": [{"labels": "x"}]}]
    )
    def test_knows_no_alert_without_labels(self, said):
        assert [None] == read_alerts(said, now=NOW)

    @pytest.mark.parametrize("said", [7, None, "x", {"alerts": {}}, {}, []])
    def test_finds_none_where_there_is_none(self, said):
        assert [] == read_alerts(said, now=NOW)

    def test_knows_an_alert_again_by_its_labels_in_any_order(self):
        backwards = dict(reversed(LABELS.items()))

        assert fingerprint_of(LABELS) == fingerprint_of(backwards)
        assert fingerprint_of(LABELS) != fingerprint_of(LABELS | {"job": "other"})
        assert "cbf29ce484222325" == fingerprint_of({})


class TestSource:
    async def test_stores_the_state_each_time_and_a_line_when_it_changes(
        self, alertmanager, taking
    ):
        again = ALERT | {"endsAt": "2100-01-01T00:01:00Z"}
        for body in ([ALERT], [again], [OVER]):
            assert 200 == (await alertmanager.post("/api/v2/alerts", json=body)).status_code

        points = [row.value for row in rows(taking, Point) if row.metric == FIRING]
        assert [1.0, 1.0, 0.0] == points
        assert [("error", "Flooded firing: water"), ("info", "Flooded resolved: water")] == [
            (row.level, row.body) for row in rows(taking, Log)
        ]

    async def test_is_about_the_service_an_alert_names(self, alertmanager, taking):
        other = {"labels": {"alertname": "x"}}
        await alertmanager.post("/api/v2/alerts", json=[ALERT, other])

        assert ["shop", "alertmanager"] == [frame.resource.service for frame in taking.frames()]

    async def test_counts_what_is_no_alert(self, alertmanager, taking):
        answer = await alertmanager.post("/api/v2/alerts", json=[ALERT, {}, 7])

        assert {"taken": 1, "invalid": 2} == answer.json()
        assert {"alert/invalid": 2} == dropped_of(taking.frames()[0])

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[{}]", b"7", b"\xff", b'[{"a":' * 50_000, b'{"alerts": 7}']
    )
    async def test_refuses_garbage(self, alertmanager, taking, body):
        answer = await alertmanager.post("/api/v2/alerts", content=body)

        assert (400, []) == (answer.status_code, rows(taking, Point))

    async def test_lets_nobody_in_without_a_token(self, agent):
        async with httpx.AsyncClient(base_url=agent.ready["url"]) as client:
            answer = await client.post("/api/v2/alerts", json=[ALERT])

        assert 401 == answer.status_code


def a_batch(value, until=0.0):
    about = {"alert.fingerprint": "f"}
    points = [
        Point(metric=FIRING, value=value, attributes={**LABELS, **about}),
        Point(metric="alert.valid_until", value=until, attributes={**about, "alert.summary": "w"}),
    ]
    return Observed(service="shop", time=NOW, points=points)


def judged(rule, batch=None, memory=None, now=NOW):
    (fact,) = rule.notice(batch) if batch else (None,)
    return rule.judge(memory or {}, fact, now)


class TestReceivedRule:
    @pytest.fixture
    def rule(self):
        return RULES.build("received", {})

    def test_names_an_alert_by_its_fingerprint_and_tells_its_summary(self, rule):
        (fact,) = rule.notice(a_batch(1))

        assert ("shop/f", "Flooded: w", "critical") == (
            fact.instance,
            fact.text,
            fact.labels["severity"],
        )

    def test_is_breached_until_it_is_told_to_be_over(self, rule):
        fires = judged(rule, a_batch(1))

        assert ("breach", "breach", "clear") == (
            fires.verdict,
            judged(rule, memory=fires.memory).verdict,
            judged(rule, a_batch(0), memory=fires.memory).verdict,
        )

    @pytest.mark.parametrize(("expires", "verdict"), [(False, "unknown"), (True, "clear")])
    def test_that_is_not_told_again_in_time_is_unknown_or_over(self, expires, verdict):
        rule = RULES.build("received", {"expires": expires})
        fires = judged(rule, a_batch(1, until=NOW / SECOND + 60))
        late = judged(rule, memory=fires.memory, now=NOW + 60 * SECOND)

        assert ("breach", NOW + 60 * SECOND, verdict) == (fires.verdict, fires.wake, late.verdict)

    @pytest.mark.parametrize(
        ("said", "severity"),
        [
            ("critical", "critical"),
            ("Page", "critical"),
            ("error", "critical"),
            ("warning", "warning"),
            ("info", "info"),
            ("sev1", ""),
            ("", ""),
        ],
    )
    def test_is_as_bad_as_an_alert_says(self, rule, said, severity):
        point = Point(metric=FIRING, value=1, attributes={"severity": said})

        (fact,) = rule.notice(Observed(service="shop", time=NOW, points=[point]))

        assert severity == fact.severity

    def test_refuses_a_severity_that_is_none(self):
        with pytest.raises(ConfigError, match="severities"):
            RULES.build("received", {"severities": {"sev1": "bad"}})

    def test_looks_at_the_labels_it_is_told_to(self):
        rule = RULES.build("received", {"where": {"severity": "info"}})

        assert [] == [*rule.notice(a_batch(1))]
