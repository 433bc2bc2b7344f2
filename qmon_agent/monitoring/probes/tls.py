"""For how long a certificate is good."""

from __future__ import annotations

import ssl

import msgspec

from qmon_agent.domain.bounds import Port

from . import Checked
from ._link import Stopwatch, connected, days_left, expiry, secured, trusting


class TlsProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Begins TLS and looks at the certificate: whether it is trusted, and when it ends."""

    host: str
    """Whom to connect to."""
    port: Port = 443
    """Which port."""
    server_name: str = ""
    """The name to ask for, where it is not the host's."""
    days: float = 14.0
    """How many days the certificate has to be good for."""
    ca: str = ""
    """A file of authorities to trust instead of the system's."""
    _context: ssl.SSLContext | None = None

    @property
    def target(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def check(self, timeout_s: float) -> Checked:
        """One handshake."""
        watch = Stopwatch(timeout_s)
        if self._context is None:
            self._context = trusting(self.ca, verify=True)
        name = self.server_name or self.host
        with (
            connected(self.host, self.port, watch) as plain,
            secured(plain, name, watch=watch, context=self._context) as link,
        ):
            left = days_left(link) or 0.0
        numbers = (*expiry(left), *watch.numbers())
        if left < self.days:
            problem = f"the certificate ends in {left:.1f} days"
            return Checked(problem=problem, type="certificate", numbers=numbers)
        return Checked(numbers=numbers)
