"""What can be done through a scope: the verbs, with the scope as one more that is listened to."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .spans import Span, Transaction


class Verbs:
    """Sentry has them on scopes and hubs as well as in the module."""

    __slots__ = ()

    def capture_exception(
        self, error: Any = None, scope: Any = None, **scope_kwargs: Any
    ) -> str | None:
        """Keep an exception."""
        from .capture import capture_exception

        return capture_exception(error, scope if scope is not None else self, **scope_kwargs)

    def capture_message(
        self, message: str, level: str | None = None, scope: Any = None, **scope_kwargs: Any
    ) -> str | None:
        """Keep a message."""
        from .capture import capture_message

        scope = scope if scope is not None else self
        return capture_message(message, level, scope, **scope_kwargs)

    def capture_event(
        self, event: Mapping[str, Any], hint: Any = None, scope: Any = None, **scope_kwargs: Any
    ) -> str | None:
        """Keep an event made by hand."""
        from .capture import capture_event

        scope = scope if scope is not None else self
        return capture_event(event, hint, scope, **scope_kwargs)

    @classmethod
    def last_event_id(cls) -> str | None:
        """Return the id of the last event this context kept."""
        from .bridge import last_event_id

        return last_event_id()

    def start_span(self, **kwargs: Any) -> Span:
        """Begin a span."""
        from .tracing import start_span

        return start_span(**kwargs)

    def start_transaction(self, transaction: Transaction | None = None, **kwargs: Any) -> Span:
        """Begin a transaction."""
        from .tracing import start_transaction

        return start_transaction(transaction, **kwargs)

    def continue_trace(self, environ_or_headers: Mapping[str, Any], **kwargs: Any) -> Transaction:
        """Make the transaction that goes on with a trace."""
        from .continuing import continue_trace

        return continue_trace(environ_or_headers, **kwargs)

    def get_traceparent(self, *_: Any, **__: Any) -> str | None:
        """Say where this is, as a `sentry-trace` header does."""
        from .continuing import get_traceparent

        return get_traceparent()

    def get_baggage(self, *_: Any, **__: Any) -> str | None:
        """Say what goes along, as a `baggage` header does."""
        from .continuing import get_baggage

        return get_baggage()

    def iter_trace_propagation_headers(self, *_: Any, **__: Any) -> Iterator[tuple[str, str]]:
        """Give the headers by which another process goes on with the trace."""
        from .continuing import headers_out

        return iter(headers_out().items())

    iter_headers = iter_trace_propagation_headers

    def trace_propagation_meta(self, *_: Any, **__: Any) -> str:
        """Write these headers as HTML, for a page to go on with the trace."""
        from .continuing import trace_propagation_meta

        return trace_propagation_meta()

    def add_attachment(self, *_: Any, **__: Any) -> None:
        """Do nothing, and count it: qmon keeps no attachments."""
        from .starting import not_kept

        not_kept("add_attachment")
