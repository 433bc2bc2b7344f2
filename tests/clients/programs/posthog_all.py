"""An application of PostHog's client that says one of everything; arguments: token, host."""

import sys

from posthog import Posthog


def fail(number):
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError(f"bad {number}") from error


def main():
    client = Posthog(sys.argv[1], host=sys.argv[2], gzip="gzip" in sys.argv)
    client.capture(
        "order paid",
        distinct_id="ada",
        properties={"amount": 12, "$session_id": "0190-aa", "service": "shop"},
        groups={"company": "acme"},
    )
    client.capture("looked around")
    client.set(distinct_id="ada", properties={"plan": "pro"})
    client.alias("before", "ada")
    client.feature_enabled("beta", "ada")
    try:
        fail(7)
    except ValueError as error:
        client.capture_exception(error, distinct_id="ada")
    client.shutdown()


main()
