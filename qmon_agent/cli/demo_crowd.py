"""Simulated users: a bounded number of them at once, each visit by somebody new, loopback only."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, urlencode

AT_ONCE = 8
_THINKING_S = (0.02, 0.2)
_TIMEOUT_S = 10.0
_PRODUCTS = 200
# What visitors do, and how likely: the funnel, the slow path and the bug come from these.
_SLOW_SEARCH, _GOES_TO_CART, _GOES_TO_TILL, _EXPIRED_COUPON = 0.12, 0.7, 0.75, 0.12


class Crowd:
    """Visitors that come, look, buy and go until they are told to stop."""

    def __init__(self, port: int, *, seed: int = 1) -> None:
        self._port = port
        self._seed = seed
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._queue, args=(number,), daemon=True)
            for number in range(AT_ONCE)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let everybody finish their request and go."""
        self._over.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_TIMEOUT_S)

    def _queue(self, number: int) -> None:
        chance = random.Random(self._seed * 1_000 + number)
        visit = 0
        while not self._over.is_set():
            visit += 1
            try:
                Visitor(f"user-{number}-{visit}", chance, self._ask).visit()
            except (OSError, http.client.HTTPException):
                self._over.wait(0.5)  # the shop is busy, or closing

    def _ask(self, user: str, chance: random.Random, *question: str, body: str = "") -> None:
        """Think a while, then ask the shop."""
        if self._over.wait(chance.uniform(*_THINKING_S)):
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        headers = {"X-User": user, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            method, path = question
            connection.request(method, path, body, headers)
            connection.getresponse().read()
        finally:
            connection.close()


class Visitor:
    """Somebody, from the front page to wherever they lose interest."""

    def __init__(self, user: str, chance: random.Random, ask: Callable[..., None]) -> None:
        self._chance = chance
        self._ask = partial(ask, user, chance)

    def visit(self) -> None:
        """Look for something, look at it, and perhaps buy it."""
        number = self._chance.randint(1, _PRODUCTS)
        words = "*" if self._does(_SLOW_SEARCH) else str(number)
        self._ask("GET", "/")
        self._ask("GET", f"/search?q={quote(words)}")
        self._ask("GET", f"/products/{number}")
        if self._does(_GOES_TO_CART):
            self._ask("POST", f"/cart/{number}")
            if self._does(_GOES_TO_TILL):
                self._pay(number)

    def _pay(self, number: int) -> None:
        coupon = "SUMMER" if self._does(_EXPIRED_COUPON) else ""
        self._ask("POST", "/checkout", body=urlencode({"item": number, "coupon": coupon}))

    def _does(self, likely: float) -> bool:
        return self._chance.random() < likely
