"""Spans as an instrumented web application exports them: OTLP, protobuf, not packed."""

from __future__ import annotations

import os
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .posting import post_all

PER_REQUEST = 512  # what OpenTelemetry's batch processors send at most, by default
TEMPLATES = 20
# Stand where ids begin, so that each message gets ids of its own without being made anew.
TRACE, SPAN = b"\xfeqmonTR\xfe", b"\xfeqS\xfe"


def make(options):
    """`count` spans to `url`."""
    requests = -(-options["count"] // PER_REQUEST)
    templates = [_request(number) for number in range(TEMPLATES)]
    bodies = [
        templates[n % TEMPLATES].replace(TRACE, os.urandom(8)).replace(SPAN, os.urandom(4))
        for n in range(requests)
    ]
    headers = {"content-type": "application/x-protobuf", **options.get("headers", {})}
    sent = {"sent": requests * PER_REQUEST, "bytes": sum(map(len, bodies))}
    return lambda: {**sent, **post_all(options["url"], bodies, headers)}


def _request(number):
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    for name, value in {
        "service.name": "bench",
        "service.version": "1.4.2",
        "deployment.environment.name": "production",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.40.0",
    }.items():
        group.resource.attributes.add(key=name).value.string_value = value
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.wsgi"
    now = time.time_ns()
    for row in range(PER_REQUEST):
        _fill(scope.spans.add(), number * PER_REQUEST + row, now + row * 1000)
    return message.SerializeToString()


def _fill(span, number, begun):
    span.trace_id = TRACE + (number // 8).to_bytes(8, "big")
    span.span_id = SPAN + (number + 1).to_bytes(4, "big")
    if number % 8:
        span.parent_span_id = SPAN + (number // 8 * 8 + 1).to_bytes(4, "big")
    route = f"/route/{number % 40}"
    span.name, span.kind = f"GET {route}", 2
    span.start_time_unix_nano, span.end_time_unix_nano = begun, begun + 1_000_000 + number
    for name, value in {
        "http.request.method": "GET",
        "http.route": route,
        "url.path": f"{route}/{number}",
        "server.address": "shop.example",
        "network.protocol.version": "1.1",
    }.items():
        span.attributes.add(key=name).value.string_value = value
    span.attributes.add(key="http.response.status_code").value.int_value = 200
