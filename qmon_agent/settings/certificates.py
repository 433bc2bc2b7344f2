"""By which certificates others are known to us, and we to them."""

from __future__ import annotations

import ssl


def tls_context(ca_file: str, certificate: str, key: str) -> ssl.SSLContext:
    """Who checks the other side, and says who we are where a certificate is given."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context
