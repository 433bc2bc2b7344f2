"""Card numbers, known among other numbers by who issues them and by their last digit."""

from __future__ import annotations

from .rendering import HIDDEN

CARD_DIGITS = range(13, 20)
CARDS_FROM = 2 * 10**12
"""Smaller numbers are no card's; the accelerator has the same figure."""

DIGITS = r"[0-9](?:[ -]?[0-9]){12,}+"
"""Digits among which may be a card number."""

HINT = r"[2-6][0-9](?:[ -]?[0-9]){11}"
"""Where one may begin: the quick look."""

_GROUPS = 5  # as cards are printed: 4-4-4-4, 4-6-5, 4-4-4-4-3
_LEADING = 4
_ISSUED = (
    (2200, 2204, range(16, 20)),  # Mir
    (2221, 2720, (16,)),  # Mastercard
    (3000, 3059, range(14, 20)),  # Diners Club
    (3400, 3499, (15,)),  # American Express
    (3528, 3589, range(16, 20)),  # JCB
    (3600, 3699, range(14, 20)),  # Diners Club
    (3700, 3799, (15,)),  # American Express
    (3800, 3999, range(14, 20)),  # Diners Club
    (4000, 4999, (13, 16, 19)),  # Visa
    (5000, 5099, CARD_DIGITS),  # Maestro, Elo, RuPay
    (5100, 5599, (16,)),  # Mastercard
    (5600, 5899, CARD_DIGITS),  # Maestro
    (6000, 6999, CARD_DIGITS),  # Discover, Maestro, RuPay, UnionPay
)
"""The first four digits, from and to, and how many there are in all."""

_FIRST = "23456"


def shown(number: float) -> str:
    """Write a number, unless it is a card's."""
    text = repr(number)
    return HIDDEN if number >= CARDS_FROM and _is_card(text.removesuffix(".0")) else text


def without_cards(digits: str, *, glued: bool = False) -> str:
    """Hide the groups of digits that make a card number.

    `glued` says that the first group is the end of something else: a word, a fraction.
    """
    groups = digits.replace("-", " ").split(" ")
    kept, place, at = "", 0, 0
    while place < len(groups):
        length = 0 if glued and place == 0 else _card_at(groups, place)
        taken = groups[place : place + max(length, 1)]
        end = at + sum(map(len, taken)) + len(taken) - 1
        kept += (HIDDEN if length else digits[at:end]) + digits[end : end + 1]
        place, at = place + len(taken), end + 1
    return kept


def _card_at(groups: list[str], first: int) -> int:
    """Count the groups, from this one on, that make a card number; 0 when none does."""
    number = ""
    for place, group in enumerate(groups[first : first + _GROUPS]):
        number += group
        if _is_card(number):
            return place + 1
    return 0


def _is_card(number: str) -> bool:
    """Ask first what most numbers answer: times begin with 1."""
    if len(number) not in CARD_DIGITS or number[0] not in _FIRST:
        return False
    return _is_issued(number) and _passes_luhn(number)


def _is_issued(number: str) -> bool:
    leading = number[:_LEADING]
    return leading.isdigit() and any(
        first <= int(leading) <= last and len(number) in lengths for first, last, lengths in _ISSUED
    )


def _passes_luhn(digits: str) -> bool:
    if not digits.isdigit():
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the sum of its two digits
    return total % 10 == 0
