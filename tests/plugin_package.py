"""Packages that nobody installs: modules and the metadata of a distribution in a folder for PYTHONPATH."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LABELER = '''
"""Parts in one colour."""
import numpy as np
from pipeline.labelers.base import describe, labeled, read_options
from pipeline.labelers.unlabeled import NoOptions


class Mine:
    """All torso."""

    name = "mine"
    version = 1

    def __init__(self, options, source):
        self.options = read_options(NoOptions, self.name, options)

    def describe(self):
        return describe(self.name, self.version, self.options)

    def inputs(self, records):
        return {}

    def prepare(self, records, runtime):
        pass

    def label(self, records, images):
        return [labeled(np.full(image.shape[:2], 2, np.uint8)) for image in images]
'''


def write_package(
    folder: Path,
    name: str,
    entry_points: Mapping[str, Mapping[str, str]],
    modules: Mapping[str, str],
    version: str = "1.0",
) -> None:
    """As pip would leave it in site-packages. entry_points: group -> name -> "module:Class"."""
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for group, entries in entry_points.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for file, text in modules.items():
        (folder / file).write_text(text)
