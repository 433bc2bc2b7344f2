"""loguru: every line from the setting `log_level` on, with what was bound and patched into it."""

from __future__ import annotations

from qmon_sdk.client import current, guarded
from qmon_sdk.grouping import template_of
from qmon_sdk.lines import RANKS, level_of, pipe_closed, pipe_opened, take_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._watch import Watch

SOURCE = "loguru"


class LoguruIntegration:
    """Adds a sink, and adds it again when the program begins with `logger.remove()`, as most do."""

    def install(self, watch: Watch) -> None:
        from loguru import logger

        sink = _Sink(logger, RANKS[current().settings.log_level])
        watch.after(type(logger), "remove", sink.removed)
        watch.undo_by(sink.leave)
        sink.enter()
        pipe_opened(SOURCE)
        watch.undo_by(lambda: pipe_closed(SOURCE))


class _Sink:
    """Ours among loguru's."""

    def __init__(self, logger: Any, least: int) -> None:
        self._logger = logger
        self._least = least
        self._number: int | None = None

    def enter(self) -> None:
        # An empty format, since the text is in the record; no catching, since it never raises.
        self._number = self._logger.add(
            _keep, level=self._least, format=_unformatted, catch=False, backtrace=False
        )

    def leave(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            self._logger.remove(number)

    def removed(self, _: None, __: Any, handler_id: int | None = None) -> None:
        """Come back after everybody was sent away; who names us alone means it."""
        if self._number is None:
            return
        if handler_id is None:
            self.enter()
        elif handler_id == self._number:
            self._number = None


def _unformatted(_: Any) -> str:
    return ""


@guarded
def _keep(message: Any) -> None:
    client = current()
    if not client.recording:
        return
    record = message.record
    text, exception = record["message"], record["exception"]
    said = (
        int(record["time"].timestamp() * 1_000_000) * 1000,  # a double holds no more
        level_of(record["level"].no),
        text,
        template_of(text),
        record["name"] or "",
    )
    attributes = {
        **record["extra"],
        "code.function.name": record["function"],
        "code.file.path": record["file"].path,
        "code.line.number": record["line"],
    }
    error = exception.value if exception else None
    take_line(client, SOURCE, said, attributes=attributes, error=error)  # type: ignore[arg-type]
