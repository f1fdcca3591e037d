"""Stages of a run as calls in Python: `from pipeline import Run`.

    run = Run("market1501", labeler="danet")
    run.train()
    report = run.evaluate()

A call takes the options of the command line and returns what the stage has made. No torch at import time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.cli.options import consent, meant, named_by_options, stages
from pipeline.datasets.summary import DataSummary
from pipeline.errors import UserError
from pipeline.evaluation.label_report import LabelReport, read_label_report
from pipeline.evaluation.report import Report, read_report
from pipeline.io.csv_table import read_table
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.config import Runtime
from pipeline.runs.config_record import setting
from pipeline.runs.layout import WEIGHTS, Paths
from pipeline.runtime.logs import log_to_terminal, warnings_only
from pipeline.runtime.progress import silence
from pipeline.stages import driver
from pipeline.stages.driver import State


@dataclass(frozen=True)
class TrainedNetwork:
    """Finished training.

    folder: of the checkpoint. info: contents of config.json. scalars: name -> step -> value, as in scalars.csv.
    """

    folder: Path
    info: CheckpointInfo
    scalars: Mapping[str, Mapping[int, float]]

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS


class RunCalls:
    """One run, whose stages are calls.

    dataset: a name, a manifest or a CSV. labeler, config, init, trained_on, experiment: as on the command line, "" for
    what the command line takes without them. options: name of an option -> value, as `--set`. retrain, relabel: whether
    a finished training, finished labels may be replaced by those with other options. quiet: no messages and no
    progress; warnings go to logging. Raises UserError with a remedy for whatever cannot be used.

    Every call first runs the stages before it that are stale, and returns at once where nothing changed.
    """

    def __init__(
        self,
        dataset: str = "synped_demo",
        labeler: str = "",
        *,
        config: str = "",
        options: Mapping[str, object] | None = None,
        init: str = "",
        trained_on: str = "",
        experiment: str = "",
        data_root: str | Path = "data",
        runs: str | Path = "runs",
        device: str = "auto",
        workers: int = 2,
        retrain: bool = False,
        relabel: bool = False,
        quiet: bool = True,
    ) -> None:
        try:
            runtime = Runtime(workers, device)
        except ValueError as error:
            raise UserError(str(error), "Correct that argument.") from error
        overrides = tuple(setting(name, value) for name, value in (options or {}).items())
        named = named_by_options(
            str(dataset), labeler or None, Path(data_root), Path(runs), trained_on or None, experiment
        )
        chosen = meant([one.asked_for(config, overrides, init or None, runtime) for one in named])
        _ = chosen.config  # raises UserError for a wrong option now
        self._run, self.quiet = replace(chosen, consent=consent(relabel, retrain)), quiet

    @property
    def paths(self) -> Paths:
        """Paths of its files, such as `paths.report_html`."""
        return self._run.paths

    def data(self) -> DataSummary:
        """Find the images, or render those of SynPed."""
        self._make("data")
        return replace(self._run).summary

    def masks(self) -> LabelReport:
        """Label body parts; train the labeler before, if it needs that."""
        self._make("masks")
        return read_label_report(self.paths.label_report_json)

    def train(self) -> TrainedNetwork:
        """Train SORN."""
        self._make("train")
        folder = self.paths.folder("train")
        return TrainedNetwork(folder, describe(folder), _scalars(self.paths.scalar_table))

    def evaluate(self) -> Report:
        """Extract features, and evaluate them."""
        self._make("eval")
        return read_report(self.paths.report_json)

    def status(self) -> list[State]:
        """State of every stage of the run, in order."""
        available, run = stages(), replace(self._run)
        return [driver.state(available[name], run) for name in driver.chain(run)]

    def _make(self, last: str) -> None:
        """Run the stages up to `last`, as far as they are stale."""
        available = stages()
        with self._voice():
            for name in driver.chain(self._run):
                driver.execute(available, name, replace(self._run))  # a new Run reads again what an earlier stage wrote
                if name == last:
                    return
        raise UserError(
            f"{self.paths.run_name} has no stage {last}: its checkpoint is that of {self.paths.trained_on}",
            "Call evaluate(), or leave trained_on out.",
        )

    @contextlib.contextmanager
    def _voice(self) -> Iterator[None]:
        if self.quiet:
            with silence(), warnings_only():
                yield
        else:
            log_to_terminal()
            yield


def _scalars(path: Path) -> dict[str, dict[int, float]]:
    """Scalars of a training; none of one that an older program made."""
    if not path.is_file():
        return {}
    scalars: dict[str, dict[int, float]] = {}
    for _, row in read_table(path, ("step", "name", "value"), "Train again."):
        scalars.setdefault(row["name"], {})[int(row["step"])] = float(row["value"])
    return scalars
