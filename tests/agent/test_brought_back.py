"""Who was forgotten after a backup was made is back with it, and that is said."""

import json

import pytest
from click.testing import CliRunner

from qmon_agent.app.backing_up import back_up
from qmon_agent.app.restoring import restore
from qmon_agent.app.vault import Vault
from qmon_agent.cli.restore import command
from qmon_agent.journal import Journal
from qmon_agent.settings import find_locations
from qmon_agent.store.state import StateStore
from qmon_agent.store.state.forgettings import mark_of


@pytest.fixture
def place(tmp_path):
    """A stopped agent with one request from before its backup."""
    place = find_locations(state=str(tmp_path / "state"))
    Journal.open(place.journal).close()
    forget(place, "before")
    return place


@pytest.fixture
def vault(place, tmp_path):
    made = Vault(tmp_path / "vault")
    back_up(place, made, keep=1)
    return made


def forget(place, person, *, finished=True):
    state = StateStore.open(f"sqlite:///{place.state}/state.db")
    made = state.forgettings.begin(person, author="", upto=1)
    if finished:
        state.forgettings.finish(made.id, {})
    state.close()


def restored(place, vault, *options):
    where = [str(vault.folder), "--state", str(place.state), "--force"]
    return CliRunner().invoke(command, [*where, *options], standalone_mode=False)


class TestRestore:
    def test_says_how_many_requests_are_newer_and_what_is_kept_of_them(self, place, vault):
        forget(place, "ann")
        forget(place, "bob", finished=False)

        said = restored(place, vault).stderr

        assert "2 requests to be forgotten came after this backup" in said
        assert "qmon-agent forget USER" in said
        assert f"only the SHA-256 of the name is kept, {mark_of('ann')}" in said
        assert "USER: bob" in said
        assert mark_of("before") not in said

    def test_tells_them_in_json(self, place, vault):
        forget(place, "ann")

        told = json.loads(restored(place, vault, "--json").stdout)

        assert [mark_of("ann")] == [each["mark"] for each in told["forgotten_since"]]

    def test_is_silent_where_nobody_was(self, place, vault):
        done = restore(place, vault, force=True)

        assert () == done.forgotten_since
        assert "forget" not in restored(place, vault).stderr

    def test_says_that_nobody_can_tell_where_the_state_is_damaged(self, place, vault):
        (place.state / "state.db").write_bytes(b"no database at all" * 100)

        said = restored(place, vault).stderr

        assert "nobody can tell who was forgotten since" in said

    def test_leaves_nothing_of_the_state_before_beside_the_new_one(self, place, vault):
        restore(place, vault, force=True)
        state = StateStore.open(f"sqlite:///{place.state}/state.db")

        marks = [each.mark for each in state.forgettings.all()]
        state.close()

        assert ([mark_of("before")], None) == (marks, state.set_aside)


class TestRestoreBesideAStateOnPostgresql:
    @pytest.fixture
    def place(self, tmp_path, state_place):
        made = find_locations(state=str(tmp_path / "state"))
        Journal.open(made.journal).close()
        made.state.joinpath("qmon.toml").write_text(f'[store]\nstate = "{state_place.dsn}"\n')
        ask(state_place.dsn, "before")
        return find_locations(state=str(tmp_path / "state"))

    def test_tells_who_was_forgotten_since_it_was_begun(self, place, vault, state_place):
        ask(state_place.dsn, "ann")
        ask(state_place.dsn, "bob", finished=False)

        told = json.loads(restored(place, vault, "--json").stdout)["forgotten_since"]

        assert [mark_of("ann"), mark_of("bob")] == [each["mark"] for each in told]
        assert ["", "bob"] == [each["person"] for each in told]

    def test_says_that_nobody_can_tell_where_it_does_not_answer(self, place, vault, state_place):
        config = place.state / "qmon.toml"
        config.write_text(config.read_text().replace(state_place.name, "nowhere"))

        assert "nobody can tell who was forgotten since" in restored(place, vault).stderr


def ask(dsn, person, *, finished=True):
    state = StateStore.open(dsn)
    made = state.forgettings.begin(person, author="", upto=1)
    if finished:
        state.forgettings.finish(made.id, {})
    state.close()
