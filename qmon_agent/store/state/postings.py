"""What is to be told as rows of the outbox, with what it goes by beside the words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from qmon_agent.domain.catalog import weight_of

from .dialects import insert_new
from .ledger import Posting
from .tables import OUTBOX


class _Heading(msgspec.Struct, frozen=True):
    """As much of a notice as the outbox goes by; the rest is passed over."""

    status: str = ""
    group: str = ""
    severity: str = ""


def write_postings(connection: Connection, postings: Sequence[Posting]) -> None:
    """Keep those whose keys are new."""
    insert_new(connection, OUTBOX, [*map(_row, postings)], keys=["key"])


def _row(posting: Posting) -> dict[str, object]:
    try:
        said = msgspec.json.decode(posting.notice, type=_Heading)
    except msgspec.MsgspecError:
        said = _Heading()  # what nobody can read, the notifier refuses
    read = {
        "thread": said.group or posting.incident,
        "says": said.status,
        "weight": weight_of(said.severity),
    }
    return msgspec.structs.asdict(posting) | read
