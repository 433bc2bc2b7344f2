"""Where the shop is paid: the bug is planted here."""

from __future__ import annotations

import random
import time

import qmon_sdk as qmon

COUPONS = {"WELCOME": 0.1}  # planted: the summer campaign is over, its links are not
_DECLINED = 0.04
_CHANCE = random.Random(7)


class PaymentError(Exception):
    """The bank said no."""


def discount(amount: float, coupon: str) -> float:
    """Take off what the coupon promises."""
    if coupon:
        amount *= 1 - COUPONS[coupon]
    return round(amount, 2)


@qmon.instrument(kind="client")
def pay(amount: float) -> None:
    """Ask the bank."""
    time.sleep(_CHANCE.uniform(0.002, 0.008))
    if _CHANCE.random() < _DECLINED:
        raise PaymentError(f"the bank declined {amount}")
