"""What an agent keeps is put by while it works, and is there again in another place."""

from __future__ import annotations

import pytest

SENDS = """
import qmon_sdk as q
q.init(service="shop")
for n in range({}):
    q.track("ordered", dict(n=n))
q.flush(10)
q.shutdown()
"""
COUNT = "SELECT count(*) AS n FROM events"


@pytest.fixture
def shop(home):
    """An agent that was told of a hundred orders, and has a backup of them."""
    home.agent = home.start()
    home.order = lambda n: home.program(SENDS.format(n))
    home.count = lambda *place: home.ask("query", COUNT, *place)["rows"][0]["n"]
    home.order(100)
    home.until(lambda: home.count() == 100)
    home.vault = str(home.directory / "vault")
    home.first = home.ask("backup", home.vault)
    return home


class TestBackup:
    def test_has_what_was_acknowledged_and_another_place_gets_it(self, shop):
        there = str(shop.directory / "there")

        restored = shop.ask("restore", shop.vault, "--state", there)

        assert restored["ok"]
        assert restored["backup"] == shop.first["backup"]
        assert shop.count("--state", there) == 100
        place = ("--state", there, "--socket", there + "/agent.sock")
        shop.start(*place)
        shop.until(lambda: shop.count("--state", there) == 100)

    def test_copies_only_what_is_new(self, shop):
        shop.agent.terminate()
        shop.agent.wait(30)
        at_rest = shop.ask("backup", shop.vault)

        again = shop.ask("backup", shop.vault)

        assert again["files"] == at_rest["files"]
        assert again["copied_bytes"] == 0 or again["copied"] <= 1  # the state's own page of changes

    def test_keeps_several_and_gives_back_the_one_that_is_named(self, shop):
        shop.order(50)
        shop.until(lambda: shop.count() == 150)
        shop.ask("backup", shop.vault)
        there = str(shop.directory / "there")

        shop.ask("restore", shop.vault, "--backup", shop.first["backup"], "--state", there)

        assert shop.count("--state", there) == 100

    def test_is_not_put_over_what_is_there(self, shop):
        there = str(shop.directory / "there")
        shop.ask("restore", shop.vault, "--state", there)

        refused = shop.ask("restore", shop.vault, "--state", there)
        forced = shop.ask("restore", shop.vault, "--state", there, "--force")

        assert "--force" in refused["error"]["message"]
        assert any("journal.before-" in path for path in forced["put_aside"])
        assert shop.count("--state", there) == 100

    def test_is_not_put_under_a_running_agent(self, shop):
        refused = shop.ask("restore", shop.vault, "--force")

        assert refused["error"]["type"] == "AlreadyRunningError"

    def test_that_is_damaged_is_not_put_back(self, shop):
        largest = max((shop.directory / "vault" / "objects").glob("*/*"), key=size_of)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.write_bytes(content)
        there = shop.directory / "there"

        looked = shop.ask("restore", shop.vault, "--check")
        refused = shop.ask("restore", shop.vault, "--state", str(there))

        assert not looked["ok"]
        assert looked["damaged"]
        assert "damaged" in refused["error"]["message"]
        assert not (there / "journal").exists()
        assert not (there / "telemetry").exists()

    def test_does_not_mix_with_the_files_of_others(self, shop):
        (shop.directory / "photos").mkdir()
        (shop.directory / "photos" / "cat.jpg").touch()

        refused = shop.ask("backup", str(shop.directory / "photos"))

        assert "no folder of backups" in refused["error"]["message"]

    def test_is_not_put_into_what_it_is_of(self, shop):
        refused = shop.ask("backup", str(shop.state / "backups"))

        assert "which it would be a backup of" in refused["error"]["message"]
        assert not (shop.state / "backups").exists()


def size_of(path):
    return path.stat().st_size
