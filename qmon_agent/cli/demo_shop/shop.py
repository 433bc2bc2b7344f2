"""The shop itself, instrumented as anybody would instrument theirs: the lines that say `qmon`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask, abort, request

import qmon_sdk as qmon
from qmon_agent.cli.demo_shop.goods import PRODUCTS, find, price_of
from qmon_agent.cli.demo_shop.till import PaymentError, discount, pay


def create_shop() -> Flask:
    """Build the application."""
    shop = Flask("shop")
    shop.before_request(_who_is_it)
    for rule, view, method in ROUTES:
        shop.add_url_rule(rule, view_func=_in_session(view), methods=[method])
    return shop


def _who_is_it() -> None:
    if user := request.headers.get("X-User"):
        qmon.set_user({"id": user})


def _in_session(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def answer(**arguments: Any) -> Any:
        with qmon.session(mode="request"):
            return view(**arguments)

    return answer


def home() -> dict[str, Any]:
    return {"products": len(PRODUCTS)}


def search() -> dict[str, Any]:
    words = request.args.get("q", "")
    with qmon.timer("search.seconds"):
        found = find(words)
    qmon.log.info("searched, {found} found", found=len(found))
    return {"found": found}


def product(number: int) -> dict[str, Any]:
    if number not in PRODUCTS:
        abort(404)
    qmon.track("view_product", {"product": number})
    return {"number": number, "price": price_of(number)}


def add_to_cart(number: int) -> dict[str, Any]:
    qmon.track("add_to_cart", {"product": number})
    return {"added": number}


def checkout() -> tuple[dict[str, Any], int]:
    items = [int(number) for number in request.form.getlist("item")]
    qmon.track("checkout", {"items": len(items)})
    amount = discount(sum(map(price_of, items)), request.form.get("coupon", ""))
    try:
        pay(amount)
    except PaymentError:
        qmon.capture_exception()
        return {"paid": False}, 402
    qmon.track("paid", {"amount": amount})
    qmon.count("orders.paid")
    qmon.distribution("orders.amount", amount, unit="EUR")
    return {"paid": True}, 200


ROUTES = (
    ("/", home, "GET"),
    ("/search", search, "GET"),
    ("/products/<int:number>", product, "GET"),
    ("/cart/<int:number>", add_to_cart, "POST"),
    ("/checkout", checkout, "POST"),
)
