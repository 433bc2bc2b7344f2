"""`qmon-run`: start any Python command watched, without a line of code changed."""

from __future__ import annotations

from .command import main as main
