"""What is built: a wheel for this interpreter with a compiler, one for all of them without."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from hashlib import sha256
from zipfile import ZipFile

BUILD = "import sys, hatchling.build as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def built(root, place, what="build_wheel", **environment):
    """The names inside of what was built, and its own."""
    env = {**os.environ, "QMON_REQUIRE_SPEEDUPS": "", "QMON_PURE_PYTHON": "", **environment}
    run = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(place)],
        cwd=root, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        return None, run.stderr
    name = run.stdout.split()[-1]
    if name.endswith(".whl"):
        return name, ZipFile(place / name).namelist()
    with tarfile.open(place / name) as archive:
        return name, archive.getnames()


def speedups_in(names):
    return [name for name in names if "_speedups" in name and not name.endswith(".pyi")]


class TestWheel:
    def test_has_the_accelerator_of_this_interpreter(self, root, tmp_path):
        name, inside = built(root, tmp_path, QMON_REQUIRE_SPEEDUPS="1")
        suffix = sysconfig.get_config_var("EXT_SUFFIX")

        assert "-cp3" in name
        assert [f"qmon_sdk/_speedups{suffix}"] == speedups_in(inside)

    def test_is_for_every_interpreter_without_a_compiler(self, root, tmp_path):
        name, inside = built(root, tmp_path, CC="/nonexistent/cc")

        assert name.endswith("-py3-none-any.whl")
        assert not speedups_in(inside)

    def test_is_for_every_interpreter_when_asked_for(self, root, tmp_path):
        name, inside = built(root, tmp_path, QMON_PURE_PYTHON="1")

        assert name.endswith("-py3-none-any.whl")
        assert not speedups_in(inside)

    def test_fails_without_a_compiler_where_one_is_required(self, root, tmp_path):
        name, error = built(root, tmp_path, CC="/nonexistent/cc", QMON_REQUIRE_SPEEDUPS="1")

        assert name is None
        assert "/nonexistent/cc" in error


class TestSources:
    def test_are_in_the_source_distribution(self, root, tmp_path):
        _, inside = built(root, tmp_path, "build_sdist")
        sources = {file.name for file in (root / "qmon_sdk" / "_speedups").glob("*.[ch]")}

        assert sources <= {name.rpartition("/")[2] for name in inside}
        assert any(name.endswith("/hatch_build.py") for name in inside)

    def test_are_those_that_were_compiled(self, root, compiled):
        files = sorted((root / "qmon_sdk" / "_speedups").glob("*.[ch]"))
        now = sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]

        assert now == compiled.SOURCES, "compile anew: pip install -e ."


class TestFiles:
    def test_are_one_idea_in_c_too(self, root):
        files = sorted((root / "qmon_sdk" / "_speedups").glob("*.[ch]"))
        long = [file.name for file in files if len(file.read_text().splitlines()) > 400]

        assert files
        assert not long
