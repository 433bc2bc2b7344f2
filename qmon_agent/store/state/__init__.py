"""State: what is small, related and must never be lost; SQLite now, other engines later."""

from .store import StateStatus as StateStatus
from .store import StateStore as StateStore
from .store import path_of as path_of
from .views import VIEWS as VIEWS
