"""The revision that is checked out, as real Git leaves it on disk in all its ways."""

from __future__ import annotations

import os
import subprocess

import pytest

from qmon_sdk.detect.git import revision_of

AUTHOR = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")


def git(place, *words):
    command = ["git", "-C", str(place), *AUTHOR, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A repository with two commits on `main`."""
    place = tmp_path / "shop"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    for n in range(2):
        git(place, "commit", "-q", "--allow-empty", "-m", f"change {n}")
    return place


class TestRevision:
    def test_is_the_commit_and_branch_that_git_says(self, checkout):
        found = revision_of(str(checkout))

        assert (git(checkout, "rev-parse", "HEAD"), "main") == (found.commit, found.branch)
        assert str(checkout) == found.place

    def test_is_found_from_deep_inside(self, checkout):
        deep = checkout / "src" / "shop"
        deep.mkdir(parents=True)

        assert git(checkout, "rev-parse", "HEAD") == revision_of(str(deep)).commit

    def test_of_packed_references(self, checkout):
        git(checkout, "branch", "main-2", "HEAD~1")
        git(checkout, "pack-refs", "--all")
        assert not (checkout / ".git/refs/heads/main").exists()

        assert git(checkout, "rev-parse", "HEAD") == revision_of(str(checkout)).commit

    def test_of_a_detached_head_has_no_branch(self, checkout):
        git(checkout, "checkout", "-q", "HEAD~1")

        found = revision_of(str(checkout))
        assert (git(checkout, "rev-parse", "HEAD"), "") == (found.commit, found.branch)

    def test_of_a_worktree_is_its_own(self, checkout, tmp_path):
        tree = tmp_path / "tree"
        git(checkout, "worktree", "add", "-q", "-b", "feature/x", str(tree), "HEAD~1")

        found = revision_of(str(tree))
        assert (git(tree, "rev-parse", "HEAD"), "feature/x") == (found.commit, found.branch)
        git(checkout, "pack-refs", "--all")
        assert found.commit == revision_of(str(tree)).commit

    def test_of_a_shallow_clone(self, checkout, tmp_path):
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{checkout}", "shallow")

        found = revision_of(str(tmp_path / "shallow"))
        assert (git(checkout, "rev-parse", "HEAD"), "main") == (found.commit, found.branch)

    def test_of_a_submodule_is_its_own(self, checkout, tmp_path):
        inner = tmp_path / "inner"
        git(tmp_path, "clone", "-q", str(checkout), "inner")
        git(inner, "commit", "-q", "--allow-empty", "-m", "of its own")
        words = ("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
        git(checkout, *words)

        assert git(inner, "rev-parse", "HEAD") == revision_of(str(checkout / "sub")).commit

    def test_before_the_first_commit_is_none(self, tmp_path):
        git(tmp_path, "init", "-q", "-b", "main")

        assert ("", "") == (revision_of(str(tmp_path)).commit, revision_of(str(tmp_path)).branch)


class TestWhatIsNoCheckout:
    @pytest.mark.parametrize(
        "head",
        [
            "",
            "ref: refs/heads/../../../etc/passwd",
            "ref: /etc/passwd",
            "ref: refs/heads/loop",
            "ref: refs/heads/nul\0",
            "no commit at all, but forty characters..",
            "\udcff" * 40,
            "ref: " + "x" * 100_000,
        ],
    )
    def test_has_no_commit(self, *, head, tmp_path):
        heads = tmp_path / ".git/refs/heads"
        heads.mkdir(parents=True)
        (tmp_path / ".git/HEAD").write_text(head, errors="surrogateescape")
        (heads / "loop").write_text("ref: refs/heads/loop")

        assert "" == revision_of(str(tmp_path)).commit

    def test_may_be_a_pipe_that_nobody_writes_into(self, tmp_path):
        (tmp_path / ".git").mkdir()
        os.mkfifo(tmp_path / ".git/HEAD")

        assert "" == revision_of(str(tmp_path)).commit

    def test_may_be_nothing(self, tmp_path):
        assert "" == revision_of(str(tmp_path)).commit
        assert "" == revision_of(str(tmp_path / "missing" / "deep")).commit
