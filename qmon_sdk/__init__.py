"""Watch a Python program from the inside: `import qmon_sdk as qmon`."""

from .context import add_breadcrumb as add_breadcrumb
from .context import new_scope as new_scope
from .context import set_context as set_context
from .context import set_flag as set_flag
from .context import set_tag as set_tag
from .context import set_tags as set_tags
from .context import set_user as set_user
from .decorators import instrument as instrument
from .metrics import count as count
from .metrics import distribution as distribution
from .metrics import gauge as gauge
from .metrics import histogram as histogram
from .metrics import timer as timer
from .middleware.asgi import asgi as asgi
from .middleware.wsgi import wsgi as wsgi
from .spans import current_span as current_span
from .spans import span as span
from .start import close as close
from .start import configure as configure
from .start import flush as flush
from .start import init as init
from .start import shutdown as shutdown
from .start import stats as stats
