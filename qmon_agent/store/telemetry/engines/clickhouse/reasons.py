"""What matters of an error: urllib3 says in one line whose fault was whose, outermost first."""

from __future__ import annotations

import re

CAUSED_BY = "(Caused by "
WHERE = re.compile(r"host='([^']+)', port=(\d+)")
ERRNO = re.compile(r"\[Errno -?\d+\] ([^'\")\]]+)")
QUOTED = re.compile(r"['\"]([^'\"]+)['\"]")


def reason_of(error: Exception) -> str:
    """The first line of an error; of a chain, the last cause and whom it was about."""
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    outer, is_chain, inner = lines[0].partition(CAUSED_BY)
    said = (ERRNO.findall(inner) or QUOTED.findall(inner))[-1:]
    if not is_chain or not said:
        return lines[0]
    where = WHERE.search(outer)
    return f"{where[1]}:{where[2]}: {said[0].strip()}" if where else said[0].strip()
