"""Sentry, or whoever else takes its envelopes; needs `qmon[sentry]`.

The envelopes and the address are made by `sentry-sdk`'s own classes. Its transport is left out: it
drops what its queue has no room for and tells nobody, and a sink has to know.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from qmon_agent.domain.errors import ConfigError
from qmon_agent.forward.batch import Batch

from . import Delivery
from ._http import Answer, HttpSink, Post, judged

_LIMIT = re.compile(r"\s*(\d+(?:\.\d+)?):([^:,]*)")
_TOO_MANY = 429
_UNSAID_S = 60.0


class SentrySink(HttpSink, kw_only=True, forbid_unknown_fields=True):
    """Errors with their stacks, transactions, sessions, check-ins and logs."""

    dsn: str
    """The project's: `https://KEY@HOST/PROJECT`."""
    _limited: dict[str, float] = {}  # noqa: RUF012 - msgspec copies it

    def __post_init__(self) -> None:
        address = urlsplit(self.dsn)
        if address.scheme not in {"http", "https"} or not address.username:
            raise ConfigError("dsn", "is no https://KEY@HOST/PROJECT")
        if not address.path.rpartition("/")[2].isdigit():
            raise ConfigError("dsn", "ends with the number of no project")

    def place(self) -> str:
        from sentry_sdk.utils import Dsn

        return Dsn(self.dsn).to_auth().get_api_url()

    def describe(self) -> Mapping[str, Any]:
        address = urlsplit(self.dsn)
        return {"endpoint": f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"}

    def posts(self, batch: Batch) -> Iterator[Post]:
        from sentry_sdk.utils import Dsn

        from qmon_agent.forward.sentry.envelopes import envelopes_of

        auth = Dsn(self.dsn).to_auth("qmon-agent").to_header()
        for number, made in enumerate(envelopes_of(batch), 1):
            yield Post(
                path="/",
                body=made.body,
                content_type="application/x-sentry-envelope",
                headers={"x-sentry-auth": auth},
                key=f"{batch.id}-{number}",
                rows=made.rows,
                sort=made.category,
            )

    def hold_s(self, post: Post) -> float:
        """What Sentry asked us to wait with is not sent to it meanwhile."""
        until = max(self._limited.get(post.sort, 0.0), self._limited.get("", 0.0))
        return until - time.monotonic()

    def judge(self, post: Post, answer: Answer) -> Delivery:
        limits = self._limits(answer)
        if answer.status == _TOO_MANY:
            wait_s = max(limits.values(), default=0.0) or judged(post, answer, "").retry_after_s
            wait_s = wait_s or _UNSAID_S
            return Delivery(outcome="retry", detail="HTTP 429 from Sentry", retry_after_s=wait_s)
        return judged(post, answer, self.dsn)

    def _limits(self, answer: Answer) -> dict[str, float]:
        """`60:error;transaction:key, 2700::organization`; also told beside a 200."""
        found: dict[str, float] = {}
        for told in answer.headers.get("x-sentry-rate-limits", "").split(","):
            if match := _LIMIT.match(told):
                found |= dict.fromkeys(match[2].strip().split(";"), float(match[1]))
        now = time.monotonic()
        known = {category: until for category, until in self._limited.items() if until > now}
        self._limited = {**known, **{each: now + wait_s for each, wait_s in found.items()}}
        return found
