"""What `OTEL_PYTHON_CONTEXT=qmon` names, asked for while OpenTelemetry is being imported."""

from __future__ import annotations

import opentelemetry.context as api
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context


class LateRuntimeContext(ContextVarsRuntimeContext):
    """Becomes what stands behind qmon's own context, with the first use."""

    def attach(self, context: Context) -> Token[Context]:
        """Take a context."""
        if self._is_first():
            return api.attach(context)
        return super().attach(context)

    def get_current(self) -> Context:
        """Return the context."""
        if self._is_first():
            return api.get_current()
        return super().get_current()

    def _is_first(self) -> bool:
        """Have qmon's context take this one's place, if it has not yet."""
        if getattr(api, "_RUNTIME_CONTEXT", None) is not self:
            return False
        from .context import take_over

        take_over()
        return True
