"""Every training and evaluation below a folder of runs, and their differences.

Reads stamps, config.json and report.json. No torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.evaluation.report import Report, read_report
from pipeline.evaluation.saved import Evaluated
from pipeline.runs import stamp
from pipeline.runs.command import DATA_ROOT, RUNS, assigned
from pipeline.runs.find import finished_trainings, folder_names, is_run, place_of
from pipeline.runs.layout import EVALUATIONS_FROM, EXPERIMENTS, REPORT, STAMP
from pipeline.runs.stored_options import ADDED

NOT_COMPARED = ("versions.", "checkpoint_sha256", "start.sha256", "pids", "dataset", "trained_on")  # or shown elsewhere
DIGEST = 64  # letters of a sha256, of which the first few are shown


@dataclass(frozen=True)
class FoundEvaluation:
    """One evaluation.

    name: of its run, and of the run whose checkpoint it is of, if that is another. folder: of report.html. finished:
    time of its report. wrong: why its report cannot be read, "" if it can.
    """

    name: str
    folder: Path
    finished: datetime
    report: Report | None
    wrong: str = ""

    @property
    def trained_on(self) -> str:
        """Full name of the run, or of the network that ships."""
        return self.report.provenance.trained_on if self.report else ""

    @property
    def setting(self) -> tuple[str, str, str]:
        """Dataset, split and protocol."""
        assert self.report is not None, "an unreadable report has no setting"
        config = self.report.provenance.config
        return self.report.dataset.name, config.split, config.protocol

    @cached_property
    def options(self) -> dict[str, object]:
        """Every option of the evaluation and its training: name -> value."""
        if self.report is None:
            return {}
        found = Evaluated(self.name, self.folder, self.report, {}).options()
        return {name: value for name, value in found.items() if not name.startswith(NOT_COMPARED)}


@dataclass(frozen=True)
class MissingCell:
    """A finished training without an evaluation on a dataset, with its command."""

    trained_on: str
    dataset: str
    command: str


@dataclass(frozen=True)
class Overview:
    """All runs of a folder.

    evaluations: by name. trainings: full names of the finished ones. datasets: name -> as the command line takes it,
    with the folder of the datasets, of those whose images are known.
    """

    runs: Path
    evaluations: list[FoundEvaluation]
    trainings: list[str]
    datasets: dict[str, tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def groups(self) -> dict[tuple[str, str, str], list[FoundEvaluation]]:
        """Dataset, split and protocol -> its evaluations, the highest mAP first."""
        found: dict[tuple[str, str, str], list[FoundEvaluation]] = {}
        for one in sorted(self.readable, key=lambda one: (one.setting, -_headline(one)["mAP"])):
            found.setdefault(one.setting, []).append(one)
        return found

    @property
    def readable(self) -> list[FoundEvaluation]:
        return [one for one in self.evaluations if one.report is not None]

    @cached_property
    def cells(self) -> dict[tuple[str, str], FoundEvaluation]:
        """Trained on, tested on -> the newest evaluation.

        It is one of the test split under the default protocol.
        """
        newest = sorted(self.readable, key=lambda one: one.finished)
        return {(one.trained_on, one.setting[0]): one for one in newest if one.setting[1:] == ("test", "default")}

    @property
    def rows(self) -> list[str]:
        """Networks of the matrix.

        They are the runs' own trainings, and whatever else was evaluated on another dataset.
        """
        own = [name for name in self.trainings if "/" not in name]
        crossed = [one.trained_on for one in self.readable if place_of(one.folder).evaluated]
        return list(dict.fromkeys([*own, *sorted(crossed)]))

    @property
    def columns(self) -> list[str]:
        """Datasets of the matrix."""
        return sorted({*self.datasets, *(tested for _, tested in self.cells)})

    def missing(self) -> list[MissingCell]:
        """Cells of the matrix without an evaluation."""
        return [
            MissingCell(row, column, self._command(row, column))
            for row in self.rows
            for column in self.columns
            if (row, column) not in self.cells and column in self.datasets
        ]

    def unevaluated(self) -> list[str]:
        """Finished trainings without any evaluation."""
        seen = {one.trained_on for one in self.readable}
        return [name for name in self.trainings if name not in seen]

    def _command(self, row: str, column: str) -> str:
        dataset, data_root = self.datasets[column]
        variables = {"DATASET": dataset}
        name, _, experiment = row.partition(f"/{EXPERIMENTS}/")
        if name.rpartition("-")[0] == column and row in self.trainings:  # the evaluation of the run itself
            variables |= {"LABELER": name.rpartition("-")[2], "EXPERIMENT": experiment}
        else:
            variables["TRAINED_ON"] = row
        variables["DATA_ROOT"] = "" if Path(data_root) == Path(DATA_ROOT) else data_root
        variables["RUNS"] = "" if self.runs == Path(RUNS) else str(self.runs)
        return " ".join(["make eval", *(assigned(key, value) for key, value in variables.items() if value)])


def collect(runs: Path) -> Overview:
    """All runs of a folder. Raises UserError where there are none."""
    names = [name for name in folder_names(runs) if is_run(runs / name)]
    folders = [folder for name in names for folder in (runs / name, *sorted((runs / name / EXPERIMENTS).glob("*/")))]
    found = [_evaluation(path) for folder in folders for path in sorted(folder.glob(f"eval*/{REPORT}"))]
    trainings = finished_trainings(runs)
    if not found and not trainings:
        raise UserError(
            f"there is no training and no evaluation in {runs}", "Run make demo, or name the folder: --runs"
        )
    return Overview(runs, found, trainings, dict(_datasets(runs)))


def _evaluation(path: Path) -> FoundEvaluation:
    place, when = place_of(path), datetime.fromtimestamp(path.stat().st_mtime, UTC)
    name = f"{place.full_name}/{EVALUATIONS_FROM}{place.evaluated}" if place.evaluated else place.full_name
    try:
        return FoundEvaluation(name, path.parent, when, read_report(path))
    except (OSError, ValueError) as error:
        return FoundEvaluation(name, path.parent, when, None, reason(error))


def _datasets(runs: Path) -> Iterable[tuple[str, tuple[str, str]]]:
    """Datasets whose data stage has finished."""
    for path in sorted(runs.glob(f"*/data/{STAMP}")):
        name = path.parents[1].name
        made = stamp.read(path.parent)
        command = made.command if made else None
        yield name, (command.dataset, command.data_root) if command else (name, DATA_ROOT)


def _headline(one: FoundEvaluation) -> Mapping[str, float]:
    assert one.report is not None, "only those that can be read are shown"
    return one.report.metrics[one.report.fullest].figures


def differing(group: list[FoundEvaluation]) -> list[list[str]]:
    """Options of every evaluation of a group that differ from the usual.

    They read "train.seed=1". The usual value of an option is the one that most of them have, the first in a tie.
    """
    names = list(dict.fromkeys(name for one in group for name in one.options))
    values = {name: [_text(one.options.get(name, ADDED.get(name))) for one in group] for name in names}
    usual = {name: Counter(found).most_common(1)[0][0] for name, found in values.items()}
    return [
        [f"{name}={values[name][place]}" for name in names if values[name][place] != usual[name]]
        for place in range(len(group))
    ]


def _text(value: object) -> str:
    """Value in short. A missing option is "not set"."""
    text = "not set" if value is None else value if isinstance(value, str) else json.dumps(value)
    return f"{text[:12]}..." if len(text) == DIGEST and set(text) <= set("0123456789abcdef") else text
