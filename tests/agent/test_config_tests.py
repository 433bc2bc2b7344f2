"""`check-config --test`: the tests a configuration has of itself."""

from __future__ import annotations

import pytest

from qmon_agent.app.trying import run_tests
from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings import read_settings

POLICY = """
[[processors]]
kind = "drop"
match.name = "health"

[[processors]]
kind = "scrub"

[[processors]]
kind = "route"
match.name = "audit*"
to = ["audit"]
"""


def tried(tests, policy=POLICY):
    return run_tests(read_settings((policy + tests).encode()))


def one(body, policy=POLICY):
    (outcome,) = tried(f'[[tests]]\nname = "t"\n{body}', policy)
    return outcome


class TestTest:
    @pytest.mark.parametrize(
        "body",
        [
            'input = [{ span = { name = "health" } }]\ndropped = { "span/drop" = 1 }',
            'input = [{ span = { name = "work" } }]\nexpect = [{ span = { name = "w*" } }]',
            'input = [{ span = { name = "a" }, times = 3 }]\nmore = true',
            (
                'input = [{ log = { body = "password=x" } }]\n'
                'expect = [{ log = { body = "~scrubbed" } }]'
            ),
            (
                'input = [{ event = { name = "audit.x" } }]\n'
                'expect = [{ event = { name = "audit.x" }, routes = ["audit"], store = true }]'
            ),
            (
                'input = [{ service = "shop", span = { duration = "2s", kind = "server" } }]\n'
                'expect = [{ service = "sh?p", span = { duration = "2s", kind = "server" } }]'
            ),
            (
                'input = [{ resource = { pod = "p" }, log = { attributes = { a = "1" } } }]\n'
                'expect = [{ resource = { pod = true }, log.attributes = { a = "1", b = false } }]'
            ),
            (
                'input = [{ point = { metric = "m", value = 1 } }]\n'
                "expect = [{ point = { value = 1.0 } }]"
            ),
        ],
    )
    def test_passes_where_all_is_as_expected(self, body):
        assert () == one(body).differences

    @pytest.mark.parametrize(
        ("body", "what"),
        [
            ('input = [{ span = { name = "work" } }]', ["unexpected"]),
            ('input = []\nexpect = [{ span = { name = "x" } }]', ["missing"]),
            (
                'input = [{ span = { name = "a" } }]\nexpect = [{ span = { name = "b" } }]',
                ["missing", "unexpected"],
            ),
            (
                'input = [{ span = { name = "health" } }]\ndropped = { "span/scrub" = 1 }',
                ["dropped", "dropped"],
            ),
            (
                'input = [{ event = { name = "x" } }]\nexpect = [{ log = {} }]\nmore = true',
                ["missing"],
            ),
            (
                (
                    'input = [{ log = { attributes = { a = "1" } } }]\n'
                    "expect = [{ log = { attributes = { a = false } } }]\nmore = true"
                ),
                ["missing"],
            ),
        ],
    )
    def test_tells_what_is_not(self, body, what):
        assert what == [each.what for each in one(body).differences]

    def test_shows_where_the_nearest_differs(self):
        body = (
            'input = [{ span = { name = "a", kind = "server" } }, { span = { name = "z" } }]\n'
            'expect = [{ span = { name = "b", kind = "server" } }]\nmore = true'
        )

        assert (("name", "b", "a"),) == one(body).differences[0].fields

    def test_turns_the_clock(self):
        policy = '[[processors]]\nkind = "aggregate"\n'
        point = '{ point = { metric = "m", kind = "counter", value = 1.0 } }'
        body = f'input = [{point}, {point}, {{ advance = "2m" }}, {point}]\n'
        expect = "expect = [{ point = { value = 2.0 } }, { point = { value = 1.0 } }]"

        assert () == one(body + expect, policy).differences

    def test_begins_with_fresh_processors(self):
        policy = '[[processors]]\nkind = "deduplicate"\n'
        body = (
            '[[tests]]\nname = "t"\ninput = [{ log = { body = "x" } }]\nexpect = [{ log = {} }]\n'
        )

        assert [True, True] == [outcome.passed for outcome in tried(2 * body, policy)]

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("inptu = []\ninput = []", r"tests\[0\].inptu: unknown key; did you mean 'input'"),
            (
                "input = [{ spam = {} }]",
                r"tests\[0\].input\[0\].spam: unknown key; did you mean 'span'",
            ),
            (
                'input = [{ span = { nmae = "x" } }]',
                r"input\[0\].span.nmae: unknown field; did you mean 'name'",
            ),
            ("input = [{ span = { name = 7 } }]", r"input\[0\].span.name: 7 is no word"),
            (
                'input = [{ span = { duration = "long" } }]',
                r"span.duration: 'long' is not a duration",
            ),
            ('input = [{ advance = "soon" }]', r"input\[0\].advance: 'soon' is not a duration"),
            ('input = [{ advance = "1s", span = {} }]', "`advance` stands alone"),
            ('input = [{ service = "x" }]', r"input\[0\]: says one signal"),
            ('input = []\nexpect = [{ span = { nmae = "x" } }]', r"expect\[0\].span.nmae"),
        ],
    )
    def test_says_what_is_wrong_with_it(self, body, told):
        with pytest.raises(ConfigError, match=told):
            one(body)

    def test_may_be_in_a_file_of_its_own(self, tmp_path):
        file = tmp_path / "tests.toml"
        file.write_text('[[tests]]\nname = "t"\ninput = [{ span = { name = "health" } }]\n')

        (outcome,) = run_tests(read_settings(POLICY.encode()), [file])
        assert outcome.passed

    @pytest.mark.parametrize(("content", "told"), [("[", "not TOML"), ("x = 1", "nothing else")])
    def test_says_what_is_wrong_with_a_file(self, tmp_path, content, told):
        file = tmp_path / "tests.toml"
        file.write_text(content)

        with pytest.raises(ConfigError, match=told):
            run_tests(read_settings(b""), [file])
