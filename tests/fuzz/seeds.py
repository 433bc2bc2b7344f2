"""What fuzzing begins with: good messages of every protocol, by `python seeds.py FOLDER`."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from qmon_agent.ingest.otlp.encoding import LANES
from qmon_agent.ingest.remote_messages import V1, V2, message_class
from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Ledger, Resource, encode_frame, pack_length
from qmon_sdk.protocol.signals import SIGNALS

SPAN = {
    "traceId": "ab" * 16,
    "spanId": "cd" * 8,
    "name": "GET /",
    "kind": 2,
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000000000000009",
    "attributes": [{"key": "a", "value": {"kvlistValue": {"values": []}}}],
    "events": [{"timeUnixNano": "1", "name": "exception"}],
    "links": [{"traceId": "ab" * 16, "spanId": "cd" * 8}],
    "status": {"code": 2, "message": "no"},
}
EVENT = {
    "event_id": "ab" * 16,
    "timestamp": "2026-01-02T03:04:05Z",
    "exception": {"values": [{"type": "KeyError", "value": "'a'", "stacktrace": {"frames": []}}]},
}
STATSD = (
    b"a.b:1|c",
    b"a:-3|g|#x:y,z",
    b"t:3:4:5|ms|@0.5|#k:v|T1700000000|c:ci-1",
    b"s:ada|s",
    b"d:1.5e3|d",
    b"_e{5,4}:title|text|p:low|#a",
    b"_sc|name|2|d:1|h:x|#a|m:broken",
)
EXPOSITION = (
    b'# TYPE a counter\na_total{x="y\\"\\n"} 1 1700000000000\n',
    b'# TYPE h histogram\nh_bucket{le="0.1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 1\nh_count 2\n',
    b'# TYPE s summary\ns{quantile="0.5"} NaN\ns_sum 1\ns_count 2\n# EOF\n',
)
CONFIG = (
    b'\x00[http]\nlisten = "127.0.0.1:0"\n[sinks.file]\npath = "/tmp/x"\n',
    b'\x01"127.0.0.1:0"\nenabled = true\nlength = 7',
    b'\x02[{paths = ["/var/log/*.log"], service = "${A}"}]',
    b"\x05endpoint = 'http://x'\nheaders = {a = '${B}'}",
    b"\x06'> 0.5 for 10s'\nmetric = 'a'",
)
LOGS = (
    b'{"levelname": "WARN", "msg": "slow", "time": "2026-01-02T03:04:05.5Z"}',
    (
        b"2026-01-02 03:04:05,678 ERROR a: b\nTraceback (most recent call last):\n"
        b'  File "a.py", line 3, in f\n    g()\nValueError: no\n'
    ),
    b'{"__CURSOR": "c", "__REALTIME_TIMESTAMP": "1", "MESSAGE": [104, 105], "PRIORITY": "3"}',
)

ALERTMANAGER = (
    (
        b"\x00route: {receiver: a, routes: [{match_re: {a: b|c}, receiver: a, group_wait: 1w}]}\n"
        b"receivers:\n- name: a\n  slack_configs: [{api_url: 'http://x'}]\n"
        b"  email_configs: [{to: 'a@b, c@d', smarthost: 'h:25', from: x@y, require_tls: false}]\n"
    ),
    b"\x01inhibit_rules: [{source_match: {a: b}, target_matchers: ['c=~\"d\"'], equal: [e]}]",
    b"\x02 group_by: ['...'], mute_time_intervals: [t], matchers: [a=b], repeat_interval: 1y",
    b"\x03webhook_configs: [{url_file: /x, send_resolved: false}]",
    b"\x04time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: '09:00'}]}]",
    b"\x05source_match_re: {a: 'b.*'}",
)
MATCHERS = (
    b'\x00{team="db", "my name"!~"a|b", c=d}',
    b"\x00a=~'b', c=\"\\n\"",
    b"\x01(?i:ab+?)|[^[:alpha:]\\d-f]{2,3}(?P<n>\\Qx.\\E)^$\\x{41}\0ab",
    b"\x0209:00-24:00",
    b"\x02monday:friday",
    b"\x02-3:-1",
    b"\x02june:8",
    b"\x02Europe/Berlin",
)
RULE_FILES = (
    (
        b"\x00groups:\n- name: g\n  interval: 15s\n  rules:\n"
        b"  - record: a:b\n    expr: sum(b) by (c)\n"
        b"  - alert: A\n    expr: a:b > 1\n    for: 1m\n    labels: {severity: page}\n"
        b"    annotations: {summary: '{{ $labels.c }} is {{ $value | humanize }}'}\n"
    ),
    b"\x01up == 0\n    keep_firing_for: 1h30m",
    b'\x02histogram_quantile(0.9, sum by (le) (rate(a_bucket{b=~"c.*"}[5m] offset 1m)))',
    b"\x02a / on (b) group_left (c) d > bool 1 unless e and max_over_time(f[1h:5m])",
    b"\x02label_replace(a, `b`, '$1', \"c\", '(.*)')",
    b'\x03{{ $labels.a }} {{ printf "%.2f" $value }} {{ $value | humanizeDuration }}',
)
GUARD = (
    b"\x00select name, count(*) from spans group by all order by 2 desc limit 3",
    b"\x00with e as (select a from errors) select * from spans s join e on s.a = e.a",
    b"\x00select * from read_parquet('segments/hidden.parquet')",
    b"\x00select * from g1.hidden union all select word from main.hidden",
    b"\x00copy (select 1) to 'x.csv'; insert into g1.spans values (2, 'y')",
    b"\x00attach 'y.db' as y; set memory_limit = '9GB'; pragma database_list; install httpfs",
    b"\x01getenv('QMON_CANARY'), current_setting('home_directory'), query('select 1')",
    b"\x01unnest([x for x in range(9) if x > 1]), {'a': 1}.a, name[1:2] from spans",
    b"\x02read_text('secret.txt'), glob('*'), 'segments/hidden.parquet', duckdb_tables()",
    b"\x02(pivot spans on name using sum(a)), (summarize spans), (describe spans)",
    b"\x03select row_number() over (partition by name order by a) from spans",
    b"\x04select 1",
    b"\x05a = (select max(a) from errors) and name like '%x' and a in (1, 2) -- '",
    b"\x06query_table('hidden')",
)
WORDS = (
    b"\x00{{ severity | upper }}: {{ alert | truncate(9) }}{% if value > 1 %}!{% endif %}",
    b"\x01{% for name, value in labels | dictsort %}{{ name ~ value }}{% endfor %}",
    b"\x01{% for each in members %}{{ each.title[:3] }}{{ loop.index }}{% endfor %}",
    b"\x02lKJrMZX2pGFja7QwMDAw.abc",
)


def main(folder: Path) -> None:
    """A folder of files for each target that has something to begin with."""
    for name, seeds in found().items():
        place = folder / f"fuzz_{name}"
        place.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds):
            (place / str(number)).write_bytes(seed)


def found() -> dict[str, list[bytes]]:
    """Seeds by target."""
    return {
        "alertmanager": [*ALERTMANAGER],
        "config": [*CONFIG],
        "exposition": [*EXPOSITION],
        "foreign_json": [*envelopes(), *batches()],
        "frames": [*frames()],
        "guard": [*GUARD],
        "journal": [bytes([n, m, 255, n]) for n in range(6) for m in (0, 1, 100, 201)],
        "logs": [*LOGS],
        "matchers": [*MATCHERS],
        "otlp": [*requests()],
        "packings": [gzip.compress(b"a" * 99), b"\x63\x00a\xfe\x01\x00\xfe\x01\x00"],
        "remote_write": [*writes()],
        "rule_files": [*RULE_FILES],
        "statsd": [*STATSD, b"\n".join(STATSD)],
        "words": [*WORDS],
    }


def frames() -> list[bytes]:
    """One of each kind of signal, and all together."""
    each = [kind() for kind in SIGNALS.values()]
    told = Ledger(captured={"span": 1}, dropped={"span/full": 1})
    made = [
        encode_frame(Frame(resource=Resource(service="s"), blocks=blocks_of(signals), ledger=told))
        for signals in (*([one] for one in each), each)
    ]
    return [*made, *map(pack_length, made)]


def requests() -> list[bytes]:
    """JSON of each lane, after the byte that chooses lane and encoding."""
    parts = {
        "traces": {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]},
        "metrics": {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric()]}]}]},
        "logs": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": 17}]}]}]},
    }
    return [
        bytes([len(LANES) + number]) + json.dumps(parts[str(lane)]).encode()
        for number, lane in enumerate(LANES)
    ]


def metric() -> dict[str, object]:
    """A histogram that counts on."""
    point = {"timeUnixNano": "5", "count": "3", "sum": 4, "bucketCounts": ["1", "2"]}
    histogram = {"dataPoints": [{**point, "explicitBounds": [0.5]}], "aggregationTemporality": 2}
    return {"name": "h", "unit": "s", "histogram": histogram}


def envelopes() -> list[bytes]:
    """Items of Sentry's, with heads."""
    body = json.dumps(EVENT).encode()
    head = b'{"event_id":"%s"}\n{"type":"event","length":%d}\n' % (b"ab" * 16, len(body))
    session = b'{"sid":"%s","status":"crashed","started":"2026-01-02T03:04:05Z"}' % (b"ab" * 16)
    return [head + body + b"\n", b'{}\n{"type":"session"}\n' + session + b"\n"]


def batches() -> list[bytes]:
    """What PostHog's clients send."""
    event = {"event": "$exception", "distinct_id": "a", "properties": {"$exception_list": []}}
    return [json.dumps({"api_key": "k", "batch": [event], "sent_at": "2026-01-02"}).encode()]


def writes() -> list[bytes]:
    """Remote write of both versions, not packed."""
    one = message_class(V1)()
    series = one.timeseries.add()
    series.labels.add(name="__name__", value="a_total")
    series.samples.add(value=1, timestamp=5)
    two = message_class(V2)()
    two.symbols.extend(["", "__name__", "b"])
    other = two.timeseries.add(labels_refs=[1, 2])
    other.samples.add(value=1, timestamp=5)
    return [one.SerializeToString(), two.SerializeToString()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
