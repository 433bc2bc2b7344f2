"""How small and how large an option may be, said once, with the option's type."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Amount = Annotated[int, Meta(ge=1)]
"""Of something that has to be there: series, connections, rows."""
Bytes = Annotated[int, Meta(ge=1)]
"""A size that nothing fits into if it is none."""
Rate = Annotated[float, Meta(gt=0)]
"""So many a second."""
Seconds = Annotated[float, Meta(gt=0)]
"""A time in which something can be done."""
Port = Annotated[int, Meta(ge=1, le=65_535)]
"""Where somebody may be asked."""
