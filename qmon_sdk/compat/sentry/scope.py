"""Sentry's `Scope`: tags, user, contexts and the rest, kept in qmon's scope."""

from __future__ import annotations

from qmon_sdk.client import guarded
from qmon_sdk.context import EMPTY, crumb_of, labels_of, person, with_crumb, with_entries
from qmon_sdk.rendering import label

from .layers import CURRENT, EXTRA, GLOBAL, ISOLATION, Held, said_of, saying
from .verbs import Verbs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self

    from .layers import Change, Layer
    from .spans import Span

    Processor = Callable[[dict[str, Any], dict[str, Any]], Any]

_SAID = ("user", "level", "extras", "contexts", "tags", "fingerprint", "attributes")
"""What may be said about one capture only."""


class Scope(Verbs):
    """A handle on one layer; made by hand, it holds what it is told until a capture takes it."""

    __slots__ = ("_layer",)

    def __init__(self, ty: Any = None, client: Any = None, *, layer: Layer | None = None) -> None:
        del ty, client
        self._layer: Layer = Held() if layer is None else layer

    # --- which one -----------------------------------------------------------------------------

    @classmethod
    def get_current_scope(cls) -> Scope:
        """Return the scope of this block."""
        return _CURRENT

    @classmethod
    def get_isolation_scope(cls) -> Scope:
        """Return the scope of this request."""
        return _ISOLATION

    @classmethod
    def get_global_scope(cls) -> Scope:
        """Return the scope of this process."""
        return _GLOBAL

    @classmethod
    def get_client(cls) -> Any:
        """Return the client in charge."""
        from .starting import get_client

        return get_client()

    def fork(self) -> Scope:
        """Make a copy that goes its own way."""
        return Scope(layer=Held(self._layer.read()))

    # --- what is said of errors ----------------------------------------------------------------

    @guarded
    def set_tag(self, key: str, value: Any) -> None:
        """Label what happens here."""
        self.set_tags({key: value})

    @guarded
    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Label what happens here, several times."""
        more = labels_of(tags)
        self._change(lambda kept: kept.replace(tags=with_entries(kept.tags, more)))

    @guarded
    def remove_tag(self, key: str) -> None:
        """Forget a tag."""
        self._change(lambda kept: kept.replace(tags=_without(kept.tags, key)))

    set_attribute, set_attributes, remove_attribute = set_tag, set_tags, remove_tag

    @guarded
    def set_user(self, value: Mapping[str, Any] | None) -> None:
        """Say who it is for; `None` forgets."""
        about = labels_of(value or {})
        user_id = person(about.get("id", ""))
        self._change(lambda kept: kept.replace(user=about, user_id=user_id))

    @guarded
    def set_context(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep some facts."""
        facts = labels_of(value)
        self._change(lambda kept: kept.replace(contexts=with_entries(kept.contexts, {key: facts})))

    @guarded
    def remove_context(self, key: str) -> None:
        """Forget them."""
        self._change(lambda kept: kept.replace(contexts=_without(kept.contexts, key)))

    @guarded
    def set_extra(self, key: str, value: Any) -> None:
        """Keep a fact; all such facts stand in one context, `extra`."""
        self._extra(lambda extra: with_entries(extra, labels_of({key: value})))

    @guarded
    def remove_extra(self, key: str) -> None:
        """Forget it."""
        self._extra(lambda extra: _without(extra, key))

    def _extra(self, change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self._change(
            lambda kept: kept.replace(
                contexts=with_entries(
                    kept.contexts, {EXTRA: change(kept.contexts.get(EXTRA) or {})}
                )
            )
        )

    @guarded
    def set_level(self, value: str | None) -> None:
        """Say how bad it is."""
        level = label(value)
        self._change(lambda kept: saying(kept, level=level))

    @guarded
    def set_fingerprint(self, value: Any) -> None:
        """Say what it belongs together with."""
        words = None if value is None else tuple(label(word) for word in value)
        self._change(lambda kept: saying(kept, fingerprint=words))

    @guarded
    def set_transaction_name(self, name: str, source: str | None = None) -> None:
        """Name the work, and the transaction that is open."""
        del source
        self._change(lambda kept: saying(kept, transaction=label(name)))
        transaction = self.transaction
        if transaction is not None:
            transaction.name = name

    @guarded
    def set_flag(self, flag: str, result: Any) -> None:
        """Note how a feature flag was answered."""
        answer = {flag: label(result)}
        self._change(lambda kept: kept.replace(flags=with_entries(kept.flags, answer)))

    @guarded
    def add_breadcrumb(
        self,
        crumb: Mapping[str, Any] | None = None,
        hint: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember a step."""
        from .bridge import seen_crumb

        told = seen_crumb({**(crumb or {}), **kwargs}, dict(hint or {}))
        if told is None:
            return
        kinds = (told.get("category"), told.get("level") or "info", told.get("type") or "default")
        text = crumb_of(told.get("message"), kinds, data=told.get("data"))
        self._change(lambda kept: kept.replace(breadcrumbs=with_crumb(kept.breadcrumbs, text)))

    @guarded
    def clear_breadcrumbs(self) -> None:
        """Forget the steps."""
        self._change(lambda kept: kept.replace(breadcrumbs=()))

    @guarded
    def clear(self) -> None:
        """Forget everything that was said here."""
        fields = ("user", "user_id", "tags", "contexts", "flags", "breadcrumbs", "said")
        empty = {field: getattr(EMPTY, field) for field in fields}
        self._change(lambda kept: kept.replace(**empty))

    @guarded
    def add_event_processor(self, func: Processor) -> None:
        """Have a function see, change or drop each event."""
        self._change(lambda kept: saying(kept, processors=(*said_of(kept).processors, func)))

    def add_error_processor(self, func: Processor, cls: type[BaseException] | None = None) -> None:
        """Have a function see, change or drop each error, or those of a class."""
        wanted = cls or BaseException

        def process(event: dict[str, Any], hint: dict[str, Any]) -> Any:
            info = hint.get("exc_info") or (None, None, None)
            return func(event, info) if isinstance(info[1], wanted) else event  # type: ignore[arg-type]

        self.add_event_processor(process)

    @guarded
    def update_from_kwargs(self, **said: Any) -> None:
        """Take what was said about one capture."""
        for name in _SAID:
            value = said.get(name)
            if value is None:
                continue
            if name in {"contexts", "extras"}:
                one = self.set_context if name == "contexts" else self.set_extra
                for key, entry in value.items():
                    one(key, entry)
            else:
                getattr(self, f"set_{name}")(value)

    @guarded
    def update_from_scope(self, scope: Scope) -> None:
        """Take what another scope says."""
        from .layers import joined

        other = scope._layer.read()
        self._change(lambda kept: joined(kept, other))

    def _change(self, change: Change) -> None:
        self._layer.change(change)

    # --- sessions and traces -------------------------------------------------------------------

    def start_session(self, session_mode: str = "application", **_: Any) -> None:
        """Begin a session."""
        from qmon_sdk.sessions import start_session

        start_session(mode=session_mode)

    def end_session(self, *_: Any, **__: Any) -> None:
        """End it."""
        from qmon_sdk.sessions import end_session

        end_session()

    @property
    def span(self) -> Span | None:
        """The open span, if there is one."""
        from .tracing import get_current_span

        return get_current_span()

    @property
    def transaction(self) -> Span | None:
        """The open transaction, if there is one."""
        span = self.span
        return None if span is None else span.containing_transaction

    @transaction.setter
    def transaction(self, name: Any) -> None:
        self.set_transaction_name(label(name))

    level = property(None, lambda self, value: self.set_level(value))
    user = property(None, lambda self, value: self.set_user(value))
    fingerprint = property(None, lambda self, value: self.set_fingerprint(value))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


_CURRENT = Scope(layer=CURRENT)
_ISOLATION = Scope(layer=ISOLATION)
_GLOBAL = Scope(layer=GLOBAL)
