"""State: what is small, related and must never be lost; SQLite now, PostgreSQL by the same words."""

from .store import StateStatus as StateStatus
from .store import StateStore as StateStore
from .views import VIEWS as VIEWS
