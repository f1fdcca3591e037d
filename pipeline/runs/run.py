"""One run: its command, options, paths, manifest and records, each read once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.datasets.discovery import find_root
from pipeline.datasets.manifest import Manifest, known_datasets, load_manifest
from pipeline.datasets.records import IdNames, ImageFile, ImageRecord, moved, read_rows
from pipeline.datasets.summary import DataSummary, read_summary
from pipeline.errors import UserError
from pipeline.io.text import read_text
from pipeline.runs import stamp
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.command import DATA_ROOT, OWN, RunCommand
from pipeline.runs.config import Config, Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.find import find_run, finished_trainings, folder_names, is_run, no_run, place_of
from pipeline.runs.layout import EVALUATIONS_FROM, EXPERIMENTS, EXPORT, TABLES, Paths, labeler_of_folder
from pipeline.runs.origin import moved_with_runs, present_file
from pipeline.runs.result_paths import Exported, TablesPaths
from pipeline.runs.stamp import Stamp

DEFAULT_CONFIG = "paper"  # for a dataset without a manifest
UNKNOWN_FILE = "<"  # before the name of a dataset whose file is unknown
STAGES = ("data", "labeler", "masks", "train", "eval")  # in order
SHARED = tuple(name for name in STAGES if name not in OWN)


@dataclass(frozen=True)
class OutputFolder:
    """Output folder of a run.

    stage: name of its stage, or TABLES or EXPORT. run: as the stage takes it.
    """

    stage: str
    folder: Path
    run: Run


@dataclass(frozen=True)
class Run:
    """One run in memory.

    paths: of its files. command: the command that makes it. options: its configuration if it is known already;
    otherwise `config` loads the one of the command.
    """

    paths: Paths
    command: RunCommand
    runtime: Runtime = dataclasses.field(default_factory=Runtime)
    options: Config | None = None

    @staticmethod
    def of(config: Config, paths: Paths) -> Run:
        """Run with this configuration, independent of a command."""
        return Run(paths, _plain_command(paths), config.runtime, config)

    @staticmethod
    def at(paths: Paths) -> Run:
        """Run of these paths, with the default options of the manifest."""
        return Run(paths, _plain_command(paths))

    @staticmethod
    def find(text: str | Path, runs: Path, data_root: Path) -> Run:
        """Existing run with a name or path.

        text: name of a run below `runs`, of an experiment (market1501-densepose/experiments/small), or the path of
        either, of a folder in it, or of a file there (features.h5). Raises UserError if there is no such run.
        """
        if str(text) in known_datasets():
            wrong = f"'{text}' is a dataset, and a run is called <dataset>-<labeler>"
            raise UserError(wrong, f"Write: --dataset {text}")
        place = find_run(text, runs)
        if place is None:
            raise no_run(Path(text), runs)
        dataset, _, spelled = place.name.rpartition("-")
        labeler = labeler_of_folder(spelled)
        if not dataset or not is_run(place.runs / place.name):
            wrong = f"{place.runs / place.name} is no run: those are called <dataset>-<labeler>"
            raise UserError(wrong, "Give one that `make masks` or a later stage has made, or a folder in it.")
        given = dataset if dataset in known_datasets() else f"{UNKNOWN_FILE}the .toml or .csv of {dataset}>"
        source = _source(place.evaluated, place.runs) if place.evaluated else None
        paths = Paths(given, labeler, data_root, place.runs, source, dataset, place.experiment)
        return Run.at(paths)._as_it_was_made()

    def asked_for(self, config: str, options: tuple[str, ...], init: str | None, runtime: Runtime) -> Run:
        """Run with further options of the command line.

        config: another preset or file replaces all options that the run was made with; "" keeps them.
        """
        made = self.command
        if config:
            command = replace(made, config=config, config_text=None, set=options, init=init)
        else:
            command = replace(made, set=(*made.set, *options), init=made.init if init is None else init)
        return replace(self, command=command, runtime=runtime)

    def of_dataset(self, dataset: str) -> Run:
        """Run with the dataset as the user typed it."""
        return replace(self, paths=replace(self.paths, dataset=dataset), command=replace(self.command, dataset=dataset))

    @cached_property
    def config(self) -> Config:
        """Configuration of the run. Raises UserError as `load_config` does."""
        if self.options is not None:
            return self.options
        overrides = self.command.overrides
        if self.paths.trained_on:  # the images must have the size of the checkpoint's training images
            size = describe(self.paths.folder("train")).image_size
            overrides = (f"masks.image_size={list(size)}", *overrides)
        return load_config(self.config_name, overrides, self.runtime)

    @property
    def config_name(self) -> str:
        """Preset or file of the configuration."""
        if self.command.config:
            return self.command.config
        return DEFAULT_CONFIG if self.paths.dataset.startswith(UNKNOWN_FILE) else self.manifest.default_config

    @cached_property
    def manifest(self) -> Manifest:
        """Manifest of the dataset. Raises UserError for an unknown dataset."""
        return load_manifest(self.paths.dataset)

    @cached_property
    def rows(self) -> list[tuple[ImageRecord, ImageFile]]:
        """Rows of records.csv.

        Paths are those of now. Raises UserError if the file is missing or damaged.
        """
        rows = read_rows(self.paths.records, self.paths.dataset)
        with contextlib.suppress(UserError):  # without the summary nobody knows where they lay
            return moved(rows, Path(self.summary.root), self.root)
        return rows

    @property
    def records(self) -> list[ImageRecord]:
        return [record for record, _ in self.rows]

    @cached_property
    def summary(self) -> DataSummary:
        """Content of summary.json.

        Raises UserError if the file is missing or damaged.
        """
        return read_summary(self.paths.data_summary, self.paths.dataset)

    @property
    def names(self) -> IdNames:
        """Identities and cameras as the dataset writes them.

        Numbers where the summary is missing or damaged.
        """
        try:
            return self.summary.names
        except UserError:
            return IdNames()

    @cached_property
    def root(self) -> Path:
        """Folder of the dataset, absolute.

        It is where the dataset is now, or where it was if it is not found.
        """
        if not self.paths.dataset.startswith(UNKNOWN_FILE):
            with contextlib.suppress(UserError):
                return find_root(self.manifest, self.paths.data_root)
        return moved_with_runs(Path(self.summary.root), self.paths)

    def stamp(self, stage: str) -> Stamp | None:
        return stamp.read(self.paths.folder(stage))

    def finished(self, stage: str) -> Stamp:
        """Stamp of a finished stage.

        Raises UserError without a stamp, with the command that makes it.
        """
        made = self.stamp(stage)
        if made is None:
            source = self.paths.trained_on if stage == "train" else None
            wrong = f"the {stage} stage of {source or self.paths.dataset} has not finished"
            again = f"make train DATASET={source}" if source else self.make(stage)
            raise UserError(f"{wrong}: no stamp in {self.paths.folder(stage)}", f"Run: {again}")
        return made

    @property
    def recorded(self) -> RunCommand:
        """Command for a stamp, with the content of its configuration file."""
        path = Path(self.command.config)
        if path.suffix != ".toml" or not path.is_file():
            return self.command
        return replace(self.command, config_text=read_text(path))

    def remembered(self, made: Stamp | None, stage: str) -> str | None:
        """Command line that made a stage; None if it is unknown.

        made: stamp of the stage. The folder of runs is the present one.
        """
        if made is None or made.command is None:
            return None
        return replace(made.command, runs=self.command.runs).make(stage)

    def make(self, stage: str) -> str:
        """Command line that makes a stage."""
        return self.command.make(stage)

    def variant(self, experiment: str, trained_on: str = "", options: tuple[str, ...] = ()) -> Run:
        """Experiment on the shards of this run.

        options: further options, as for --set.
        """
        source = trained_on or None
        command = replace(
            self.command, experiment=experiment, trained_on=source, set=(*self.command.overrides, *options), init=None
        )
        config = load_config(self.config_name, command.set, self.runtime)
        return Run(replace(self.paths, experiment=experiment, trained_on=source), command, self.runtime, config)

    def folders(self) -> list[OutputFolder]:
        """Output folders of the run.

        Folders of stages and tables are listed even if they do not exist. Experiments, exports and evaluations with
        other checkpoints are listed if they exist. For an experiment, the tables and other experiments are left out.
        """
        plain = self._at(experiment="", trained_on=None)
        owners = [plain]
        if self.paths.experiment:
            owners.append(self._at(trained_on=None))
        else:
            names = folder_names(self.paths.runs / self.paths.run_name / EXPERIMENTS)
            owners += [plain._at(experiment=name) for name in names]
        folders = [OutputFolder(name, self.paths.folder(name), plain) for name in SHARED]
        folders += [folder for owner in owners for folder in owner._owned()]
        if not self.paths.experiment:
            folders.append(OutputFolder(TABLES, TablesPaths.of(self.paths).folder, plain))
        return folders

    def _owned(self) -> Iterator[OutputFolder]:
        """Folders of one experiment, or of the run's own training and evaluation."""
        for name in OWN:
            yield OutputFolder(name, self.paths.folder(name), self)
        owner = self.paths.folder("train").parent
        for name in folder_names(owner):
            if name.startswith(EVALUATIONS_FROM):
                run = self._at(trained_on=_source(name.removeprefix(EVALUATIONS_FROM), self.paths.runs))
                yield OutputFolder("eval", owner / name, run)
        exported = Exported.of(self.paths.folder("train")).folder
        if exported.is_dir():
            yield OutputFolder(EXPORT, exported, self)

    def _at(self, **changes: str | None) -> Run:
        """Run with another experiment or checkpoint; its options can be others."""
        changed: Any = changes
        return replace(self, paths=replace(self.paths, **changed), command=replace(self.command, **changed))

    def _as_it_was_made(self) -> Run:
        """Run with the command of its latest stage whose stamp has one; the folders are the present ones."""
        for stage in ("eval", "train", "masks"):
            try:
                made = self.stamp(stage)
            except UserError:  # `sorn verify` names a damaged stamp
                continue
            if made is not None and made.command is not None:
                return self._made_by(made.command)
        return self

    def _made_by(self, old: RunCommand) -> Run:
        usual = self.paths.data_root == Path(DATA_ROOT)
        root = Path(old.data_root) if usual else self.paths.data_root
        paths = replace(self.paths, dataset=present_file(old.dataset, self.paths), labeler=old.labeler, data_root=root)
        options = {name: getattr(old, name) for name in ("config", "set", "init", "config_text")}
        return replace(self, paths=paths, command=replace(_plain_command(paths), **options))


def _plain_command(paths: Paths) -> RunCommand:
    return RunCommand(
        paths.dataset,
        paths.labeler,
        trained_on=paths.trained_on,
        experiment=paths.experiment,
        data_root=str(paths.data_root),
        runs=str(paths.runs),
    )


def _source(spelled: str, runs: Path) -> str:
    """Full name of the run in the name of an evaluation's folder, eval-from-a-b-experiments-c."""
    trainings = [*runs.glob("*/train"), *runs.glob(f"*/{EXPERIMENTS}/*/train")]
    names = [place_of(folder).full_name for folder in trainings]
    return {name.replace("/", "-"): name for name in (*names, *finished_trainings(runs))}.get(spelled, spelled)
