"""Between Sentry's hooks and qmon's: they are shown dictionaries, and what they answer is kept."""

from __future__ import annotations

from contextvars import ContextVar

from qmon_sdk.client import current, noted
from qmon_sdk.context import EMPTY, SCOPE
from qmon_sdk.grouping import key_of_fingerprint
from qmon_sdk.json_text import array, quoted, texts
from qmon_sdk.protocol.signals import Error
from qmon_sdk.recorder.cells import draw

from .events import FINGERPRINT, MESSAGE, TRANSACTION, error_of, event_of
from .layers import GLOBAL, said_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .layers import Said

_last: ContextVar[str | None] = ContextVar("qmon_sentry_last", default=None)
HINT: ContextVar[dict[str, Any] | None] = ContextVar("qmon_sentry_hint", default=None)
"""What the caller of `capture_event` adds for the hooks."""


class Bridge:
    """The `before_send` of a client started in Sentry's words, and all that it was told."""

    takes_hints = True

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self._before_send = options.get("before_send")
        self._sampler = options.get("error_sampler")
        self._ignored = tuple(options.get("ignore_errors") or ())

    def __call__(self, signal: Any, error: BaseException | None = None) -> Any:
        """Let every hook see an error; other signals are none of theirs."""
        if type(signal) is not Error:
            return signal
        if error is not None and self._ignored and self._ignores(type(error)):
            return None
        below, above = said_of(GLOBAL.kept), said_of(SCOPE.get())
        kept: Error | None = _as_said(signal, below, above)
        processors = (*below.processors, *above.processors)
        if processors or self._before_send or self._sampler:
            kept = self._seen(kept or signal, error, processors)
        if kept is not None:
            _last.set(kept.error_id)
        return kept

    def _ignores(self, kind: type) -> bool:
        names = {kind.__name__, kind.__qualname__, f"{kind.__module__}.{kind.__qualname__}"}
        return any(
            one in names if isinstance(one, str) else issubclass(kind, one) for one in self._ignored
        )

    def _seen(
        self, signal: Error, error: BaseException | None, processors: tuple[Any, ...]
    ) -> Error | None:
        hint: dict[str, Any] = dict(HINT.get() or {})
        if error is not None and signal.type != MESSAGE:
            hint["exc_info"] = (type(error), error, error.__traceback__)
        event: Any = event_of(signal)
        for process in processors:
            try:
                event = process(event, hint)
            except Exception as problem:  # noqa: BLE001 - the application's own code
                noted("event_processor", problem)
            if event is None:
                return None
        if self._sampler is not None and draw(53) >= float(self._sampler(event, hint)) * (1 << 53):
            return None
        if self._before_send is not None:
            event = self._before_send(event, hint)
        return None if event is None else error_of(event, signal, event_of(signal))


def _as_said(signal: Error, below: Said, above: Said) -> Error:
    """Add what the scopes say that qmon has no word for, and what is said of the whole process."""
    changes: dict[str, Any] = {}
    level = above.level or below.level
    if level:
        changes["level"] = level
    attributes = _of_process(signal)
    fingerprint = below.fingerprint if above.fingerprint is None else above.fingerprint
    if fingerprint is not None:
        changes["grouping"] = key_of_fingerprint(fingerprint, signal.grouping)
        attributes[FINGERPRINT] = array(map(quoted, fingerprint))
    if transaction := above.transaction or below.transaction:
        attributes[TRANSACTION] = transaction
    if attributes:
        changes["attributes"] = {**attributes, **signal.attributes}
    return signal.replace(**changes) if changes else signal


def _of_process(signal: Error) -> dict[str, str]:
    kept, scrub = GLOBAL.kept, current().scrubber
    if kept is EMPTY:
        return {}
    told = {f"tag.{key}": text for key, text in scrub.labels(kept.tags).items()}
    if not any(key.startswith("user.") for key in signal.attributes):
        told |= {f"user.{key}": text for key, text in scrub.labels(kept.user).items()}
    for name, facts in kept.contexts.items():
        told[f"context.{name}"] = texts(scrub.labels(facts))
    return told


def the_bridge() -> Bridge | None:
    """Return the bridge of the client in charge, if that was started in Sentry's words."""
    hook = current().settings.before_send
    return hook if isinstance(hook, Bridge) else None


def option(name: str, default: Any = None) -> Any:
    """Read an option of `init` as it was given."""
    bridge = the_bridge()
    value = None if bridge is None else bridge.options.get(name)
    return default if value is None else value


def last_event_id() -> str | None:
    """Return the id of the last event this context kept."""
    return _last.get()


def seen_crumb(crumb: dict[str, Any], hint: dict[str, Any]) -> Mapping[str, Any] | None:
    """Let `before_breadcrumb` see a step."""
    hook = option("before_breadcrumb")
    if hook is None:
        return crumb
    try:
        seen: Mapping[str, Any] | None = hook(crumb, hint)
    except Exception as problem:  # noqa: BLE001 - the application's own code
        noted("before_breadcrumb", problem)
        return None
    return seen
