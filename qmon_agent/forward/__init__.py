"""Forward: gives every committed signal to other systems as well, each at its own pace."""

from .batch import Batch as Batch
from .forwarder import Forwarder as Forwarder
from .forwarder import Supply as Supply
from .pace import Pace as Pace

__all__ = ["Batch", "Forwarder", "Pace", "Supply"]
