"""The scope: copy-on-write, bounded, and silent in foreign contexts."""

from __future__ import annotations

import asyncio
import threading

import pytest

from qmon_sdk.context import (
    EMPTY,
    MAX_ENTRIES,
    SCOPE,
    new_scope,
    set_context,
    set_flag,
    set_tag,
    set_tags,
    set_user,
)


@pytest.fixture(autouse=True)
def empty_scope():
    SCOPE.set(EMPTY)
    yield
    SCOPE.set(EMPTY)


class TestScope:
    def test_a_change_makes_another_and_leaves_the_old_alone(self):
        before = SCOPE.get()
        set_tag("plan", "pro")
        assert before.tags == {}
        assert SCOPE.get().tags == {"plan": "pro"}

    def test_a_user_is_known_by_id_and_forgotten_by_none(self):
        set_user({"id": 7, "email": "a@b.example"})
        assert SCOPE.get().user_id == "7"
        set_user(None)
        assert (SCOPE.get().user_id, SCOPE.get().user) == ("", {})

    def test_a_text_is_the_id_of_a_user(self):
        set_user("ada")
        assert (SCOPE.get().user_id, SCOPE.get().user) == ("ada", {"id": "ada"})
        set_user("")
        assert (SCOPE.get().user_id, SCOPE.get().user) == ("", {})

    def test_values_are_snapshots_of_text(self):
        basket = {"items": [1, 2], "gift": True}
        set_context("basket", basket)
        basket["items"].append(3)
        assert SCOPE.get().contexts == {"basket": {"items": "[1, 2]", "gift": "true"}}

    def test_a_context_of_none_is_removed(self):
        set_context("basket", {"items": 1})
        set_context("basket", None)
        assert SCOPE.get().contexts == {}

    def test_the_newest_entries_stay_when_there_are_too_many(self):
        for number in range(MAX_ENTRIES + 5):
            set_tag(f"tag-{number}", number)
            set_flag(f"flag-{number}", value=True)
        scope = SCOPE.get()
        assert len(scope.tags) == len(scope.flags) == MAX_ENTRIES
        assert "tag-4" not in scope.tags
        assert f"tag-{MAX_ENTRIES + 4}" in scope.tags

    def test_long_values_are_cut_and_strange_ones_described(self):
        class Strange:
            def __str__(self):
                raise RuntimeError("never called")

        set_tags({"long": "x" * 10_000, "strange": Strange(), "nothing": None})
        tags = SCOPE.get().tags
        assert len(tags["long"]) == 1024
        assert "Strange" in tags["strange"]
        assert "nothing" not in tags


class TestNewScope:
    def test_what_is_set_inside_stays_inside(self):
        set_tag("outside", 1)
        with new_scope(tags={"inside": 2}) as scope:
            set_tag("deeper", 3)
            assert scope.tags == {"outside": "1", "inside": "2"}
        assert SCOPE.get().tags == {"outside": "1"}

    def test_a_fresh_one_knows_nothing_of_the_outside(self):
        set_user({"id": 1})
        with new_scope(fresh=True, user={"id": 2}) as scope:
            assert scope.user_id == "2"
        assert SCOPE.get().user_id == "1"

    async def test_it_is_an_async_context_manager_too(self):
        async with new_scope(flags={"new-till": True}) as scope:
            await asyncio.sleep(0)
            assert scope.flags == {"new-till": "true"}
        assert SCOPE.get().flags == {}

    def test_blocks_that_end_in_the_wrong_order_leave_no_trace(self):
        outer, inner = new_scope(tags={"a": 1}), new_scope(tags={"b": 2})
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        inner.__exit__(None, None, None)
        assert SCOPE.get() is EMPTY

    async def test_closing_a_generator_in_another_task_is_silent(self):
        async def numbers():
            with new_scope(tags={"generator": "yes"}):
                yield 1
                yield 2

        stream = numbers()
        await asyncio.create_task(anext(stream))
        set_tag("ours", "kept")
        await stream.aclose()
        assert SCOPE.get().tags == {"ours": "kept"}


class TestNoBleed:
    async def test_between_ten_thousand_tasks(self):
        async def work(number):
            async with new_scope(user={"id": number}):
                await asyncio.sleep(0)
                set_tag("number", number)
                await asyncio.sleep(0)
                scope = SCOPE.get()
                return scope.user_id == scope.tags["number"] == str(number)

        assert all(await asyncio.gather(*(work(number) for number in range(10_000))))
        assert SCOPE.get() is EMPTY

    def test_between_threads(self):
        seen = {}

        def work(number):
            set_user({"id": number})
            barrier.wait(10)
            seen[number] = SCOPE.get().user_id

        barrier = threading.Barrier(20)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == {number: str(number) for number in range(20)}
        assert SCOPE.get() is EMPTY
