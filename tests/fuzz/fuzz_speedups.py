"""Coverage-guided fuzzing of the accelerator beside pure Python: `nox -s fuzz`.

A finding is a difference, a crash, or any exception that only one of the two raises. The bytes are
a program: which operation comes next, and on which value, a hostile one every now and then.
"""

from __future__ import annotations

import sys
from functools import partial

import atheris

with atheris.instrument_imports():
    from qmon_sdk.fold import PureShelf
    from qmon_sdk.protocol.columns import PURE_WRITERS, accelerated
    from qmon_sdk.protocol.frames import pack
    from qmon_sdk.series import KINDS, PurePending, part_of

import qmon_sdk as qmon
from qmon_sdk import _speedups

IN_C = accelerated(_speedups)
ROLES = sorted(PURE_WRITERS)


class Hostile:
    """Raises wherever it is looked at, in the way it was told to."""

    def __init__(self, error):
        self.error = error

    def __float__(self):
        raise self.error

    __int__ = __index__ = __str__ = __repr__ = __bool__ = __len__ = __float__

    def __hash__(self):
        raise self.error

    def __radd__(self, other):
        return 0


def value_from(data):
    makers = (
        data.ConsumeFloat,
        lambda: data.ConsumeInt(9),
        lambda: data.ConsumeIntInRange(-2, 2),
        data.ConsumeBool,
        lambda: data.ConsumeUnicode(4),
        lambda: {data.ConsumeUnicode(2): data.ConsumeUnicode(2)},
        lambda: {data.ConsumeInt(5): data.ConsumeInt(9)},
        lambda: data.PickValueInList([None, 10**400, 1j, b"1", [], ("a",), {}, {"a": "b"}, "a"]),
        lambda: Hostile(data.PickValueInList([TypeError("t"), KeyError("k"), OverflowError("o")])),
    )
    return makers[data.ConsumeIntInRange(0, len(makers) - 1)]()


def outcome(act):
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - which one it is, is the point
        return type(error)


def folds(data):
    """Values folded by both are the same part."""
    values = [value_from(data) for _ in range(data.ConsumeIntInRange(0, 12))]
    kind = data.PickValueInList(list(KINDS))

    def folded(pending):
        pending.limit = 100
        for value in values:
            pending.add(value)
        taken = pending.taken(kind)
        return None if taken is None else repr(part_of(taken, kind))

    assert outcome(lambda: folded(PurePending())) == outcome(lambda: folded(_speedups.Pending()))


def writes(data):
    """Columns written by both are the same bytes."""
    role = data.PickValueInList(ROLES)
    few = [value_from(data) for _ in range(data.ConsumeIntInRange(1, 4))]
    values = tuple(data.PickValueInList(few) for _ in range(data.ConsumeIntInRange(0, 9)))

    def written(writers):
        return pack(writers[role](values))

    assert outcome(lambda: written(PURE_WRITERS)) == outcome(lambda: written(IN_C))


def shelves(data):
    """What is said leads to the same series."""
    said = [
        (data.ConsumeUnicode(1), {data.ConsumeUnicode(1): value_from(data)})
        for _ in range(data.ConsumeIntInRange(0, 5))
    ]
    assert found(PureShelf, PurePending, said) == found(_speedups.Shelf, _speedups.Pending, said)


def found(shelf, pending, said):
    class Learning(shelf):
        missing = 0

        def missed(self, key, name, unit, attributes):
            self.missing += 1
            series = pending()
            series.limit = 9
            try:
                self.known[key] = series
            except TypeError:
                pass
            return series

    learning = Learning()
    ends = [outcome(partial(learning.add, name, attributes=labels)) for name, labels in said]
    return ends, learning.missing


@qmon.instrument
def through(value, act):
    return act(value)


def calls(data):
    """A call through the wrapper ends as the call itself does, whatever is done inside."""
    value, act = value_from(data), data.PickValueInList([str, float, len, hash, type, repr])
    assert outcome(lambda: act(value)) == outcome(lambda: through(value, act))
    assert outcome(lambda: through(value, act=act, more=1)) is TypeError


def one_input(data: bytes) -> None:
    """Run the program that the bytes are."""
    provider = atheris.FuzzedDataProvider(data)
    for _ in range(4):
        provider.PickValueInList([folds, writes, shelves, calls])(provider)


if __name__ == "__main__":
    qmon.init(service="fuzz", dsn="memory:", integrations=())
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
