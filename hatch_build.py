"""Compile the C accelerator into a wheel where a compiler is there, and leave it out elsewhere.

`QMON_REQUIRE_SPEEDUPS=1` makes its absence an error, `QMON_PURE_PYTHON=1` does not even try.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "qmon_sdk._speedups"
SOURCES = "qmon_sdk/_speedups"
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra"]


class SpeedupsHook(BuildHookInterface):
    """Adds the compiled module to a wheel, and beside its sources for an editable installation."""

    _room: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before files are collected; without a compiler the wheel stays a pure one."""
        if self.target_name != "wheel" or not _wanted():
            return
        built = self._compiled()
        if built is None:
            return
        if version == "editable":
            # Removed first: a running program may have the old one mapped.
            place = Path(self.root, "qmon_sdk", built.name)
            place.unlink(missing_ok=True)
            place.write_bytes(built.read_bytes())
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"][str(built)] = f"qmon_sdk/{built.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        del version, build_data, artifact_path
        if self._room is not None:
            rmtree(self._room, ignore_errors=True)

    def _compiled(self) -> Path | None:
        self._room = Path(mkdtemp(prefix="qmon-speedups-"))
        try:
            return compiled(Path(self.root), self._room)
        except BaseException as error:  # a compiler has many ways to fail, `SystemExit` among them
            if os.environ.get("QMON_REQUIRE_SPEEDUPS") == "1":
                raise
            self.app.display_warning(f"qmon: no accelerator ({error}); pure Python does it all")
            return None


def _wanted() -> bool:
    """Say whether to try: not for other interpreters, nor for one without its lock."""
    fits = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    return fits and os.environ.get("QMON_PURE_PYTHON") != "1"


def compiled(root: Path, place: Path) -> Path:
    """Compile the module of this interpreter into `place`; raises whatever the compiler raises."""
    from setuptools import Distribution, Extension

    sources = sorted(str(path) for path in (root / SOURCES).glob("*.c"))
    flags = [] if sys.platform == "win32" else FLAGS
    # Said by the module itself, so that a test can tell one that is older than its sources.
    macros = [("QMON_SOURCES", f'"{digest(root)}"')]
    extension = Extension(NAME, sources, define_macros=macros, extra_compile_args=flags)
    command = Distribution({"name": "qmon", "ext_modules": [extension]}).get_command_obj(
        "build_ext"
    )
    command.build_lib, command.build_temp = str(place), str(place / "objects")
    command.parallel = os.cpu_count()
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(NAME))


def digest(root: Path) -> str:
    """Tell one state of the C sources from another."""
    files = sorted((root / SOURCES).glob("*.[ch]"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
