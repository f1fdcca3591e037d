"""Finished training of a SORN or a DANet that is to ship.

Reads its stamp and its report. Nothing in it that names a folder of this machine is passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from pipeline.datasets.manifest import Manifest, load_manifest
from pipeline.errors import UserError
from pipeline.evaluation.label_report import LabelReport, read_label_report
from pipeline.evaluation.report import Report, read_report
from pipeline.io.files import digest_file
from pipeline.labelers import TRAINED
from pipeline.runs import stamp
from pipeline.runs.command import DATA_ROOT, RUNS, RunCommand
from pipeline.runs.find import find_output, find_training, place_of
from pipeline.runs.layout import DESCRIPTION, INDEX, REPORT
from pipeline.runs.run import Run
from pipeline.runs.shipped import FILES, LABELER_WEIGHTS, ships
from pipeline.runs.stamp import Stamp

AGAIN = "Name a finished training; they are listed by: sorn models"


@dataclass(frozen=True)
class PackSource:
    """Finished training.

    folder: of its outputs. runs: folder of all runs. stamp: of the training.
    """

    folder: Path
    runs: Path
    stamp: Stamp

    @property
    def stage(self) -> str:
        return self.stamp.stage

    @property
    def weights(self) -> Path:
        return self.folder / FILES[self.stage][0]

    @property
    def described(self) -> Path:
        return self.folder / DESCRIPTION

    @property
    def dataset(self) -> str:
        """Name of the dataset, as the folder of the run has it."""
        return self.folder.parent.name if self.stage == "labeler" else place_of(self.folder).name.rpartition("-")[0]

    @property
    def manifest(self) -> Manifest | None:
        """Manifest of the dataset; None for one that only its owner has."""
        try:
            return load_manifest(self.dataset)
        except UserError:
            return None

    @property
    def shards(self) -> Path:
        """Index of shards with images of the dataset; it need not exist."""
        run = f"{self.dataset}-{TRAINED}" if self.stage == "labeler" else place_of(self.folder).name
        return self.runs / run / "masks" / INDEX

    @property
    def command(self) -> RunCommand | None:
        """Command that made it, without folders of this machine."""
        return public(self.stamp.command) if self.stamp.command else None

    def report(self) -> Report | None:
        """Evaluation of this checkpoint.

        None without one, and for one in int8, which does not ship.
        """
        try:
            found = read_report(self.folder.parent / "eval" / REPORT)
        except (OSError, ValueError):
            return None
        own = found.provenance.checkpoint_sha256 == digest_file(self.weights)
        return found if own and not found.provenance.int8 else None

    def labels(self) -> LabelReport | None:
        """Labels of this DANet; None without any."""
        try:
            found = read_label_report(self.shards.with_name("labels.json"))
        except (OSError, ValueError):
            return None
        return found if found.labeler.details.get("weights") == digest_file(self.weights) else None


def find_source(run: str, runs: Path, data_root: Path, labeler: bool) -> PackSource:
    """Finished training of a run.

    run: as for `find_training`; for a DANet, the name of its dataset or of a run of it. labeler: whether the DANet is
    meant. Raises UserError for a training that is not finished, was changed, or ships already.
    """
    folder = _labeler_folder(run, runs, data_root) if labeler else find_training(run, runs)
    if ships(folder):
        raise UserError(f"'{run}' ships already, in half precision", AGAIN)
    made = stamp.read(folder)
    if made is None or made.stage not in FILES:
        raise UserError(f"the training in {folder} has not finished: it has no stamp", AGAIN)
    found = PackSource(folder, folder.parents[1] if labeler else place_of(folder).runs, made)
    changed = [name for name in FILES[found.stage] if not _is_recorded(folder / name, made)]
    if changed:
        wrong = f"{folder / changed[0]} is not the file that this training has written"
        raise UserError(wrong, f"Train it again; see: sorn verify {found.dataset}-{TRAINED}")
    return found


def public(command: RunCommand) -> RunCommand:
    """Command without folders of this machine.

    Of a path, the name of the file is left.
    """
    named = {name: _name(getattr(command, name)) for name in ("dataset", "config")}
    sets = tuple(re.sub(r"(?<==)([\"']?)[~/.][^\"']*/", r"\1", option) for option in command.set)
    init = None if command.init is None else _name(command.init)
    return replace(command, **named, set=sets, init=init, runs=RUNS, data_root=DATA_ROOT)


def _name(text: str) -> str:
    return PurePath(text).name if "/" in text else text


def _labeler_folder(run: str, runs: Path, data_root: Path) -> Path:
    folder = find_output(run, runs, "labeler", LABELER_WEIGHTS)
    if folder is None:
        folder = Run.find(run, runs, data_root).paths.folder("labeler")
    if not (folder / LABELER_WEIGHTS).is_file():
        raise UserError(f"{folder} holds no DANet", "Train one, for example: make labeler DATASET=synped")
    return folder


def _is_recorded(path: Path, made: Stamp) -> bool:
    entry = made.outputs.get(path.name)
    return entry is not None and path.is_file() and digest_file(path) == entry[0]
