"""So many spans, by OpenTelemetry's SDK as it is configured by its environment."""

import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=10_000))
tracer = provider.get_tracer("checkout")
for number in range(int(sys.argv[1])):
    with tracer.start_as_current_span("order", attributes={"number": number}):
        pass
provider.shutdown()
