"""Frames read in their shape are written as frames that are read without one."""

from __future__ import annotations

import json

import pytest

from qmon_agent.ingest.exceptions import told_of
from qmon_agent.ingest.sentry.stacks import exceptions_of

FRAME = {
    "filename": "shop/pay.py",
    "abs_path": "/srv/shop/pay.py",
    "function": "charge",
    "module": "shop.pay",
    "lineno": 12,
    "in_app": True,
    "pre_context": ["def charge(order):", "    # now"],
    "context_line": "    raise ValueError(order)",
    "post_context": [],
    "vars": {"order": {"id": "7", "lines": ["1", "2"]}, "name": "'x'", "none": None},
}
FRAMES = {
    "usual": [FRAME],
    "met before": [FRAME, {**FRAME, "vars": {"order": "8"}}, {**FRAME, "vars": {}}],
    "elsewhere": [FRAME, {**FRAME, "lineno": 13}, {**FRAME, "in_app": False}],
    "bare": [{}, {"filename": "a.js"}, {"function": "f"}, {"abs_path": "", "filename": "b"}],
    "nothing in them": [dict.fromkeys(FRAME)],
    "a library's": [{"abs_path": "/x/site-packages/y.py", "function": "f"}],
    "no source": [{**FRAME, "context_line": ""}, {**FRAME, "context_line": None}],
    "odd lines": [{**FRAME, "pre_context": "no list", "post_context": [3, None, ["x"]]}],
    "long lines": [{**FRAME, "pre_context": ["x" * 5000], "context_line": "y" * 5000}],
    "other letters": [{**FRAME, "function": "zahle_für", "vars": {"ü": "ä"}}],
    "many variables": [{**FRAME, "vars": {f"v{n}": "x" * 10 * n for n in range(80)}}],
    "of PostHog": [{**FRAME, "vars": None, "code_variables": {"a": 1}}],
    "many": [{**FRAME, "lineno": n} for n in range(100)],
}
OF_OTHER_SHAPES = {
    "number as text": {**FRAME, "lineno": "12"},
    "half a line": {**FRAME, "lineno": 1.5},
    "before the first": {**FRAME, "lineno": -1},
    "huge": {**FRAME, "lineno": 2**64},
    "no function": {**FRAME, "function": 7},
    "variables in a list": {**FRAME, "vars": ["a"]},
    "half a character": {**FRAME, "vars": {"s": "\ud83d"}},
    "not a number": {**FRAME, "vars": {"n": float("nan")}},
    "no frame": None,
}


def values_of(frames):
    stack = {"frames": frames}
    mechanism = {"type": "generic", "handled": False}
    return [{"type": "E", "value": "v", "mechanism": mechanism, "stacktrace": stack}]


def read(values):
    return exceptions_of(json.dumps({"values": values}).encode())


class TestShapedFrames:
    @pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
    def test_say_what_frames_of_no_shape_say(self, frames):
        values = values_of(frames)
        assert told_of(values) == told_of(read(values))

    @pytest.mark.parametrize("frame", OF_OTHER_SHAPES.values(), ids=OF_OTHER_SHAPES)
    def test_are_not_what_has_another_shape(self, frame):
        assert read(values_of([FRAME, frame])) is None

    @pytest.mark.parametrize("said", [b"[]", b"{}", b"null", b"", b'{"values":{}}', b'{"values":'])
    def test_are_in_nothing_but_a_list_of_values(self, said):
        assert exceptions_of(said) is None

    def test_keep_their_own_variables_where_the_place_is_known(self):
        told = [told_of(read(values_of([{**FRAME, "vars": {"n": n}}]))) for n in "abc"]
        stacks = [json.loads(one.stack)["chain"][0]["frames"][0]["locals"] for one in told]
        assert [{"n": n} for n in "abc"] == stacks
