"""Lines of loguru."""

from __future__ import annotations

from loguru import logger

TELLS = ("log",)


def use(servers):
    logger.error("first")
    yield
    logger.error("second")
