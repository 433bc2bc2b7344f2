"""Coverage-guided fuzzing of what reads envelopes, PostHog and alerts: `nox -s fuzz`.

A finding is any exception that is not a `WireError`, or a signal that cannot be written.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import atheris

with atheris.instrument_imports():
    from qmon_agent.ingest.alerts import line_of, points_of, read_alerts
    from qmon_agent.ingest.loose import decoded
    from qmon_agent.ingest.posthog.bodies import read_body
    from qmon_agent.ingest.sentry.items import KINDS, translated
    from qmon_agent.ingest.sources.posthog import parcel_of
    from qmon_sdk.protocol.columns import blocks_of
    from qmon_sdk.protocol.errors import WireError
    from qmon_sdk.protocol.frames import pack, pack_block

NAMES = sorted(KINDS)
WORDS = [
    *("exception", "values", "stacktrace", "frames", "mechanism", "parent_id", "exception_id"),
    *("timestamp", "start_timestamp", "contexts", "trace", "trace_id", "op", "status", "data"),
    *("tags", "user", "id", "request", "url", "query_string", "breadcrumbs", "spans", "links"),
    *("items", "attributes", "aggregates", "started", "exited", "attrs", "discarded_events"),
    *("monitor_config", "schedule", "type", "value", "unit", "measurements", "message", "lineno"),
    *("event", "batch", "properties", "$exception_list", "$set", "$groups", "distinct_id", "uuid"),
    *("alerts", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "flags", "extra"),
]


def one_input(data: bytes) -> None:
    """Take the bytes as every kind of message there is, and as what a message could say."""
    provider = atheris.FuzzedDataProvider(data)
    kind = NAMES[provider.ConsumeIntInRange(0, len(NAMES) - 1)]
    said = json.dumps(_said(provider, 4)).encode()
    item = b'{}\n{"type":"%s","length":%d}\n' % (kind.encode(), len(said)) + said
    for take in (
        lambda: translated(data, service="s", now=1)[0].groups,
        lambda: translated(item, service="s", now=1)[0].groups,
        lambda: parcel_of(read_body(data, {}, max_bytes=1 << 20), service="s").groups,
        lambda: parcel_of(read_body(said, {}, max_bytes=1 << 20), service="s").groups,
        lambda: _of_alerts(said),
    ):
        try:
            groups = take()
        except WireError:
            continue
        for resource, signals in groups:
            pack(list(resource))
            for block in blocks_of(signals):
                pack_block(block)


def _said(provider: Any, depth: int) -> Any:
    """Some JSON, with words in it that translations look for."""
    shape = provider.ConsumeIntInRange(0, 7)
    if depth and shape > 1:
        words = [provider.PickValueInList(WORDS) for _ in range(shape)]
        return {word: _said(provider, depth - 1) for word in words}
    if depth and shape == 1:
        return [_said(provider, depth - 1) for _ in range(provider.ConsumeIntInRange(0, 3))]
    scalars = (
        lambda: provider.ConsumeUnicode(12),
        lambda: provider.ConsumeInt(9),
        provider.ConsumeFloat,
        provider.ConsumeBool,
        lambda: None,
    )
    return scalars[provider.ConsumeIntInRange(0, 4)]()


def _of_alerts(data: bytes) -> list[tuple[list[object], list[object]]]:
    alerts = [alert for alert in read_alerts(decoded(data), now=1) if alert]
    return [([], [*points_of(alert, now=1), line_of(alert, now=1)]) for alert in alerts]


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
