"""Blocks of Prometheus's own database, read as its format is published: index, chunks, tombstones.

Formats: https://github.com/prometheus/prometheus/tree/main/tsdb/docs/format
"""

from .blocks import Block as Block
from .blocks import blocks_in as blocks_in
from .cursor import DamagedBlockError as DamagedBlockError
