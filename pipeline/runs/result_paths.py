"""Paths of results beside the stages: comparisons, tables, exports and searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.runs.layout import EXPORT, TABLES, Paths


@dataclass(frozen=True)
class Pages:
    """Files of one result: JSON, Markdown and HTML."""

    folder: Path
    name: ClassVar[str]

    @property
    def json(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def markdown(self) -> Path:
        return self.folder / f"{self.name}.md"

    @property
    def html(self) -> Path:
        return self.folder / f"{self.name}.html"


class ComparisonPaths(Pages):
    """Files of a comparison of two labelers."""

    name = "comparison"

    @staticmethod
    def of(runs: Path, names: tuple[str, str]) -> ComparisonPaths:
        """Files beside the compared runs."""
        return ComparisonPaths(runs / f"compare-{names[0]}-{names[1]}")

    @property
    def picture(self) -> Path:
        return self.folder / "comparison.png"


@dataclass(frozen=True)
class LabelsPagePaths:
    """Files of a labels page."""

    folder: Path

    @staticmethod
    def of(runs: Path, names: Sequence[str]) -> LabelsPagePaths:
        """Files beside the runs whose labels are shown."""
        return LabelsPagePaths(runs / f"labels-{'-'.join(names)}")

    @property
    def index(self) -> Path:
        return self.folder / "index.html"

    @property
    def data(self) -> Path:
        return self.folder / "data.js"

    @property
    def sheets(self) -> Path:
        return self.folder / "sheets"


class RunComparison(Pages):
    """Files of a comparison of evaluations."""

    name = "comparison"

    @staticmethod
    def of(runs: Path, names: list[str]) -> RunComparison:
        """Files beside the compared runs.

        The folder is not that of a comparison of labels of the same runs.
        """
        return RunComparison(runs / f"compare-reports-{'-'.join(names).replace('/', '-')}")


class TablesPaths(Pages):
    """Files of the paper's tables, and records of their grid."""

    name = "tables"

    @staticmethod
    def of(paths: Paths) -> TablesPaths:
        """Files in the run of the experiments."""
        return TablesPaths(paths.runs / paths.run_name / TABLES)

    @property
    def attempts(self) -> Path:
        """Table of all trainings and evaluations that ended, a line each."""
        return self.folder / "attempts.csv"

    def log(self, experiment: str, stage: str) -> Path:
        return self.folder / "logs" / f"{experiment}-{stage}.log"

    @property
    def parts(self) -> Path:
        return self.folder / "parts"

    def part(self, number: int, of: int) -> Path:
        """Folder that a process locks while it runs this part."""
        return self.parts / f"{number}-of-{of}"


@dataclass(frozen=True)
class Exported:
    """Files of a network exported for other programs."""

    folder: Path
    OPENVINO: ClassVar[str] = "sorn-tracker.xml"  # in the folder of OpenVINO's files

    @staticmethod
    def of(training: Path) -> Exported:
        """Files beside the training.

        `sorn clean` does not remove them, because they are no output of a stage.
        """
        return Exported(training.parent / EXPORT)

    def file(self, name: str) -> Path:
        """File of a format, "torch" or "onnx"."""
        return self.folder / {"torch": "sorn.pt2", "onnx": "sorn.onnx"}[name]

    def tracker(self, name: str) -> Path:
        """File or folder of a tracker's network, "onnx" or "openvino".

        boxmot and others know the formats by these ends of the names.
        """
        return self.folder / {"onnx": "sorn-tracker.onnx", "openvino": "sorn-tracker_openvino_model"}[name]

    @property
    def match(self) -> Path:
        """Program that computes similarities from the outputs of the networks."""
        return self.folder / "match.py"

    def features(self, name: str) -> Path:
        """Features in a format of other programs: "npz", "parquet" or "faiss"."""
        return self.folder / f"features.{name}"

    @staticmethod
    def about(file: Path) -> Path:
        """JSON file with description and parity of an exported file."""
        return file.with_name(file.name + ".json")


class SearchPaths(Pages):
    """Files of a search.

    The feature bank and the index are used again for the same gallery.
    """

    name = "search"

    @property
    def bank(self) -> Path:
        return self.folder / "gallery.h5"

    @property
    def index(self) -> Path:
        return self.folder / "candidates.h5"
