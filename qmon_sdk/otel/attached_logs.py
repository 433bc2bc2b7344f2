"""A log record processor for OpenTelemetry's SDK: its records become qmon's log lines."""

from __future__ import annotations

from opentelemetry.sdk._logs import LogRecordProcessor

from qmon_sdk.client import current, guarded
from qmon_sdk.lines import pipe_closed, pipe_opened
from qmon_sdk.start import flush

from .logger import SOURCE, told_by, write
from .resource import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class QmonLogRecordProcessor(LogRecordProcessor):
    """`LoggerProvider.add_log_record_processor(QmonLogRecordProcessor())`."""

    def __init__(self) -> None:
        self._is_open = True
        pipe_opened(SOURCE)

    @guarded
    def on_emit(self, log_record: Any) -> None:
        """Keep one record."""
        client = current()
        if not self._is_open or not client.recording:
            return
        scope = log_record.instrumentation_scope
        name, version = (scope.name, scope.version) if scope else ("", "")
        told = {**told_by(log_record.log_record), "labels": Scope(None, version).labels()}
        write(client, name, told)  # type: ignore[arg-type]

    emit = on_emit  # as releases before 1.35 call it

    def shutdown(self) -> None:
        """Keep no more."""
        self._is_open = False
        pipe_closed(SOURCE)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send everything recorded so far; `False` if that takes longer."""
        return flush(timeout_millis / 1000)
