"""What can be known about a process without being told: name, release, place, container.

Everything is read from the command line, the environment and a few small files; no other process
is run, nothing is asked over a network, and every read is bounded.
"""

from __future__ import annotations

from .facts import Facts as Facts
from .facts import detect as detect
