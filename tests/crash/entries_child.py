"""Writes entries of alerting without rest and prints the number of each; made to be killed.

Each entry has one row for every table, and moves the place of the rules on.
"""

from __future__ import annotations

import sys

from qmon_agent.domain.catalog import Alert
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.ledger import (
    Entry,
    IncidentRecord,
    Posting,
    StateRecord,
    TransitionRecord,
)


def entry(number: int, *, alert: int, now: int) -> Entry:
    name = f"i{number}"
    incident = IncidentRecord(id=name, alert=alert, instance=name, state="firing", since=now)
    transition = TransitionRecord(
        incident=name, before="pending", after="firing", reason="breach", at=now
    )
    posting = Posting(
        key=name,
        incident=name,
        channel="pager",
        notice="{}",
        created_at=now,
        due_at=now,
        deadline=now + 10**12,
    )
    return Entry(
        incidents={name: incident},
        transitions=[transition],
        postings=[posting],
        states=[StateRecord(alert=alert, instance=name, state="{}")],
        position=str(number),
    )


def main(dsn: str) -> None:
    store = StateStore.open(dsn, owner="writer")
    if not store.catalog.alerts():
        store.catalog.put_alert(Alert(name="hot"))
    alert = store.catalog.alerts()[0].id
    number = int(store.incidents.position() or 0)
    while True:
        number += 1
        store.incidents.write(entry(number, alert=alert, now=store.clock.now()))
        print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
