"""Matchers and the routing tree: what is written is read back, and every alert finds somebody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.domain.alarms.matcher_text import parse_classic, parse_matcher, parse_matchers
from qmon_agent.domain.alarms.matchers import OPERATORS, Matcher, all_hold, print_matchers
from qmon_agent.domain.alarms.route_tree import Branch, plant, routes_for, walk
from qmon_agent.domain.errors import ConfigError

VALUES = st.sampled_from(["", "a", "b", "a.b", "x y", 'say "x"', "line\nend", "ü\\n"])
PLAIN = st.sampled_from(["team", "severity", "a:b", "_x"])
NAMES = PLAIN | st.sampled_from(["ü", "with space", 'quo"te', "1st"])
MATCHERS = st.builds(Matcher, name=NAMES, operator=st.sampled_from(["=", "!="]), value=VALUES)
SMALL = st.builds(
    Matcher,
    name=st.sampled_from("xyz"),
    operator=st.sampled_from(OPERATORS),
    value=st.sampled_from(["", "a", "b"]),
)
LABELS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("ab"))
BRANCHES = st.recursive(
    st.builds(Branch, receiver=st.sampled_from(["", "r1", "r2"]), matchers=st.tuples(SMALL)),
    lambda inner: st.builds(
        Branch,
        matchers=st.tuples(SMALL),
        goes_on=st.booleans(),
        branches=st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=8,
)
TREES = st.lists(BRANCHES, max_size=4).map(
    lambda branches: plant(Branch(receiver="root", branches=tuple(branches)))
)


class TestMatchers:
    @given(st.lists(MATCHERS, max_size=4).map(tuple))
    def test_are_read_back_as_they_were_written(self, matchers):
        assert matchers == parse_matchers(print_matchers(matchers))

    @given(st.lists(MATCHERS, max_size=4))
    def test_with_plain_names_are_read_by_the_classic_reader_too(self, matchers):
        plain = tuple(each for each in matchers if each.name.isascii() and each.name.isidentifier())

        assert plain == parse_classic(print_matchers(plain))

    @given(SMALL, LABELS)
    def test_take_a_missing_label_for_an_empty_one(self, matcher, labels):
        assert matcher.holds(labels) == matcher.holds({"x": "", "y": "", "z": "", **labels})

    @given(SMALL, LABELS)
    def test_are_the_opposite_with_the_opposite_operator(self, matcher, labels):
        opposite = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}[matcher.operator]
        other = Matcher(name=matcher.name, operator=opposite, value=matcher.value)

        assert matcher.holds(labels) != other.holds(labels)

    def test_with_an_expression_that_is_refused_are_not_read_another_way(self):
        with pytest.raises(ConfigError, match="not supported"):
            parse_matchers(r'x=~"\b"')

    def test_fit_whole_values_only(self):
        assert not parse_matcher('x=~"a|b"').holds({"x": "ab"})

    @pytest.mark.parametrize(
        ("text", "printed"),
        [
            ("a=b, c!~ d.*", '{a="b", c!~"d.*"}'),
            ('{"my name"="ü\\u00e9",}', '{"my name"="üé"}'),
            ("a = b c", '{a="b c"}'),
            ("{a=b", '{a="b"}'),
            ("a=", '{a=""}'),
            (r'a="\d"', r'{a="\\d"}'),
            ("", "{}"),
        ],
    )
    def test_come_in_both_of_alertmanagers_forms(self, text, printed):
        assert printed == print_matchers(parse_matchers(text))

    @pytest.mark.parametrize("text", ["a", 'a="', '{"ü"=x', "=x", "a!x", 'a=x"y', 'a=~"("'])
    def test_say_what_is_wrong(self, text):
        with pytest.raises(ConfigError):
            parse_matchers(text)

    @given(st.text(max_size=20))
    def test_are_read_or_refused_whatever_comes(self, text):
        try:
            parse_matchers(text)
        except ConfigError as error:
            assert str(error)


class TestRoutes:
    @given(TREES, LABELS)
    def test_lose_no_alert(self, root, labels):
        assert all(route.receiver for route in routes_for(root, labels))
        assert routes_for(root, labels)

    @given(TREES, LABELS)
    def test_answer_only_for_what_they_match(self, root, labels):
        assert all(all_hold(route.matchers, labels) for route in routes_for(root, labels))

    @given(TREES, LABELS)
    def test_stop_at_the_first_branch_that_does_not_go_on(self, root, labels):
        matching = [each for each in root.routes if all_hold(each.matchers, labels)]
        last = next((n for n, each in enumerate(matching) if not each.goes_on), len(matching))
        beyond = {route.name for each in matching[last + 1 :] for route in walk(each)}

        assert not beyond & {route.name for route in routes_for(root, labels)}

    @given(TREES)
    def test_have_names_of_their_own(self, root):
        names = [route.name for route in walk(root)]

        assert sorted(set(names)) == sorted(names)

    def test_have_of_their_parent_what_they_do_not_say(self):
        child = Branch(branches=(Branch(group_wait_ns=5),), receiver="inner")
        parent = Branch(receiver="r", group_by=("x",), mute_intervals=("night",), branches=(child,))
        _, inner, innermost = walk(plant(parent))

        assert ("inner", ("x",), 5, ()) == (
            innermost.receiver,
            innermost.group_by,
            innermost.group_wait_ns,
            inner.mute_intervals,
        )
