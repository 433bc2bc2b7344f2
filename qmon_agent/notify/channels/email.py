"""E-mail by SMTP: one thread per incident, as text and as HTML, with the chart in it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from smtplib import (
    SMTP,
    SMTP_SSL,
    SMTPAuthenticationError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from socket import SHUT_RDWR, gethostname
from threading import Timer
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import msgspec

from qmon_agent.domain.bounds import Port, Seconds
from qmon_agent.domain.clock import SECOND
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.reaching import Course, words_of
from qmon_agent.notify.message import Message, clean
from qmon_agent.settings.certificates import tls_context

from . import Delivery
from ._fitting import colour_of, cut

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT = 250
_FOR_EVER = 500
_PATIENCE = 2


def _threads() -> ThreadPoolExecutor:
    # Two: a server that hangs past the deadline must not keep the next attempt waiting.
    return ThreadPoolExecutor(2, "qmon-email")


class EmailChannel(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A message has the same `Message-ID` however often it is sent, so that doubles are seen.

    What a server refuses for good (5xx) will not arrive; what it refuses for now (4xx), and trouble
    with signing in, is tried again.
    """

    host: str
    """The SMTP server."""
    sender: str
    """From whom: an address."""
    to: tuple[str, ...]
    """To whom: addresses."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How: STARTTLS, which the server has to offer; TLS from the start; or in the clear."""
    port: Port | None = None
    """Where, if not at the usual port: 587, 465 or 25."""
    user: str = ""
    """Who we are there, where one has to sign in."""
    password: str = ""
    """The user's password."""
    ca_file: str = ""
    """Certificates to trust instead of the usual ones, as PEM."""
    timeout_s: Seconds = 10.0
    """How long the server may take to connect, and for each answer; for all of it twice that."""
    _pool: ThreadPoolExecutor = msgspec.field(default_factory=_threads)

    TAKES_CHART: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.to:
            raise ConfigError("to", "names nobody")
        for option, address in [("sender", self.sender), *(("to", each) for each in self.to)]:
            _checked(option, address)
        if self.user and self.security == "none":
            raise ConfigError("security", "a password would be sent in the clear")

    async def send(self, message: Message) -> Delivery:
        """From a thread: a conversation is a dozen answers."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._sent, message)

    def _sent(self, message: Message) -> Delivery:
        mail, course = self._mail(message), Course()
        try:
            with self._connected(course) as server:
                refused = server.send_message(mail)
        except SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return self._no(min(codes), *next(iter(error.recipients.values()))[1:])
        except SMTPAuthenticationError as error:
            detail = f"{self.host}: {error.smtp_code}; look at `user` and `password`"
            return Delivery(outcome="retry", detail=detail, untold=True)
        except SMTPResponseException as error:
            return self._no(error.smtp_code, error.smtp_error)
        except (SMTPException, OSError) as error:
            detail = f"{self.host}: {self._words(error, course)}"
            return Delivery(outcome="retry", detail=detail, untold=course.has_said_nothing)
        detail = f"not to {', '.join(refused)}" if refused else ""
        reference = message.reference or str(mail["message-id"])
        return Delivery(outcome="delivered", detail=detail, reference=reference)

    def _no(self, code: int, said: bytes | str) -> Delivery:
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        detail = f"{self.host}: {code} {clean(words, 200)}"
        # It has said no to it, and so has not taken it.
        is_final = code >= _FOR_EVER
        return Delivery(outcome="refused" if is_final else "retry", detail=detail, untold=True)

    def _words(self, error: Exception, course: Course) -> str:
        patience = _PATIENCE if course.is_over else 1
        said = words_of(error, course, limit_s=patience * self.timeout_s)
        if not said and isinstance(error, SMTPServerDisconnected):
            return "it hung up in the middle of the conversation"
        # What the library says of it, without what was sent.
        return said or f"{type(error).__name__}: {clean(str(error), 200)}"

    def _connected(self, course: Course) -> SMTP:
        port = self.port or _PORTS[self.security]
        context = tls_context(self.ca_file, "", "")
        usual: Any = {"timeout": self.timeout_s, "local_hostname": _own_name(), "course": course}
        server: SMTP = (
            _Safe(self.host, port, context=context, **usual)
            if self.security == "tls"
            else _Plain(self.host, port, **usual)
        )
        try:
            if self.security == "starttls":
                course.stage = "tls"
                server.starttls(context=context)
                course.stage = "asked"
            if self.user:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, message: Message) -> EmailMessage:
        mail, domain = EmailMessage(), self.sender.rpartition("@")[2]
        own = f"<{quote(message.key, safe='')}@{domain}>"
        root = f"<{quote(message.notice.thread, safe='')}@{domain}>"
        mail["From"], mail["To"] = self.sender, ", ".join(self.to)
        mail["Subject"] = cut(message.title, _SUBJECT)
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.sent_at // SECOND, UTC))
        mail["Message-ID"] = own
        if message.reference and message.reference != own:
            mail["In-Reply-To"] = message.reference
            mail["References"] = f"{root} {message.reference}"
        else:
            # There is no such mail: what has it among its references is one thread all the same.
            mail["References"] = root
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        mail.set_content(plain_of(message))
        mail.add_alternative(html_of(message), subtype="html")
        if message.chart is not None:
            _, page = mail.iter_parts()
            page.add_related(message.chart, "image", "png", cid="<chart>", filename="chart.png")
        return mail


class _Told(SMTP):
    """Says when it is connected."""

    course: Course

    def _get_socket(self, *place: Any) -> Any:
        link = super()._get_socket(*place)  # type: ignore[misc]  # not in typeshed
        self.course.stage = "tls"
        return link


class _Ending(SMTP):
    """A conversation that has an end, however slowly the server says what it says."""

    _timer: Timer | None = None

    def __init__(self, *place: Any, course: Course, **options: Any) -> None:
        self.course = course
        super().__init__(*place, **options)

    def connect(self, *args: Any, **options: Any) -> Any:
        self._timer = Timer(_PATIENCE * self.timeout, self._hang_up)
        self._timer.daemon = True
        self._timer.start()
        return super().connect(*args, **options)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().close()

    def _get_socket(self, *place: Any) -> Any:
        link = super()._get_socket(*place)  # type: ignore[misc]  # not in typeshed
        self.course.stage = "asked"
        return link

    def _hang_up(self) -> None:
        self.course.is_over = True
        if (link := getattr(self, "sock", None)) is not None:
            with suppress(OSError):
                link.shutdown(SHUT_RDWR)


class _Plain(_Ending, _Told):
    """In the clear, at least in the beginning."""


class _Safe(_Ending, SMTP_SSL, _Told):
    """The same, with TLS from the start."""


def _own_name() -> str:
    """What we call ourselves; nobody is asked for it, as that may take long."""
    name = gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def plain_of(message: Message) -> str:
    links = "".join(f"\n{each.name}: {each.link}" for each in message.actions)
    return f"{message.title}\n\n{message.text}{links}\n"


def html_of(message: Message) -> str:
    """The same for readers of HTML; nothing that was written by somebody else is mark-up."""
    lines = "<br>\n".join(escape(line) for line in message.text.splitlines())
    links = " &middot; ".join(
        f'<a href="{escape(each.link)}">{escape(each.name)}</a>' for each in message.buttons
    )
    chart = '<p><img src="cid:chart" alt="the last values"></p>\n' if message.chart else ""
    return (
        "<!doctype html>\n<html><body>\n"
        f'<h3 style="border-left: 6px solid #{colour_of(message):06x}; padding-left: 8px">'
        f"{escape(message.title)}</h3>\n<p>{lines}</p>\n{chart}"
        f"{f'<p>{links}</p>' if links else ''}\n</body></html>\n"
    )


def _checked(option: str, address: str) -> None:
    try:
        found = Address(addr_spec=address)
    except (ValueError, IndexError, AttributeError):
        found = Address()
    if not found.username or not found.domain or not address.isascii():
        raise ConfigError(option, f"{address!r} is no address as name@example.org")
