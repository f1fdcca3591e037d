"""Build step of the wheel: dataset manifests as data of the package `pipeline`."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MANIFESTS = "data_manifests"


class BuildWithManifests(build_py):
    """Build in an empty folder, with a copy of data_manifests/; an editable installation copies nothing."""

    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)  # else modules of an earlier build get into the wheel
        super().run()
        shutil.copytree(MANIFESTS, Path(self.build_lib) / "pipeline" / MANIFESTS)


setup(cmdclass={"build_py": BuildWithManifests})
