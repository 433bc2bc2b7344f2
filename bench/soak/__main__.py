"""`python -m bench.soak [--minutes N] [--json]`: load, look, and judge by budgets.

Exits with 1 when a budget is broken. Progress goes to the error output, the result to the other.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time

from . import loads, place, watch

LOOK_S = 5.0
TELL_S = 30.0
SETTLE_S = 60.0
# Where the rows of the loads are; those of statsd and of the host are left out.
COUNTING = (
    *(f"SELECT count(*) AS n FROM {table}" for table in ("spans", "errors", "events", "logs")),
    "SELECT count(*) AS n FROM points WHERE metric = 'requests'",
)


def main():
    """Run it to its end."""
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    with place.opened() as here:
        report = soaked(here, 60 * options.minutes)
    if options.json:
        print(json.dumps({"version": 1, **report}))
    else:
        print(f"\n{report['table']}\n\n{report['chart']}\n")
        print(f"{report['rows']:,} rows in {report['minutes']:.1f} minutes: {report['verdict']}")
    return 1 if report["broken"] else 0


def parsed():
    parser = argparse.ArgumentParser(prog="nox -s soak --")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long [60]")
    parser.add_argument("--json", action="store_true", help="one document instead of a table")
    return parser.parse_args()


def soaked(here, seconds):
    """The load for so long, what was seen meanwhile, and what came of it."""
    at_work = loads.begun(here)
    seeing = watch.Watch(here, at_work)
    told_at = 0.0
    try:
        while (passed := time.monotonic() - seeing.began) < seconds:
            time.sleep(min(LOOK_S, seconds - passed))
            look = seeing.look()
            if look["at_s"] - told_at >= TELL_S:
                told_at = look["at_s"]
                tell(look, seconds)
    finally:
        loads.ended(at_work)
    seeing.look()
    stored, books = settled(here, at_work)
    figures = seeing.figures(stored, books["stored"], books)
    over = watch.broken(figures)
    return {
        "minutes": seconds / 60,
        "rows": books["stored"],
        "figures": figures,
        "budgets": {name: most for name, (_, most) in watch.BUDGETS.items()},
        "broken": over,
        "verdict": f"broken: {', '.join(over)}" if over else "every budget holds",
        "table": watch.table(figures),
        "chart": watch.chart(seeing.looks),
        "looks": seeing.looks,
        "conservation": books,
        "flapping": {"taken": here.takers[0].taken, "refused": here.takers[0].refused},
    }


def tell(look, seconds):
    """How far it is."""
    share = f"{look['at_s'] / 60:5.1f} of {seconds / 60:.0f} min"
    sizes = f"main {look['main_mib']:.0f} MiB, worker {look['worker_mib']:.0f} MiB"
    counts = f"{look['fds']} fds, {look['threads']} threads, disk {look['disk_mib']:.0f} MiB"
    times = f"ack {look['ack_p99_ms']:.0f} ms, seen {look['seen_p99_ms']:.0f} ms"
    print(f"{share}: {sizes}, {counts}, {times}", file=sys.stderr, flush=True)


def settled(here, at_work):
    """How many of the rows that were promised are stored, once nothing is pending."""
    promised = sum(load.rows_kept for load in at_work)
    deadline = time.monotonic() + SETTLE_S
    while True:
        stored = sum(here.ask(sql)[0]["n"] for sql in COUNTING)
        books = here.status()["conservation"]
        is_done = stored >= promised and books["adds_up"]
        if is_done or time.monotonic() > deadline:
            return stored, books
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
