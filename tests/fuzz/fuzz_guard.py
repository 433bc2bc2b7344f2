"""Coverage-guided fuzzing of what stands between SQL and the engine: `nox -s fuzz`.

A finding is a statement that passes, and writes, reaches a file, or tells a secret; and any
exception that is no QueryError.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["qmon_agent"]):
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.fuzz.guarded import Den

FORMS = (
    "{}",
    "SELECT {}",
    "FROM {}",
    "WITH x AS ({}) FROM x",
    "EXPLAIN ANALYZE {}",
    "SELECT * FROM spans WHERE {}",
    "SELECT (FROM {})",
)
DEN = Den(Path(tempfile.mkdtemp(prefix="qmon-fuzz-")))


def one_input(data: bytes) -> None:
    """Put the bytes as a statement, in a form that the first of them chooses."""
    if data:
        DEN.put(FORMS[data[0] % len(FORMS)].format(data[1:].decode("utf-8", "replace")))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
