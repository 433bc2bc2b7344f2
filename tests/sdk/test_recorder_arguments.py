"""Arguments that are kept, however they were given."""

from __future__ import annotations

import pytest

import qmon_sdk as qmon


@qmon.instrument(record_args=True)
def order(item, plan="free", share=0.5):
    if item is None:
        raise LookupError(plan)
    return item, plan, share


@qmon.instrument(record_args=["share", "item", "share"])
def some(item, plan, share):
    return item, plan, share


class Shop:
    @qmon.instrument(record_args=["item"])
    def sell(self, item):
        return item


def kept(told, name):
    return [
        {key: text for key, text in span.attributes.items() if not key.startswith("code.")}
        for span in told.spans
        if span.name.endswith(name)
    ]


class TestArguments:
    def test_are_kept_given_by_place_by_name_or_not_at_all(self, told):
        assert (1, "pro", 2.5) == order(1, "pro", 2.5) == order(1, share=2.5, plan="pro")
        assert (1, "free", 0.5) == order(1)

        given = {"item": "1", "plan": "pro", "share": "2.5"}
        left = {"item": "1", "plan": "free", "share": "0.5"}
        assert [given, given, left] == kept(told, "order")

    def test_are_kept_of_calls_that_raise(self, told):
        for call in (
            lambda: order(None, "pro", True),
            lambda: order(item=None, plan="pro", share=True),
        ):
            with pytest.raises(LookupError, match="pro"):
                call()

        raised = {"plan": "pro", "share": "true", "error.type": "LookupError"}
        assert [raised, raised] == kept(told, "order")

    def test_are_those_that_were_named(self, told):
        some("a", "b", -7)
        some("a", "b", share=1 << 70)

        assert [{"share": "-7", "item": "a"}, {"share": str(1 << 70), "item": "a"}] == kept(
            told, "some"
        )

    def test_of_methods_are_found_at_their_place(self, told):
        assert "x" == Shop().sell("x") == Shop.sell(None, "x")

        assert [{"item": "x"}] * 2 == kept(told, "sell")

    def test_that_are_wrong_are_told_as_without_us(self, told):
        with pytest.raises(
            TypeError, match=r"order\(\) missing 1 required positional argument: 'item'"
        ):
            order()
        with pytest.raises(
            TypeError, match=r"order\(\) got an unexpected keyword argument 'other'"
        ):
            order(1, other=2)
        with pytest.raises(TypeError, match=r"order\(\) takes from 1 to 3 positional arguments"):
            order(1, 2, 3, 4)

    def test_are_written_without_their_secrets(self, told):
        order("4111 1111 1111 1111", "postgres://ada:secret@db/x", 4111111111111111)

        (attributes,) = kept(told, "order")
        assert not [text for text in attributes.values() if "4111" in text or "secret" in text]
