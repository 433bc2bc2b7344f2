"""Watch a Python program from the inside: `import qmon_sdk as qmon`."""

from .context import add_breadcrumb as add_breadcrumb
from .context import new_scope as new_scope
from .context import set_context as set_context
from .context import set_flag as set_flag
from .context import set_tag as set_tag
from .context import set_tags as set_tags
from .context import set_user as set_user
from .decorators import instrument as instrument
from .spans import current_span as current_span
from .spans import span as span
