"""Records of a logger."""

from __future__ import annotations

import logging

TELLS = ("log",)


def use(servers):
    logger = logging.getLogger("shop")
    logger.error("first")
    yield
    logger.error("second")
