"""By which certificates others are known to us, and we to them."""

from __future__ import annotations

import ssl

from qmon_agent.domain.errors import ConfigError


def serving_context(
    certificate: str, key: str, client_authority: str, *, path: str
) -> ssl.SSLContext | None:
    """How who connects to us knows us, and we it where there is an authority for clients.

    None without a certificate; raises ConfigError, `path` being the section, for one of no use.
    """
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key or None)
        if client_authority:
            context.load_verify_locations(client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as problem:
        raise ConfigError(f"{path}.certificate", str(problem)) from None
    return context


def tls_context(ca_file: str, certificate: str, key: str) -> ssl.SSLContext:
    """Who checks the other side, and says who we are where a certificate is given."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context
