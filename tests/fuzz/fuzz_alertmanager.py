"""Coverage-guided fuzzing of what imports a configuration of Alertmanager: `nox -s fuzz`.

A finding is any exception that is not an error of ours with a sentence, and what is made, but is
no TOML.
"""

from __future__ import annotations

import sys
import tomllib

import atheris
import yaml

with atheris.instrument_imports(include=["qmon_agent"]):
    from qmon_agent.alerting.importing import import_config, to_toml
    from qmon_agent.domain.errors import ConfigError

# Where the bytes go: whole, or behind what every such file begins with.
FORMS = (
    "%s",
    "route: {receiver: a}\nreceivers: [{name: a}]\n%s",
    "route: {receiver: a, %s}\nreceivers: [{name: a}]",
    "route: {receiver: a}\nreceivers:\n- name: a\n  %s",
    "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals:\n- name: t\n  %s",
    "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules:\n- %s",
)


def one_input(data: bytes) -> None:
    """Read the text in a form that the first byte chooses, and write what becomes of it."""
    if not data:
        return
    text = FORMS[data[0] % len(FORMS)] % data[1:].decode("utf-8", "replace")
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return  # the command refuses it
    if not isinstance(read, dict):
        return
    try:
        made = to_toml(import_config(read))
    except ConfigError as problem:
        assert str(problem)
        return
    tomllib.loads(made)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
