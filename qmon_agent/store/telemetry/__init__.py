"""The telemetry store: signals in tables, kept by a worker process of their own."""

from .answers import Column as Column
from .answers import QueryResult as QueryResult
from .answers import StateTable as StateTable
from .answers import StoreStatus as StoreStatus
from .client import TelemetryStore as TelemetryStore
from .listeners import Listeners as Listeners
from .options import TelemetryOptions as TelemetryOptions
from .options import dialect_of as dialect_of
from .options import directory_of as directory_of
from .options import missing_packages as missing_packages
from .options import places_of as places_of
from .options import with_memory as with_memory
from .readonly import ReadOnlyStore as ReadOnlyStore
from .readonly import open_readonly as open_readonly
