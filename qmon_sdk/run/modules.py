"""`--instrument MODULE`: the public functions of whole modules become spans."""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType

from qmon_sdk.client import guarded
from qmon_sdk.decorators import instrument
from qmon_sdk.integrations._imports import Imports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def instrument_when_imported(names: Iterable[str]) -> None:
    """Instrument these modules, those that are there now and the others after their import."""
    imports = Imports()
    for name in names:
        imports.when_imported(name, partial(_instrument, name))


@guarded
def _instrument(name: str) -> None:
    """Decorate what the module defines itself; what it has imported is another module's."""
    module = sys.modules[name]
    for own, value in list(vars(module).items()):
        is_its_own = type(value) is FunctionType and value.__module__ == name
        if is_its_own and not own.startswith("_"):
            setattr(module, own, instrument(value))
