"""Coverage-guided fuzzing of what becomes of an exposition: `nox -s fuzz`.

What `prometheus_client` raises is caught where it is called; a finding is what ours raises on what
it did read.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from qmon_agent.ingest.exposition_points import Exposition, TooManySamplesError
    from qmon_sdk.protocol.columns import blocks_of
    from qmon_sdk.protocol.frames import pack_block

from prometheus_client.openmetrics import parser as open_parser
from prometheus_client.parser import text_string_to_metric_families


def one_input(data: bytes) -> None:
    """Read the text as each of both forms, twice, so that there is growth."""
    text = data.decode("utf-8", "replace")
    for parse in (text_string_to_metric_families, open_parser.text_string_to_metric_families):
        try:
            families = list(parse(text))
        except Exception:  # noqa: BLE001 - theirs
            continue
        exposition = Exposition({}, max_samples=100)
        for now in (1, 2):
            try:
                points = exposition.points(families, now)
            except TooManySamplesError:
                break
            exposition.commit()
            for block in blocks_of(points):
                pack_block(block)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
