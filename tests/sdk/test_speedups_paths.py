"""The accelerator's name for the path an exception took: one for each path, or left to Python."""

from __future__ import annotations

from qmon_sdk.anatomy import _key_of


def raising(depth, kind=LookupError):
    if depth:
        return raising(depth - 1, kind)
    if kind is KeyError:
        raise kind("elsewhere")
    raise kind("here")


def raised(depth, kind=LookupError):
    try:
        raising(depth, kind)
    except Exception as error:  # noqa: BLE001 - it is what is looked at
        return error


class TestPathKey:
    def test_is_one_for_each_path(self, compiled):
        ways = [
            (3, LookupError),
            (4, LookupError),
            (3, KeyError),
            (3, ValueError),
            (3, LookupError),
        ]
        quick = [compiled.path_key(raised(*way)) for way in ways]
        slow = [_key_of(raised(*way)) for way in ways]

        assert 4 == len({*quick}) == len({*slow})
        assert quick[0] == quick[-1]
        assert quick[0][1] == b"".join(number.to_bytes(8, "little") for number in slow[0][2:])

    def test_is_left_to_python_where_an_exception_is_not_alone(self, compiled):
        caused, around = raised(1), raised(1)
        caused.__cause__, around.__context__ = raised(2), raised(2)
        for error in (caused, around, ExceptionGroup("several", [raised(1)]), "no exception"):
            assert compiled.path_key(error) is None

    def test_of_what_was_never_raised_is_its_type(self, compiled):
        assert (ValueError, b"") == compiled.path_key(ValueError())
