"""Build step of the wheel: manifests and networks that ship as data of the package `pipeline`."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DATA = ("data_manifests", "weights")


class BuildWithData(build_py):
    """Build in an empty folder, with copies of the folders of data; an editable installation copies nothing."""

    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)  # else modules of an earlier build get into the wheel
        super().run()
        for name in DATA:
            shutil.copytree(name, Path(self.build_lib) / "pipeline" / name)


setup(cmdclass={"build_py": BuildWithData})
