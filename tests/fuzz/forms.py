"""One input, several readers: the first byte says which of them gets the text behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def by_first_byte(
    forms: Sequence[Callable[[str], object]], *expected: type[Exception]
) -> Callable[[bytes], None]:
    """A target for these readers, which may raise what is expected, with a sentence in it."""

    def one_input(data: bytes) -> None:
        if not data:
            return
        try:
            forms[data[0] % len(forms)](data[1:].decode("utf-8", "replace"))
        except expected as problem:
            assert str(problem)

    return one_input
