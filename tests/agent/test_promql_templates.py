"""Templates of annotations: what the comparison with promtool does not draw."""

import math

import pytest

from qmon_agent.alerting.promql.templates import Template, TemplateError


class TestTemplates:
    @pytest.mark.parametrize(
        ("text", "value", "shown"),
        [
            ("{{ $value | humanizeTimestamp }}", 1.5e9, "2017-07-14 02:40:00 +0000 UTC"),
            ("{{ humanize $value }}", math.inf, "+Inf"),
            ("{{ $value | humanizeDuration }}", 0.0025, "2.5ms"),
            ("{{ $externalLabels.cluster }}|", 1.0, "|"),
            ('{{ printf "%d %5.1f%% %q" 3 $value $labels.host }}', 2.0, '3   2.0% "db:9100"'),
            ("{{ $labels.host | stripPort }} {{ `a\\b` }}", 1.0, "db a\\b"),
            ("no {braces} at all", 1.0, "no {braces} at all"),
            ("{{ $value }}", 1e21, "1e+21"),
        ],
    )
    def test_show_what_those_of_prometheus_show(self, text, value, shown):
        assert shown == Template(text).render({"host": "db:9100"}, value)

    @pytest.mark.parametrize(
        "text",
        [
            '{{ query "up" }}',
            "{{ if true }}",
            "{{ $x := 1 }}",
            '{{ "\\q" }}',
            "{{ }}",
            "{{ nope 1 }}",
        ],
    )
    def test_that_ask_for_more_are_refused(self, text):
        with pytest.raises(TemplateError):
            Template(text)

    def test_that_do_not_fit_a_value_may_fit_another(self):
        template = Template("{{ $labels.size | humanize }}")

        assert "1k" == template.render({"size": "1000"}, 0.0)
        with pytest.raises(TemplateError):
            template.render({"size": "large"}, 0.0)
