"""What messages of other tools become is a promise too: their bodies, and our signals in JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qmon_agent.ingest.alerts import line_of, points_of, read_alerts
from qmon_agent.ingest.loose import decoded
from qmon_agent.ingest.posthog.bodies import read_body
from qmon_agent.ingest.sentry.items import translated
from qmon_agent.ingest.sources.posthog import parcel_of
from qmon_sdk.protocol.signals import kind_of

HERE = Path(__file__).parent / "foreign"
WRITE = os.environ.get("QMON_GOLDEN") == "write"
NOW = 1_767_225_600_000_000_000
BODIES = sorted(path for path in HERE.iterdir() if path.suffix == ".body")


def of_sentry(body):
    parcel, _ = translated(body, service="shop", now=NOW)
    return told(parcel.groups) | {"dropped": parcel.dropped}


def of_posthog(body):
    parcel = parcel_of(read_body(body, {}, max_bytes=1 << 20), service="shop")
    return told(parcel.groups) | {"dropped": parcel.dropped}


def of_alertmanager(body):
    alerts = [alert for alert in read_alerts(decoded(body), now=NOW) if alert]
    signals = [
        signal
        for alert in alerts
        for signal in (*points_of(alert, now=NOW), line_of(alert, now=NOW))
    ]
    return {"": as_json(signals)}


def told(groups):
    return {" ".join(map(str, whom(resource))): as_json(signals) for resource, signals in groups}


def whom(resource):
    return filter(None, resource[:-1])


def as_json(signals):
    return [
        [kind_of(signal), {k: v for k, v in signal.as_dict().items() if v}] for signal in signals
    ]


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_a_message_becomes_what_it_always_became(path):
    make = {"sentry": of_sentry, "posthog": of_posthog, "alertmanager": of_alertmanager}
    made = make[path.stem.partition("_")[0]](path.read_bytes())
    written = json.dumps(made, indent=1, sort_keys=True) + "\n"
    golden = path.with_suffix(".json")
    if WRITE:
        golden.write_text(written, encoding="utf-8")

    assert golden.read_text(encoding="utf-8") == written
