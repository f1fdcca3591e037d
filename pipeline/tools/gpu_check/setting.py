"""Folder, device, sizes and run that all rows of a check share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pipeline.runs.config import Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import data, driver, labeler, masks, train

NAME = "made_up"
STAGES: dict[str, ModuleType] = {"data": data, "labeler": labeler, "masks": masks, "train": train}


@dataclass(frozen=True)
class CheckSizes:
    """Sizes of everything that a check makes.

    image: height and width, pixels. people: training identities. pictures: of each. batch: images per step. epochs: of
    every training. queries, gallery: images that are matched. width: numbers of a global feature. steps: that are
    timed, of the network `backbone` on images of `full`.
    """

    image: tuple[int, int]
    people: int
    pictures: int
    batch: int
    epochs: int
    queries: int
    gallery: int
    width: int
    steps: int
    backbone: str
    full: tuple[int, int]


REAL = CheckSizes((128, 64), 8, 8, 16, 6, 200, 20_000, 2048, 10, "resnet50", (384, 128))
TINY = CheckSizes((64, 32), 4, 4, 4, 2, 8, 300, 64, 1, "resnet18", (64, 32))


@dataclass(frozen=True)
class CheckSetting:
    """Setting of a check.

    folder: of everything that the rows write. device: as in --device. pretend: on a CPU, with the smallest sizes.
    """

    folder: Path
    device: str
    pretend: bool = False

    @property
    def sizes(self) -> CheckSizes:
        return TINY if self.pretend else REAL

    @property
    def dataset(self) -> Path:
        return self.folder / f"{NAME}.csv"

    @property
    def options(self) -> Path:
        """File with the options of all trainings."""
        return self.folder / f"{NAME}.toml"

    def paths(self, experiment: str = "", labels: str = "ground_truth") -> Paths:
        return Paths(str(self.dataset), labels, self.folder, self.folder / "runs", name=NAME, experiment=experiment)

    def run(
        self, experiment: str = "", options: Sequence[str] = (), device: str = "", labels: str = "ground_truth"
    ) -> Run:
        """Run on the made-up pictures.

        options: as for --set. device: other than that of the check.
        """
        runtime = Runtime(device=device or self.device)
        return Run.at(self.paths(experiment, labels)).asked_for(str(self.options), tuple(options), None, runtime)


def execute(run: Run, *names: str) -> None:
    """Stages of a run, executed in this process.

    Those that are fresh are left out. Raises UserError as the stages do.
    """
    for name in names:
        driver.execute(STAGES, name, run)  # type: ignore[arg-type]  # modules are stages
