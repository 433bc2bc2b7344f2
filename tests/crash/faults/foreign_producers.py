"""Producers that speak as other tools do, by those tools' own libraries where they tell answers."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from uuid import uuid4

import cramjam
import nats
import posthog.request
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from ports import free_port
from producers import ANSWER_S, FrameProducer, Producer
from prompb import WriteRequest
from sentry_sdk.envelope import Envelope


class FramesHttpProducer(FrameProducer):
    name_of_source = "frames_http"
    process = bytes(range(2, 18))

    def _is_acknowledged(self, message, sequence):
        said = self.post("/api/qmon/frames", message, {"content-type": "application/octet-stream"})
        return sequence in json.loads(said)["acknowledged"]


class SpoolProducer(FrameProducer):
    """Files as the SDK leaves them; one that is gone was taken."""

    name_of_source = "spool"
    process = bytes(range(3, 19))
    config = "[sources.spool]\ninterval_s = 0.2\n"
    at_once = 20

    def _is_acknowledged(self, message, sequence):
        folder = self.agent.state / "spool"
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.process.hex()}-{sequence}.frames"
        made = path.with_suffix(".made")
        try:
            made.write_bytes(message)
        except OSError:
            made.unlink(missing_ok=True)
            raise
        made.rename(path)
        while path.exists():
            if self.given_up.wait(0.02):
                return False
        return True


class NatsProducer(FrameProducer):
    """What the server of NATS keeps in its stream is promised."""

    name_of_source = "nats"
    process = bytes(range(4, 20))

    def make_ready(self):
        super().make_ready()
        self.subject = f"storm.{uuid4().hex}"
        self.stream = self.subject.replace(".", "-")
        self._client = self._runner = None
        asyncio.run(self._once("add_stream", name=self.stream, subjects=[self.subject]))
        self.config = (
            f'[sources.nats]\nenabled = true\nservers = ["{self.stage.nats}"]\n'
            f'subject = "{self.subject}"\nack_wait_s = 2.0\n'
        )

    async def _once(self, what, **options):
        client = await nats.connect(self.stage.nats)
        await getattr(client.jetstream(), what)(**options)
        await client.close()

    def _is_acknowledged(self, message, sequence):
        self._runner = self._runner or asyncio.Runner()
        return self._runner.run(self._published(message[4:]))

    async def _published(self, frame):
        self._client = self._client or await nats.connect(self.stage.nats)
        await self._client.jetstream().publish(self.subject, frame, timeout=ANSWER_S)
        return True

    def finish(self):
        if self._client:
            self._runner.run(self._client.close())
        if self._runner:
            self._runner.close()

    def close(self):
        super().close()
        asyncio.run(self._once("delete_stream", name=self.stream))


class OtlpProducer(Producer):
    """The exporter of opentelemetry-sdk: what it says of an export is what was promised."""

    name_of_source = "otlp"

    def reach(self):
        super().reach()
        self._exporter = None
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._made = InMemorySpanExporter()
        self._provider.add_span_processor(SimpleSpanProcessor(self._made))
        self._spans = {}

    def exporter(self):
        headers = {"authorization": f"Bearer {self.token}"}
        return HttpExporter(f"{self.url}/v1/traces", headers=headers, timeout=ANSWER_S)

    def deliver(self, items):
        self._exporter = self._exporter or self.exporter()
        if {*items} != self._spans.keys():
            for item in items:
                self._provider.get_tracer("producer").start_span(item).end()
            self._spans = {span.name: span for span in self._made.get_finished_spans()}
            self._made.clear()
        return self._exporter.export([*self._spans.values()]) is SpanExportResult.SUCCESS

    def finish(self):
        if self._exporter:
            self._exporter.shutdown()


class OtlpGrpcProducer(OtlpProducer):
    name_of_source = "otlp_grpc"

    def make_ready(self):
        self.port = free_port()
        self.config = f'[sources.otlp_grpc]\nenabled = true\nlisten = "127.0.0.1:{self.port}"\n'

    def exporter(self):
        headers = (("authorization", f"Bearer {self.token}"),)
        place = f"127.0.0.1:{self.port}"
        return GrpcExporter(place, insecure=True, headers=headers, timeout=ANSWER_S)


class SentryProducer(Producer):
    """Envelopes of sentry-sdk; its transport keeps answers to itself, so they are posted here."""

    name_of_source, table, column = "sentry", "errors", "message"
    at_once = 1

    def deliver(self, items):
        if getattr(self, "_of", None) != items:
            self._of, envelope = items, Envelope()
            stamp = datetime.now(UTC).isoformat()
            event = {
                "message": items[0],
                "level": "error",
                "timestamp": stamp,
                "platform": "python",
            }
            envelope.add_event(event)
            self._body = envelope.serialize()
        auth = f"Sentry sentry_key={self.token}, sentry_version=7"
        self.post("/api/1/envelope/", self._body, {"x-sentry-auth": auth})
        return True


class PosthogProducer(Producer):
    """What the client of PostHog posts, by the function that it posts with."""

    name_of_source, table = "posthog", "events"

    def deliver(self, items):
        if getattr(self, "_of", None) != items:
            self._of, stamp = items, datetime.now(UTC).isoformat()
            told = {"distinct_id": "ada", "timestamp": stamp, "properties": {}}
            self._batch = [{**told, "event": item, "uuid": f"u-{item}"} for item in items]
        posthog.request.batch_post(self.token, self.url, timeout=ANSWER_S, batch=self._batch)
        return True


class AlertmanagerProducer(Producer):
    name_of_source, table, column = "alertmanager", "logs", "template"
    at_once = 2

    def deliver(self, items):
        if getattr(self, "_of", None) != items:
            self._of, stamp = items, datetime.now(UTC).isoformat()
            self._body = json.dumps(
                [
                    {"labels": {"alertname": item, "service": "a"}, "startsAt": stamp}
                    for item in items
                ]
            ).encode()
        self.post("/api/v2/alerts", self._body)
        return True


class RemoteWriteProducer(Producer):
    name_of_source, table, column = "remote_write", "points", "metric"

    def deliver(self, items):
        if getattr(self, "_of", None) != items:
            self._of, request = items, WriteRequest()
            for item in items:
                one = request.timeseries.add()
                one.labels.add(name="__name__", value=item)
                one.samples.add(value=1.0, timestamp=round(time.time() * 1000))
            self._body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
        headers = {
            "content-type": "application/x-protobuf",
            "content-encoding": "snappy",
            "x-prometheus-remote-write-version": "0.1.0",
        }
        self.post("/api/v1/write", self._body, headers)
        return True
