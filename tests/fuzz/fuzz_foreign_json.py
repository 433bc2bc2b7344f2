"""Coverage-guided fuzzing of what reads envelopes, PostHog and alerts: `nox -s fuzz`.

A finding is any exception that is not a `WireError`, or a signal that cannot be written.
"""

from __future__ import annotations

import sys

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


def one_input(data: bytes) -> None:
    """Take the bytes as every kind of message there is."""
    kind = NAMES[data[0] % len(NAMES)] if data else "event"
    item = b'{}\n{"type":"%s","length":%d}\n' % (kind.encode(), len(data[1:])) + data[1:]
    for take in (
        lambda: translated(data, service="s", now=1)[0].groups,
        lambda: translated(item, service="s", now=1)[0].groups,
        lambda: parcel_of(read_body(data, {}, max_bytes=1 << 20), service="s").groups,
        lambda: _of_alerts(data),
    ):
        try:
            groups = take()
        except WireError:
            continue
        for resource, signals in groups:
            pack(list(resource))
            for block in blocks_of(signals):
                pack_block(block)


def _of_alerts(data: bytes) -> list[tuple[list[object], list[object]]]:
    alerts = [alert for alert in read_alerts(decoded(data), now=1) if alert]
    return [([], [*points_of(alert, now=1), line_of(alert, now=1)]) for alert in alerts]


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
