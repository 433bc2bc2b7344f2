"""State: what is small, related and must never be lost; a file of SQLite, or PostgreSQL."""

from .examining import Examined as Examined
from .examining import examine as examine
from .examining import is_there as is_there
from .homes import home_of as home_of
from .homes import path_of as path_of
from .store import StateStatus as StateStatus
from .store import StateStore as StateStore
from .views import VIEWS as VIEWS
