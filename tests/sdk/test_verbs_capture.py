"""What becomes of an exception."""

from __future__ import annotations

import gc
import json
import pickle
import weakref

import pytest

import qmon_sdk as qmon
from qmon_sdk.captures import MARK
from qmon_sdk.testing import capture


def failing(depth=0, password="hunter2", basket=(1, 2)):
    if depth:
        return failing(depth - 1)
    raise ValueError("no such order")


def caught(function=failing, *args):
    try:
        function(*args)
    except Exception as error:  # noqa: BLE001
        return error


def chain_of(error):
    return json.loads(error.stack)["chain"]


class TestCaptureException:
    def test_keeps_the_exception_being_handled(self, qmon_capture):
        try:
            failing()
        except ValueError:
            error_id = qmon.capture_exception()
        (error,) = qmon_capture.errors
        assert (error.error_id, error.type, error.message) == (
            error_id,
            "ValueError",
            "no such order",
        )
        assert (error.level, error.handled) == ("error", True)
        assert error.culprit.endswith(".failing")

    def test_answers_none_when_there_is_nothing_to_keep(self, qmon_capture):
        assert qmon.capture_exception() is None
        assert qmon_capture.errors == []

    def test_is_silent_before_init(self):
        assert qmon.capture_exception(ValueError()) is None
        assert qmon.capture_message("hello") is None

    def test_makes_one_error_of_one_object(self, qmon_capture):
        error = caught()
        assert qmon.capture_exception(error) == qmon.capture_exception(error)
        again = pickle.loads(pickle.dumps(error))
        assert qmon.capture_exception(again) == vars(error)[MARK]
        assert len(qmon_capture.errors) == 1

    def test_marks_exceptions_that_refuse_attributes(self, qmon_capture):
        class FrozenError(Exception):
            __slots__ = ()

            def __setattr__(self, name, value):
                raise AttributeError(name)

        error = FrozenError()
        assert qmon.capture_exception(error) == qmon.capture_exception(error)
        assert len(qmon_capture.errors) == 1

    def test_keeps_nothing_of_the_exception_alive(self, qmon_capture):
        class Basket:
            pass

        error = caught()
        error.basket = Basket()
        basket = weakref.ref(error.basket)
        qmon.capture_exception(error)
        del error
        gc.collect()
        assert basket() is None

    def test_takes_what_is_said_about_this_error_only(self, qmon_capture):
        qmon.capture_exception(caught(), level="fatal", user={"id": 7}, order=12, handled=False)
        (error,) = qmon_capture.errors
        assert (error.level, error.user_id, error.handled) == ("fatal", "7", False)
        assert error.attributes == {"tag.order": "12", "user.id": "7"}

    def test_carries_what_the_scope_knows(self, qmon_capture):
        with qmon.new_scope(fresh=True, tags={"plan": "pro"}, flags={"new-till": True}):
            qmon.set_context("basket", {"items": 2, "token": "t"})
            qmon.add_breadcrumb("opened till", category="ui", data={"till": 4})
            qmon.capture_exception(caught(), attributes={"http.route": "/pay"})
        (error,) = qmon_capture.errors
        (crumb,) = json.loads(error.attributes.pop("breadcrumbs"))
        assert (crumb["message"], crumb["data"]) == ("opened till", {"till": "4"})
        assert error.attributes == {
            "http.route": "/pay",
            "tag.plan": "pro",
            "flag.new-till": "true",
            "context.basket": '{"items":"2","token":"[scrubbed]"}',
        }

    def test_belongs_to_the_span_it_happened_in(self, qmon_capture):
        with qmon.span("pay") as span:
            qmon.capture_exception(caught())
        (error,) = qmon_capture.errors
        assert (error.trace_id, error.span_id) == (span.trace_id, span.span_id)

    def test_is_loud_about_what_is_no_exception_where_somebody_looks(self, qmon_capture):
        with pytest.raises(TypeError, match="takes an exception, not str"):
            qmon.capture_exception("oops")


class TestStack:
    def test_tells_frames_with_source_and_variables_outermost_first(self, qmon_capture):
        qmon.capture_exception(caught())
        (link,) = chain_of(*qmon_capture.errors)
        outer, inner = link["frames"]
        assert (outer["function"], inner["function"]) == ("caught", "failing")
        assert inner["code"].strip() == 'raise ValueError("no such order")'
        assert inner["pre"][-1].strip() == "return failing(depth - 1)"
        assert inner["in_app"] is True
        assert inner["locals"] == {"depth": "0", "basket": "(1, 2)", "password": "[scrubbed]"}

    def test_tells_causes_and_contexts_in_order(self, qmon_capture):
        def chained():
            try:
                failing()
            except ValueError as error:
                try:
                    raise KeyError("order")
                except KeyError:
                    raise RuntimeError("gone") from error

        qmon.capture_exception(caught(chained))
        links = chain_of(*qmon_capture.errors)
        assert [link["type"] for link in links] == ["RuntimeError", "ValueError"]
        assert links[1]["relation"] == "cause"

    def test_leaves_out_a_context_that_is_suppressed(self, qmon_capture):
        def replaced():
            try:
                failing()
            except ValueError:
                raise RuntimeError("other") from None

        qmon.capture_exception(caught(replaced))
        assert [link["type"] for link in chain_of(*qmon_capture.errors)] == ["RuntimeError"]

    def test_survives_a_chain_that_bites_its_tail(self, qmon_capture):
        first, second = ValueError("a"), KeyError("b")
        first.__cause__, second.__cause__ = second, first
        qmon.capture_exception(first)
        assert len(chain_of(*qmon_capture.errors)) == 2

    def test_tells_the_members_of_groups_and_notes(self, qmon_capture):
        group = ExceptionGroup("two", [caught(), ExceptionGroup("inner", [KeyError("x")])])
        group.add_note("while closing the till")
        qmon.capture_exception(group)
        (link,) = chain_of(*qmon_capture.errors)
        assert link["notes"] == ["while closing the till"]
        assert [member["type"] for member in link["group"]] == ["ValueError", "ExceptionGroup"]
        assert link["group"][1]["group"][0]["value"] == "'x'"

    def test_is_bounded_for_huge_groups_and_deep_recursion(self, qmon_capture):
        group = ExceptionGroup("many", [ValueError(number) for number in range(10_000)])
        for _ in range(50):
            group = ExceptionGroup("deeper", [group] * 50)
        qmon.capture_exception(group)
        qmon.capture_exception(caught(failing, 500))
        first, second = qmon_capture.errors
        assert len(first.stack) < 20_000
        (link,) = chain_of(second)
        assert len(link["frames"]) == 60
        assert link["omitted"] == 442

    def test_says_what_each_one_said_however_often_the_path_is_taken(self, qmon_capture):
        said = ["one", "one", "password=tiger", "one", "password=tiger"]
        for text in said:
            try:
                raise LookupError(text)
            except LookupError as error:
                qmon.capture_exception(error)
        hidden = [text.replace("tiger", "[scrubbed]") for text in said]
        assert [error.message for error in qmon_capture.errors] == hidden

    def test_tells_frames_only_of_what_was_seen_before(self, qmon_capture):
        for _ in range(5):
            qmon.capture_exception(caught())
        errors = qmon_capture.errors
        full = [error for error in errors if '"locals"' in error.stack]
        assert len(full) == 3
        short = json.loads(errors[-1].stack)
        assert short["like"] == full[-1].error_id
        assert [frame["function"] for frame in short["chain"][0]["frames"]] == ["caught", "failing"]
        assert len({error.grouping for error in errors}) == 1

    def test_never_runs_the_code_of_what_it_shows(self, qmon_capture):
        class Loud:
            def __repr__(self):
                raise RuntimeError("ran")

            __str__ = __getattr__ = __repr__

        def holding():
            loud = Loud()  # noqa: F841 - it is shown
            raise ValueError("held")

        qmon.capture_exception(caught(holding))
        (link,) = chain_of(*qmon_capture.errors)
        assert "Loud" in link["frames"][-1]["locals"]["loud"]

    def test_shows_small_variables_beside_big_ones(self, qmon_capture):
        def heavy():
            everything = list(range(1_000_000))
            order = 12  # noqa: F841 - it is shown
            raise ValueError(len(everything))

        qmon.capture_exception(caught(heavy))
        (link,) = chain_of(*qmon_capture.errors)
        shown = link["frames"][-1]["locals"]
        assert shown["order"] == "12"
        assert len(shown["everything"]) <= 300

    def test_survives_an_exception_that_cannot_say_what_it_is(self, qmon_capture):
        class MuteError(Exception):
            def __str__(self):
                raise RuntimeError

        qmon.capture_exception(MuteError())
        (error,) = qmon_capture.errors
        assert error.message == "<no text: its __str__ failed>"

    def test_survives_half_characters(self, qmon_capture):
        qmon.capture_exception(ValueError("half \ud800"), order="\ud800")
        (error,) = qmon_capture.errors
        assert error.message == "half ?"

    def test_shows_no_variables_when_told_not_to(self):
        with capture(include_local_variables=False) as told:
            qmon.capture_exception(caught())
            assert '"locals"' not in told.errors[0].stack


class TestControl:
    def test_before_send_changes_and_drops_and_what_it_drops_is_counted(self):
        def hook(error):
            return None if error.message == "drop" else error.replace(message="changed")

        with capture(before_send=hook) as told:
            assert qmon.capture_exception(ValueError("drop")) is None
            qmon.capture_exception(ValueError("keep"))
            assert [error.message for error in told.errors] == ["changed"]
            assert qmon.stats().dropped == {"error/before_send": 1}
            assert qmon.stats().captured["error"] == 2

    def test_sampling_counts_what_it_leaves_out(self):
        with capture(sample_rate=0.0) as told:
            assert qmon.capture_exception(caught()) is None
            assert told.errors == []
            assert qmon.stats().dropped == {"error/sample_rate": 1}
