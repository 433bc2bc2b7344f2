"""Coverage-guided fuzzing of what reads the configuration: `nox -s fuzz`.

A finding is any exception that is not an error of ours with a path and a sentence.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["qmon_agent"]):
    from qmon_agent.domain.errors import QmonError
    from qmon_agent.forward.sinks import make_sinks
    from qmon_agent.ingest.sources import make_sources
    from qmon_agent.settings import read_settings

ENVIRONMENT = {"A": "1", "B": "secret"}
# Where the bytes go: whole, or as a value behind a key that is known.
FORMS = (
    b"%s",
    b"[sources.otlp]\nlisten = %s",
    b"[sources.log_files]\nfiles = %s",
    b"[sources.statsd]\n%s",
    b"[sinks.file]\npath = %s",
    b"[sinks.otlp]\n%s",
    b"[[alerts]]\nname = 'a'\nthreshold = %s",
    b"[retention]\nspans = %s",
    b"[[probes]]\n%s",
)


def one_input(data: bytes) -> None:
    """Read the bytes in a form that the first of them chooses, and build what they ask for."""
    if not data:
        return
    try:
        settings = read_settings(FORMS[data[0] % len(FORMS)] % data[1:], ENVIRONMENT)
        make_sources(settings.sources)
        for sink in make_sinks(settings.sinks).values():
            sink.close()
    except QmonError as problem:
        assert str(problem)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
