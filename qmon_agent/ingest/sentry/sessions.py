"""Sentry's sessions: told whenever something changes, or already added up; ours are told once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from qmon_agent.ingest.loose import identity, labels, length, mapping, mappings, moment, name, whole
from qmon_sdk.protocol.signals import Session

from .gathered import Gathered

Said = Mapping[str, Any]

STATUSES = {
    "exited": "healthy",
    "errored": "errored",
    "crashed": "crashed",
    "unhandled": "crashed",
    "abnormal": "abnormal",
}
"""How Sentry says that a session ended → how we do. `ok` has not ended, whatever went wrong."""
MOST_SESSIONS = 10_000
"""Out of one item of sums: more are counted, and not kept one by one."""


def keep_session(said: Said, gathered: Gathered) -> None:
    """Keep a session that has ended; what is told before that is told again at its end."""
    status = STATUSES.get(name(said.get("status")))
    if status is None:
        gathered.note("session update")
        return
    attributes = mapping(said.get("attrs"))
    errors, started = whole(said.get("errors")), moment(said.get("started"))
    session = Session(
        time=moment(said.get("timestamp")) or gathered.now,
        session_id=identity(said.get("sid")),
        user_id=name(said.get("did")),
        status="errored" if status == "healthy" and errors else status,
        started=started,
        duration_ns=length(said.get("duration")),
        errors=errors,
        attributes={"mode": "application", **_about(attributes)},
    )
    gathered.keep(attributes, [session])


def keep_sessions(said: Said, gathered: Gathered) -> None:
    """Keep sums of sessions as so many sessions, known again by what the sums say."""
    attributes, left = mapping(said.get("attrs")), MOST_SESSIONS
    about = {"mode": "request", **_about(attributes)}
    for bucket in mappings(said.get("aggregates")):
        for status, count in _counts(bucket):
            kept = min(count, left)
            left -= kept
            sessions = _so_many(bucket, kept, status=status, about=about, gathered=gathered)
            gathered.keep(attributes, sessions)
            if count > kept:
                gathered.drop("session", "too_many", count - kept)


def _counts(bucket: Said) -> Iterator[tuple[str, int]]:
    for told, status in STATUSES.items():
        if (count := whole(bucket.get(told))) > 0:
            yield status, count


def _so_many(
    bucket: Said, count: int, *, status: str, about: dict[str, str], gathered: Gathered
) -> Iterator[Session]:
    started = moment(bucket.get("started"))
    key = f"{gathered.headers.get('sent_at')}/{started}/{bucket.get('did')}/{status}".encode()
    for index in range(count):
        digest = blake2b(key + str(index).encode(), digest_size=16)
        yield Session(
            time=started or gathered.now,
            session_id=digest.hexdigest(),
            user_id=name(bucket.get("did")),
            status=status,
            started=started,
            errors=int(status != "healthy"),
            attributes=about,
        )


def _about(attributes: Said) -> dict[str, str]:
    found = labels(attributes)
    named = {"user_agent": "user_agent.original", "ip_address": "client.address"}
    return {to: found[key] for key, to in named.items() if key in found}
