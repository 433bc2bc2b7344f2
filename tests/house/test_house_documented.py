"""Undocumented is broken: whatever can be configured, typed or caught is in the reference."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys

import msgspec
import pytest

from qmon_agent.app.explaining import meanings_of

WORD = re.compile(r"`([^`\n]+)`")


@pytest.fixture(scope="module")
def written(root):
    """The module that writes reference pages from the code."""
    sys.path.insert(0, str(root / "docs" / "_ext"))
    yield importlib.import_module("written_from_code")
    sys.path.pop(0)


@pytest.fixture(scope="module")
def words_of(root, written):
    """Everything in code font on a reference page, generated parts included."""

    def words(page):
        text = (root / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
        for name, write in written.PAGES.items():
            if f"generated/{name}.md" in text:
                text += write()
        return set(WORD.findall(text))

    return words


class TestSettings:
    def test_of_the_sdk_are_in_the_reference_and_nothing_else_is(self, words_of, root):
        from qmon_sdk.settings import Settings

        page = (root / "docs/reference/sdk-settings.md").read_text(encoding="utf-8")
        listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))

        assert listed == {field.name for field in Settings.FIELDS}

    def test_of_the_agent_are_in_the_reference(self, written, words_of):
        from qmon_agent.settings.options import Settings

        keys = {key for _, kind, _ in written.sections_of(Settings) for key in keys_of(kind)}

        assert keys <= words_of("settings")

    def test_of_the_agent_say_what_they_mean(self, written):
        from qmon_agent.settings.options import Settings

        mute = [
            f"[{section}] {key}"
            for section, kind, _ in written.sections_of(Settings)
            for key in mute_options(written, kind)
        ]

        assert not mute


class TestPlugins:
    def test_are_in_the_reference(self, written, words_of):
        assert {name for _, name, _ in plugins(written)} <= words_of_headings(written.plugins())

    def test_open_with_a_sentence(self, written):
        mute = [f"{kind}/{name}" for kind, name, plugin in plugins(written) if not plugin.__doc__]

        assert not mute

    def test_say_what_their_options_mean(self, written):
        mute = [
            f"{kind}/{name}.{key}"
            for kind, name, plugin in plugins(written)
            for key in mute_options(written, plugin)
        ]

        assert not mute


class TestTestsOfRules:
    def test_are_in_the_reference(self, written, words_of):
        keys = {key for _, kind in written.rule_test_tables() for key in keys_of(kind)}

        assert keys <= words_of("rule-tests")

    def test_say_what_their_keys_mean(self, written):
        mute = [
            f"{head} {key}"
            for head, kind in written.rule_test_tables()
            for key in mute_options(written, kind)
        ]

        assert not mute


class TestCommands:
    def test_have_help_and_so_have_their_options(self, written):
        import click

        from qmon_agent.cli._program import program

        commands = [((), program), *written.walk(program, click.Context(program), ())]
        mute = [" ".join(path) for path, command in commands if not command.help]
        mute += [
            f"{' '.join(path)} {option.opts[0]}"
            for path, command in commands
            for option in command.params
            if isinstance(option, click.Option) and not option.help
        ]

        assert not mute

    def test_are_in_the_reference(self, root, words_of):
        files = (root / "qmon_agent" / "cli").glob("[a-z]*.py")
        stems = [file.stem for file in files if "demo_" not in file.stem]
        names = {stem.rstrip("_").replace("_", "-") for stem in stems}

        assert {f"qmon-agent {name}" for name in names} <= words_of("commands")


class TestErrors:
    def test_are_in_the_reference_with_a_sentence(self, written, words_of):
        found = [error for module in written.error_files() for error in written.errors_in(module)]

        assert found
        assert {error.__name__ for error in found} <= words_of("errors")
        assert not [error for error in found if not inspect.getdoc(error)]


class TestEnvironment:
    def test_variables_are_in_the_reference(self, house, words_of):
        read = {name for source in house for name in re.findall(r"\bQMON_[A-Z_]+\b", source.text)}

        assert read <= words_of("environment")


def keys_of(kind):
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def mute_options(written, kind):
    """Options without a sentence below their field."""
    meanings = meanings_of(kind)
    return [
        field.encode_name
        for field in written.options_of(kind)
        if field.name not in meanings and field.name != "enabled"
    ]


def plugins(written):
    for kind, (module, registry, _) in written.REGISTRIES.items():
        found = written.registry_of(module, registry)
        for name in found.names() if found else ():
            yield kind, name, found.find(name)


def words_of_headings(page):
    return set(re.findall(r"^### \w+ `([^`]+)`$", page, re.MULTILINE))
