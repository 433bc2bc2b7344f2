"""Events of structlog."""

from __future__ import annotations

import structlog

TELLS = ("log",)


def use(servers):
    logger = structlog.get_logger()
    logger.error("first")
    yield
    logger.error("second")
