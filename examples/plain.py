"""A plain program that knows nothing of qmon: start it with `qmon-run -- python examples/plain.py`.

It keeps a small shop's orders in SQLite, logs what it does, handles one error and dies of another.
"""

from __future__ import annotations

import logging
import sqlite3

log = logging.getLogger("shop")

ORDERS = (("ann", 3, 250), ("bob", 1, 1900), ("cem", 0, 120))


def open_shop() -> sqlite3.Connection:
    """Begin with empty books."""
    books = sqlite3.connect(":memory:")
    books.execute("CREATE TABLE orders (customer TEXT, pieces INTEGER, cents INTEGER)")
    return books


def take_order(books: sqlite3.Connection, customer: str, pieces: int, cents: int) -> None:
    """Write an order down; nobody orders nothing."""
    if pieces < 1:
        raise ValueError("an order of no pieces")
    books.execute("INSERT INTO orders VALUES (?, ?, ?)", (customer, pieces, cents))
    log.info("%s ordered %d pieces", customer, pieces)


def revenue(books: sqlite3.Connection) -> int:
    """Add everything up."""
    (total,) = books.execute("SELECT sum(pieces * cents) FROM orders").fetchone()
    return int(total)


def ship(address: dict[str, str]) -> str:
    """Send it off."""
    return f"to {address['street']}"


def main() -> None:
    """Take today's orders, and ship one to an address without a street."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    books = open_shop()
    for customer, pieces, cents in ORDERS:
        try:
            take_order(books, customer, pieces, cents)
        except ValueError:
            log.exception("order of %s refused", customer)
    log.warning("revenue of %d cents", revenue(books))
    ship({"name": "ann"})


if __name__ == "__main__":
    main()
