// Everything OpenTelemetry's SDK for JavaScript tells: spans, an exception, numbers and lines.
import { SpanStatusCode } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [url, token, spans] = process.argv.slice(2);
const resource = resourceFromAttributes({ "service.name": "shop-js", "service.version": "3" });
const way = (lane) => ({
  url: `${url}/v1/${lane}`,
  headers: { authorization: `Bearer ${token}` },
  compression: "gzip",
});

const tracing = new NodeTracerProvider({
  resource,
  spanProcessors: [JsonExporter, ProtobufExporter].map(
    (Exporter) => new BatchSpanProcessor(new Exporter(way("traces")), { maxQueueSize: 10000 }),
  ),
});
const tracer = tracing.getTracer("checkout", "2");
for (let number = 0; number < Number(spans); number++) {
  tracer.startSpan("charge", { attributes: { number, list: ["a", "b"], good: true } }).end();
}
tracer.startActiveSpan("fail", (span) => {
  try {
    undefined.plan;
  } catch (error) {
    span.recordException(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: "no plan" });
  }
  span.end();
});

const reader = new PeriodicExportingMetricReader({
  exporter: new OTLPMetricExporter(way("metrics")),
  exportIntervalMillis: 1e6,
});
const numbers = new MeterProvider({ resource, readers: [reader] });
const meter = numbers.getMeter("checkout");
const [orders, size] = [meter.createCounter("orders"), meter.createHistogram("size")];
for (const amount of [1, 2, 3]) {
  orders.add(amount);
  size.record(amount * 10);
  // Told in the millisecond in which it began, a number would not say when that was.
  await new Promise((resolve) => setTimeout(resolve, 5));
  await numbers.forceFlush();
}

const logging = new LoggerProvider({ resource });
logging.addLogRecordProcessor(new BatchLogRecordProcessor(new OTLPLogExporter(way("logs"))));
logging.getLogger("checkout").emit({
  severityNumber: SeverityNumber.WARN,
  body: { low: "stock" },
  attributes: { shelf: 7 },
});

await Promise.all([tracing.shutdown(), numbers.shutdown(), logging.shutdown()]);
