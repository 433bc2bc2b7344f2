"""Plug-ins are found by folder and by entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qmon_sdk.plugins import UnknownPlugin, found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    package = tmp_path / "shelf_of_channels"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "slack.py").write_text("class SlackChannel:\n    pass\n")
    (package / "new_error.py").write_text("class NewErrorChannel:\n    pass\n")
    (package / "broken.py").write_text("raise RuntimeError('no such library')\n")
    (package / "_parts.py").write_text("raise RuntimeError('never imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "shelf_of_channels"
    for name in [name for name in sys.modules if name.startswith("shelf_of_channels")]:
        del sys.modules[name]


@pytest.fixture
def stranger(tmp_path: Path) -> None:
    metadata = tmp_path / "stranger-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[qmon.test_channels]\npigeon = collections:OrderedDict\nslack = collections:deque\n"
    )


class TestPlugins:
    def test_are_named_by_their_files_without_importing_any(self, folder: str) -> None:
        assert found(folder).names() == ("broken", "new_error", "slack")
        assert "shelf_of_channels.slack" not in sys.modules

    def test_give_the_class_that_carries_file_name_and_role(self, folder: str) -> None:
        channels = found(folder, role="Channel")
        assert channels["slack"].__name__ == "SlackChannel"
        assert channels["new_error"].__name__ == "NewErrorChannel"

    def test_give_the_module_when_no_role_is_asked_for(self, folder: str) -> None:
        assert found(folder)["slack"].__name__ == "shelf_of_channels.slack"

    def test_a_broken_one_harms_only_who_asks_for_it(self, folder: str) -> None:
        channels = found(folder, role="Channel")
        with pytest.raises(RuntimeError, match="no such library"):
            channels["broken"]
        assert channels["slack"]

    def test_an_unknown_name_tells_the_nearest(self, folder: str) -> None:
        with pytest.raises(UnknownPlugin, match="did you mean 'slack'") as caught:
            found(folder)["slak"]
        assert caught.value.nearest == ("slack",)

    @pytest.mark.usefixtures("stranger")
    def test_strangers_join_by_entry_point_and_never_replace_ours(self, folder: str) -> None:
        channels = found(folder, role="Channel", group="qmon.test_channels")
        assert channels.names() == ("broken", "new_error", "pigeon", "slack")
        assert channels["pigeon"].__name__ == "OrderedDict"
        assert channels["slack"].__name__ == "SlackChannel"

    def test_a_folder_that_is_not_there_has_none(self) -> None:
        assert dict(found("qmon_sdk_no_such_package")) == {}
