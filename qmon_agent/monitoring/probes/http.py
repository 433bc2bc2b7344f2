"""Whether a web page answers as it should."""

from __future__ import annotations

import re
import ssl

import msgspec

from qmon_agent.domain.bounds import Bytes
from qmon_agent.domain.errors import ConfigError

from . import Checked, Number
from ._link import Stopwatch, expiry, trusting
from ._web import Answer, Ask, check_url, fetch, plain_url

_GOOD = range(200, 400)


class HttpProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Asks a URL and looks at status, body, redirect and certificate."""

    url: str
    """What is asked."""
    method: str = "GET"
    """How it is asked."""
    headers: dict[str, str] = {}
    """What is sent along, such as a token."""
    body: str = ""
    """What is sent in the body."""
    status: tuple[int, ...] = ()
    """The statuses that are right; empty means every one from 200 to 399."""
    contains: str = ""
    """A text that the answer's body has to contain."""
    matches: str = ""
    """A regular expression that has to be found in the body."""
    redirects_to: str = ""
    """The URL an answer has to lead to; it is not followed then."""
    follow: bool = True
    """Whether redirects are followed."""
    certificate_days: float = 0.0
    """How many days the certificate has to be good for."""
    verify: bool = True
    """Whether the certificate has to be one that is trusted."""
    ca: str = ""
    """A file of authorities to trust instead of the system's."""
    max_body_bytes: Bytes = 1 << 20
    """How much of the body is read."""
    _context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        check_url(self.url)
        try:
            re.compile(self.matches)
        except re.error as problem:
            raise ConfigError("matches", f"no regular expression: {problem}") from None

    @property
    def target(self) -> str:
        """The URL without its query."""
        return plain_url(self.url)

    def check(self, timeout_s: float) -> Checked:
        """One exchange, and those it leads to."""
        watch = Stopwatch(timeout_s)
        if self._context is None:
            self._context = trusting(self.ca, verify=self.verify)
        ask = Ask(
            url=self.url,
            method=self.method,
            headers=self.headers,
            body=self.body.encode(),
            max_body_bytes=self.max_body_bytes,
            follow=self.follow and not self.redirects_to,
            context=self._context,
        )
        answer = fetch(ask, watch)
        problem, kind = self._problem(answer)
        numbers = (
            Number(metric="probe.http.response.status_code", value=answer.status),
            Number(metric="probe.http.response.body.size", value=len(answer.body), unit="By"),
            *expiry(answer.days_left),
            *watch.numbers(),
        )
        return Checked(problem=problem, type=kind, numbers=numbers)

    def _problem(self, answer: Answer) -> tuple[str, str]:
        text = answer.body.decode("utf-8", "replace")
        wrong = {
            "status": answer.status not in (self.status or _GOOD),
            "redirect": self.redirects_to and answer.location != self.redirects_to,
            "body": self.contains not in text or not re.search(self.matches, text),
            "certificate": answer.days_left is not None
            and answer.days_left < self.certificate_days,
        }
        said = {
            "status": f"status {answer.status}",
            "redirect": f"leads to {answer.location or 'nowhere'}",
            "body": "the body is not what it should be",
            "certificate": f"the certificate ends in {answer.days_left or 0:.1f} days",
        }
        kind = next((each for each, is_wrong in wrong.items() if is_wrong), "")
        return said.get(kind, ""), kind
