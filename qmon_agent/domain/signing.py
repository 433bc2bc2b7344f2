"""Standard Webhooks: what makes a receiver sure that a message is ours, and of what time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from qmon_agent.domain.errors import ConfigError

SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one


def key_of(secret: str) -> bytes:
    """The key a secret stands for: base64 behind `whsec_`, else the text itself."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ConfigError("secrets", "after whsec_ comes base64") from None


def signed_headers(keys: Sequence[bytes], *, name: str, stamp: str, body: bytes) -> dict[str, str]:
    """The headers of a message called `name`: a signature for each key, so that keys can change."""
    headers = {"webhook-id": name, "webhook-timestamp": stamp}
    if keys:
        signed = f"{name}.{stamp}.".encode() + body
        headers["webhook-signature"] = " ".join(_signature(key, signed) for key in keys)
    return headers


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
