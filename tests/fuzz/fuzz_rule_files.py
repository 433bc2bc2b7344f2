"""Coverage-guided fuzzing of rule files, PromQL and the texts of alerts: `nox -s fuzz`.

A finding is any exception that is not ours with a sentence, and a file whose rules are said to
run, but do not load as a configuration.
"""

from __future__ import annotations

import sys

import atheris
from forms import by_first_byte

with atheris.instrument_imports(include=["qmon_agent"]):
    from qmon_agent.alerting.promql import Expressions
    from qmon_agent.alerting.promql.templates import Template, TemplateError
    from qmon_agent.alerting.promql.tree import UnsupportedError
    from qmon_agent.alerting.rule_files import RuleFileError, read_rules, toml_of
    from qmon_agent.settings import read_settings

GROUP = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: %s"


def rule_file(text: str) -> None:
    """A whole file; what can be run is a configuration."""
    read_settings(toml_of(read_rules({"f": text})).encode(), {})


def rule(text: str) -> None:
    """The same behind what every file begins with."""
    rule_file(GROUP % text)


def expression(text: str) -> None:
    """An expression by itself."""
    list(Expressions().parse(text).walk())


def template(text: str) -> None:
    """The text of an alert, filled in with a value that is strange."""
    made = Template(text)
    for value in (1.5, float("nan"), float("-inf"), 1e300):
        made.render({"a": "b", "instance": text[:9]}, value)


one_input = by_first_byte(
    (rule_file, rule, expression, template), RuleFileError, UnsupportedError, TemplateError
)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
