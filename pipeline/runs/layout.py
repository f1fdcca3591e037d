"""Paths of all outputs of all stages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.files import TEMPORARY

STAMP = "stamp.json"
WEIGHTS, DESCRIPTION = "model.safetensors", "config.json"  # of a trained network, in the folder of its training
EXPERIMENTS = "experiments"  # of a run: folders with a train and an eval each
INDEX = "index.json"  # of the shards of a masks stage
REPORT, QUERY_RESULTS = "report.json", "queries.csv"  # of an evaluation
FEATURES, VAL_FEATURES = "features.h5", "val-features.h5"  # of the images it reports, and of those it chooses by
CALIBRATION = "calibration.json"  # of an evaluation, and beside a checkpoint
INT8_FOLDER = "int8"  # in the folder of a training: its int8 network
EVALUATIONS_FROM = "eval-from-"  # before the name of the run whose checkpoint is evaluated
TABLES, EXPORT = "tables", "export"
NEXT = "next"  # in the folder of a finished stage: newer outputs, until they are complete
SCALARS, SCALAR_TABLE = "tensorboard", "scalars.csv"
LISTS, MAP = "lists", "map.html"  # of an evaluation: ranked lists of every query, map of its features
_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "weights", _PACKAGE.parent / "weights")  # of an installed package, of a checkout
SHIPPED_DIR = _PLACES[0] if _PLACES[0].is_dir() else _PLACES[1]  # a folder for each network that ships
LEAVING = ".removed"  # behind the name of a folder that `sorn clean` is removing
OWN_FILES = {  # patterns of all files that a stage can leave in its folder, finished or not
    "data": ("records.csv", "summary.json", "contact-sheet.jpg"),
    "labeler": ("danet.safetensors", DESCRIPTION, "state-*.pt"),
    "masks": (INDEX, "labels.json", "labels.md", "pictures/*.png", "*/shard-*.h5"),
    "train": (
        *(WEIGHTS, DESCRIPTION, CALIBRATION, "state-*.pt", SCALAR_TABLE, f"{SCALARS}/events.out.tfevents.*"),
        *(f"{INT8_FOLDER}/*", f"{INT8_FOLDER}.*{TEMPORARY}/*"),
    ),
    "eval": (
        *(FEATURES, VAL_FEATURES, CALIBRATION, REPORT, "report.md", "report.html", QUERY_RESULTS),
        *("pictures/*.png", "parts/*.h5", f"{LISTS}/*.js", f"{LISTS}/*.jpg", MAP),
    ),
    TABLES: ("tables.json", "tables.md", "tables.html", "attempts.csv", "logs/*.log", "parts/*/.lock"),
}
OWN_FILES_OF_ALL = (STAMP, ".lock")


@dataclass(frozen=True)
class Paths:
    """Paths of one dataset with one labeler.

    dataset: as on the command line, a name or the path of a .toml or .csv. name: its name in the manifest. labeler: its
    name, or package.module:Class. data_root: folder of the user's datasets. runs: folder of all outputs. trained_on:
    None, or the run ("market1501-densepose") or the network that ships ("starter") whose checkpoint is evaluated.
    experiment: name of a further training and evaluation on the same shards; "" for the run's own. renewed: stage whose
    outputs go to next/ in its folder, because it has finished before; "" for none.
    """

    dataset: str
    labeler: str
    data_root: Path
    runs: Path
    trained_on: str | None = None
    name: str = ""
    experiment: str = ""
    renewed: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)?", self.experiment):
            wrong = f"experiment '{self.experiment}': the name is no valid name of a folder"
            raise UserError(wrong, "Use letters, digits, '.', '_' and '-', a letter or digit first.")

    @property
    def dataset_name(self) -> str:
        """Name of the dataset in its manifest, used for folders."""
        return self.name or self.dataset

    @property
    def run_name(self) -> str:
        return f"{self.dataset_name}-{labeler_folder(self.labeler)}"

    def folder(self, stage: str) -> Path:
        """Output folder of a stage.

        All labelers share the folders of `data` and `labeler`. The evaluation of a checkpoint from another run has a
        folder of its own.
        """
        folder = self._finished(stage)
        return folder / NEXT if stage == self.renewed else folder

    @property
    def settled(self) -> Paths:
        """The same paths, with all outputs at their places."""
        return replace(self, renewed="")

    def _finished(self, stage: str) -> Path:
        if stage in ("data", "labeler"):
            return self.runs / self.dataset_name / stage
        run = self.runs / self.run_name
        own = run / EXPERIMENTS / self.experiment if self.experiment else run
        if stage == "train":
            return training_folder(self.runs, self.trained_on) if self.trained_on else own / "train"
        if stage == "eval":
            return own / (f"{EVALUATIONS_FROM}{evaluation_name(self.trained_on)}" if self.trained_on else "eval")
        return run / stage

    def stamp(self, stage: str) -> Path:
        return self.folder(stage) / STAMP

    def state(self, stage: str, fingerprint: str, number: int) -> Path:
        """Training state before step `number`."""
        return self.folder(stage) / f"state-{fingerprint[:12]}-{number:08d}.pt"

    def states(self, stage: str, fingerprint: str = "") -> list[Path]:
        """Existing training states, by step.

        fingerprint: "" for any.
        """
        return sorted(self.folder(stage).glob(f"state-{fingerprint[:12]}*.pt"))

    # data
    @property
    def records(self) -> Path:
        return self.folder("data") / "records.csv"

    @property
    def data_summary(self) -> Path:
        return self.folder("data") / "summary.json"

    @property
    def contact_sheet(self) -> Path:
        return self.folder("data") / "contact-sheet.jpg"

    # labeler
    @property
    def labeler_checkpoint(self) -> Path:
        return self.folder("labeler") / "danet.safetensors"

    @property
    def labeler_config(self) -> Path:
        return self.folder("labeler") / "config.json"

    # masks
    @property
    def label_report_json(self) -> Path:
        return self.folder("masks") / "labels.json"

    @property
    def label_report_md(self) -> Path:
        return self.folder("masks") / "labels.md"

    @property
    def label_pictures(self) -> Path:
        return self.folder("masks") / "pictures"

    @property
    def shard_index(self) -> Path:
        return self.folder("masks") / INDEX

    def shard(self, split: str, number: int) -> Path:
        return self.folder("masks") / split / f"shard-{number:05d}.h5"

    # train
    @property
    def checkpoint(self) -> Path:
        return self.folder("train") / WEIGHTS

    @property
    def train_config(self) -> Path:
        return self.folder("train") / DESCRIPTION

    @property
    def tensorboard(self) -> Path:
        return self.folder("train") / SCALARS

    @property
    def scalar_table(self) -> Path:
        return self.folder("train") / SCALAR_TABLE

    # eval
    @property
    def features(self) -> Path:
        return self.folder("eval") / FEATURES

    @property
    def val_features(self) -> Path:
        """Features of the validation images, where a test split is reported."""
        return self.folder("eval") / VAL_FEATURES

    @property
    def calibration(self) -> Path:
        return self.folder("eval") / CALIBRATION

    @property
    def checkpoint_calibration(self) -> Path:
        """Calibration beside the checkpoint, that of another run where it is evaluated."""
        return self.folder("train") / CALIBRATION

    @property
    def int8_calibration(self) -> Path:
        """Calibration of the int8 network of that checkpoint."""
        return self.folder("train") / INT8_FOLDER / CALIBRATION

    @property
    def feature_chunks(self) -> Path:
        """Folder of the chunks of an unfinished extraction."""
        return self.folder("eval") / "parts"

    def feature_chunk(self, fingerprint: str, split: str, number: int) -> Path:
        return self.feature_chunks / f"{fingerprint[:12]}-{split}-{number:05d}.h5"

    @property
    def report_json(self) -> Path:
        return self.folder("eval") / REPORT

    @property
    def report_md(self) -> Path:
        return self.folder("eval") / "report.md"

    @property
    def report_html(self) -> Path:
        return self.folder("eval") / "report.html"

    @property
    def query_results(self) -> Path:
        return self.folder("eval") / QUERY_RESULTS

    @property
    def pictures(self) -> Path:
        return self.folder("eval") / "pictures"

    @property
    def lists(self) -> Path:
        return self.folder("eval") / LISTS

    @property
    def map(self) -> Path:
        return self.folder("eval") / MAP


def shipped_folder(name: str) -> Path | None:
    """Folder of a network that ships; None for another name."""
    folder = SHIPPED_DIR / name
    return folder if name and Path(name).name == name and not name.startswith(".") and folder.is_dir() else None


def training_folder(runs: Path, name: str) -> Path:
    """Folder of a training whose checkpoint is evaluated.

    name: full name of a run, or of a network that ships. A finished run of that name is taken first.
    """
    own, shipped = runs / name / "train", shipped_folder(name)
    return own if shipped is None or (own / STAMP).is_file() else shipped


def evaluation_name(trained_on: str) -> str:
    """Full name of a run, as part of another name."""
    return trained_on.replace("/", "-")


def labeler_folder(labeler: str) -> str:
    """Labeler as part of a run's name.

    In package.module:Class the colon becomes a dot.
    """
    return labeler.replace(":", ".")


def labeler_of_folder(name: str) -> str:
    """Labeler from its part of a run's name.

    Only a class has a dot there.
    """
    module, dot, name_of_class = name.rpartition(".")
    return f"{module}:{name_of_class}" if dot else name


def own_files(stage: str, folder: Path) -> set[Path]:
    """Existing files that a stage or the tables wrote in their folder."""
    patterns = (*OWN_FILES[stage], *OWN_FILES_OF_ALL)
    places = (folder, folder / NEXT)
    return {path for name in patterns for end in ("", TEMPORARY) for place in places for path in place.glob(name + end)}
