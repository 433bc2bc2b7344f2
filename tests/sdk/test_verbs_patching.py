"""Patches go on once and come off without a trace."""

from __future__ import annotations

import types

import pytest

from qmon_sdk.patching import patch, patch_attribute, unpatch, when_imported


class Till:
    @classmethod
    def kind(cls):
        return cls.__name__

    @staticmethod
    def currency():
        return "EUR"

    def pay(self, amount):
        return amount


class Kiosk(Till):
    pass


@pytest.fixture
def shop():
    module = types.ModuleType("shop")
    module.Till = type("Till", (Till,), {"pay": Till.pay, "kind": vars(Till)["kind"]})
    return module


def doubling(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs) * 2


class TestPatch:
    def test_wraps_once_however_often_it_is_put_on(self, shop):
        first = patch_attribute(shop, "Till.pay", doubling)
        assert patch_attribute(shop, "Till.pay", doubling) is first
        first.put_on()
        assert shop.Till().pay(3) == 6

    def test_comes_off_without_a_trace(self, shop):
        original = vars(shop.Till)["pay"]
        unpatch(patch_attribute(shop, "Till.pay", doubling))
        assert vars(shop.Till)["pay"] is original

    def test_leaves_no_copy_of_an_inherited_method(self):
        applied = patch_attribute(Kiosk, "pay", doubling)
        assert Kiosk().pay(1) == 2
        unpatch(applied)
        assert "pay" not in vars(Kiosk)

    def test_works_on_class_and_static_methods(self, shop):
        patches = [patch_attribute(shop, f"Till.{name}", doubling) for name in ("kind", "currency")]
        assert (shop.Till.kind(), shop.Till().currency()) == ("TillTill", "EUREUR")
        for applied in patches:
            applied.remove()
        assert (shop.Till.kind(), shop.Till.currency()) == ("Till", "EUR")

    def test_steps_aside_inside_of_somebody_elses(self, shop):
        applied = patch_attribute(shop, "Till.pay", doubling)
        ours = shop.Till.pay
        shop.Till.pay = lambda till, amount: ours(till, amount) + 1
        applied.take_off()
        assert shop.Till().pay(3) == 4

    def test_names_what_is_not_there(self, shop):
        with pytest.raises(AttributeError, match="refund"):
            patch_attribute(shop, "Till.refund", doubling)

    def test_takes_a_target_as_text(self):
        applied = patch("textwrap:dedent", doubling)
        import textwrap

        assert textwrap.dedent("a") == "aa"
        unpatch(applied)
        assert textwrap.dedent("a") == "a"


class TestWhenImported:
    def test_calls_at_once_for_what_is_imported(self):
        seen = []
        when_imported("types", seen.append)
        assert seen == [types]

    def test_calls_later_for_what_is_not(self, tmp_path, monkeypatch):
        (tmp_path / "late_shop_module.py").write_text("open = True\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        seen = []
        when_imported("late_shop_module", seen.append)
        assert seen == []
        import late_shop_module

        assert seen == [late_shop_module]
