"""An application of sentry-sdk that says one of everything; its DSN is the first argument."""

import sys

import sentry_sdk
from sentry_sdk.crons import capture_checkin


def fail(number):
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError(f"bad {number}") from error


def begin():
    sentry_sdk.init(
        sys.argv[1],
        release="shop@1.2",
        environment="staging",
        server_name="host-1",
        traces_sample_rate=1.0,
        enable_logs=True,
        auto_session_tracking=False,
        # On the way out, so that the client has something to report.
        before_send=lambda event, _: None if event.get("message") == "unwanted" else event,
    )
    sentry_sdk.set_user({"id": "ada", "email": "ada@example.com"})
    sentry_sdk.set_tag("color", "blue")
    sentry_sdk.set_context("order", {"total": 12})
    sentry_sdk.add_breadcrumb(message="step", category="cart", data={"items": 1})


def work():
    sentry_sdk.start_session()
    with sentry_sdk.start_transaction(
        op="http.server", name="/orders/{id}", source="route"
    ) as root:
        root.set_measurement("lcp", 12.5, "millisecond")
        with sentry_sdk.start_span(op="db", name="SELECT * FROM orders WHERE id = %s"):
            pass
        with sentry_sdk.start_span(op="http.client", name="GET http://bank/pay"):
            pass
        try:
            fail(7)
        except ValueError:
            sentry_sdk.capture_exception()
    sentry_sdk.end_session()


def talk():
    sentry_sdk.capture_message("paid 5 times", "warning")
    sentry_sdk.capture_message("unwanted")
    sentry_sdk.logger.warning("paid {amount}", amount=3)
    sentry_sdk.metrics.count("orders", 2, attributes={"shop": "north"})
    sentry_sdk.metrics.distribution("latency", 2.5, unit="millisecond")
    plan = {"schedule": {"type": "crontab", "value": "0 3 * * *"}, "checkin_margin": 5}
    capture_checkin(monitor_slug="nightly", status="ok", duration=1.5, monitor_config=plan)
    with sentry_sdk.new_scope() as scope:
        scope.add_attachment(bytes=b"x" * 100, filename="x.txt")
        sentry_sdk.capture_message("with attachment")
    sentry_sdk.get_client().close(10)


begin()
work()
talk()
