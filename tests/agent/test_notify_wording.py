"""Templates of channels: other words, in a language that ends, and never instead of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmon_agent.app.checking import check_plugins, make_channel
from qmon_agent.app.config import _kind_of
from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.notices import Notice
from qmon_agent.notify.channels import DELIVERED
from qmon_agent.notify.message import Address, compose
from qmon_agent.notify.wording import MOST_TEXT, Templates, Worded
from qmon_agent.settings.reading import read_settings

NOTICE = Notice(
    incident="abc",
    status="firing",
    reason="breach",
    alert="hot",
    severity="critical",
    system="shop",
    value=6.25,
    labels={"service": "shop", "k8s.pod": "p-1"},
    since=1_700_000_000_000_000_000,
)


PIECES = (
    *("{{ ", " }}", "{% ", " %}", "{# ", " #}", "{{ alert }}", "{% endfor %}", "{% endif %}"),
    *("for x in ", "labels", "lines", "x", "if ", "value", "else", "set ", "|upper", "|dictsort"),
    *("|first", " ~ ", " - ", " / ", "0", "'y'", "(", ")", "[", "]", ".a", " is none", "\n", ", "),
)


class Listening:
    def __init__(self):
        self.heard = []

    async def send(self, message):
        self.heard.append(message)
        return DELIVERED


def a_message(**changes):
    fields = {name: getattr(NOTICE, name) for name in NOTICE.__struct_fields__}
    return compose(Notice(**fields | changes), Address(key="k", channel="c", others=2))


def said(text, message=None, *, what="text"):
    worded = Worded(Listening(), Templates(**{what: text}))
    return getattr(worded.worded(message or a_message()), what)


class TestTemplates:
    @pytest.mark.parametrize(
        ("template", "expected"),
        [
            ("{{ alert }} on {{ system|upper }}", "hot on SHOP"),
            ("{% if value is not none %}{{ value|round(1) }}{% endif %}", "6.2"),
            ("{{ labels['k8s.pod'] }}{{ labels.missing }}", "p-1"),
            (
                "{% for k, v in labels|dictsort %}{{ k }}={{ v }};{% endfor %}",
                "k8s.pod=p-1;service=shop;",
            ),
            ("{{ since }}", "2023-11-14T22:13:20.000Z"),
            ("(" * 5_000, "(" * 5_000),
            ("{{ others }} {{ 'bad' if severity == 'critical' else 'fine' }}", "2 bad"),
            ("{{ text }}", a_message().text),
        ],
    )
    def test_say_what_they_are_told_to(self, template, expected):
        assert expected == said(template)

    def test_of_a_group_tell_its_members(self):
        members = [Notice(incident=n, status="firing", reason="r", alert=n) for n in ("a", "b")]
        template = "{% for m in members %}{{ m.alert }}: {{ m.status }}; {% endfor %}"

        assert "a: firing; b: firing; " == said(template, a_message(members=tuple(members)))

    def test_of_titles_have_one_line(self):
        assert "hot shop" == said("{{ alert }}\n  {{ system }}", what="title")

    async def test_change_what_the_channel_is_given_and_nothing_else(self):
        inner = Listening()

        await Worded(inner, Templates(title="{{ alert }}!")).send(a_message())

        [heard] = inner.heard
        assert ("hot!", a_message().text, "k") == (heard.title, heard.text, heard.key)

    @pytest.mark.parametrize(
        "template",
        [
            "{% for a in lines %}" * 3 + "{% endfor %}" * 3,
            "{% for c in title %}{{ c }}{% endfor %}",
            "{% for a in [1, 2] %}{% endfor %}",
            "{% for a in range(10) %}{% endfor %}",
            "{{ 'x' * 10**9 }}",
            "{{ 'x'.center(10) }}",
            "{{ '%9999999999d' % 1 }}",
            "{{ 'x'|center(10) }}",
            "{% set x = title ~ title %}",
            "{% macro m() %}{% endmacro %}",
            "{% include '/etc/passwd' %}",
            "{{ labels.items() }}",
            "{{ ''.__class__ }}",
            "{{ alrt }}",
            "{{ alert ",
            "{{ value|round(1) }}",
            "{{ since[:4] }}",
            "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
        ],
    )
    def test_that_could_take_long_or_fail_are_refused_when_they_are_read(self, template):
        with pytest.raises(ConfigError, match=r"templates\.text"):
            said(template)

    def test_are_bounded_in_what_they_say(self):
        inner = "{% for a in lines %}{% for b in lines %}{{ text }}{% endfor %}{% endfor %}"

        assert MOST_TEXT == len(said(inner, a_message(description="x" * 1_000)))

    @given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
    def test_are_refused_or_say_something_bounded_whatever_they_are(self, template):
        try:
            text = said(template)
        except ConfigError as problem:
            assert "templates.text" in str(problem)
        else:
            assert len(text) <= MOST_TEXT

    @given(st.text(max_size=50))
    def test_cannot_be_written_by_who_writes_labels(self, hostile):
        label = "{{ 7 * 7 }}" + hostile
        text = said("{{ labels.x }}", a_message(labels={"x": label}))

        assert "{{ 7 * 7 }}" in text
        assert 1 == len(text.splitlines())

    def test_that_fail_at_a_message_leave_the_usual_words_and_say_so(self):
        template = "{{ labels.size|int / labels.of|int if labels.of else '' }}"

        text = said(template, a_message(labels={"size": "1", "of": "0"}))

        assert text.startswith(a_message(labels={"size": "1", "of": "0"}).text)
        assert text.endswith("the template of this text failed: division by zero")


class TestConfiguration:
    def test_names_every_template_that_is_wrong(self):
        table = '[channels.console.templates]\ntitle = "{{ alrt }}"\ntext = "{% fro %}"\nfoot = ""'

        _, problems = check_plugins(read_settings(table.encode()))

        assert ["channels.console.templates.foot"] == [each.path for each in problems]

    def test_says_what_is_wrong_with_it_and_where(self):
        table = '[channels.console.templates]\ntitle = "{{ alrt }}"\ntext = "{% fro %}"'

        _, problems = check_plugins(read_settings(table.encode()))

        told = sorted(map(str, problems))
        assert "channels.console.templates.text: line 1: Encountered unknown tag 'fro'." in told[0]
        assert told[1].startswith("channels.console.templates.title: 'alrt' is undefined")

    def test_leaves_the_channel_what_it_is(self):
        channel = make_channel("console", {"templates": {"title": "{{ alert }}"}})

        assert "console" == _kind_of(channel)

    def test_is_a_table(self):
        with pytest.raises(ConfigError, match=r"channels\.console\.templates"):
            make_channel("console", {"templates": "x"})
