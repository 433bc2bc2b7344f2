"""How alembic reaches the state database: through the connection `schema.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from qmon_agent.store.state.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
