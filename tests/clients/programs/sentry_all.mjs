// An application of @sentry/node that says one of everything; its DSN is the first argument.
import * as Sentry from "@sentry/node";

Sentry.init({
  dsn: process.argv[2],
  release: "shop@1.2",
  environment: "staging",
  serverName: "host-1",
  tracesSampleRate: 1,
  enableLogs: true,
  beforeSend: (event) => (event.message === "unwanted" ? null : event),
});
Sentry.setUser({ id: "ada" });
Sentry.setTag("color", "blue");
Sentry.addBreadcrumb({ message: "step", category: "cart" });

function pay(amount) {
  try {
    JSON.parse("{");
  } catch (problem) {
    throw new TypeError(`bad ${amount}`, { cause: problem });
  }
}

Sentry.startSpan({ name: "order", op: "task" }, () => {
  Sentry.startSpan({ name: "SELECT 1", op: "db" }, () => {});
  try {
    pay(7);
  } catch (problem) {
    Sentry.captureException(problem);
  }
});
Sentry.captureMessage("paid", "warning");
Sentry.captureMessage("unwanted");
Sentry.logger.warn(Sentry.logger.fmt`paid ${3}`);
Sentry.metrics.count("orders", 2, { attributes: { shop: "north" } });
const schedule = { type: "interval", value: 5, unit: "minute" };
Sentry.captureCheckIn({ monitorSlug: "nightly", status: "ok", duration: 1.5 }, { schedule });
Sentry.captureFeedback({ message: "too slow", email: "ada@example.com" });
await Sentry.close(10000);
