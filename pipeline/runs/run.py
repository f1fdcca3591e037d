"""One run: its command, options, paths, manifest and records, each read once."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.datasets.discovery import find_root
from pipeline.datasets.manifest import Manifest, known_datasets, load_manifest
from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import IdNames
from pipeline.datasets.records_file import read_records
from pipeline.datasets.summary import DataSummary, read_summary
from pipeline.errors import UserError
from pipeline.runs import stamp
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.command import DATA_ROOT, RunCommand
from pipeline.runs.config import Config, Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.config_record import as_recorded, usable
from pipeline.runs.find import find_run, full_name_of, is_run, no_run
from pipeline.runs.layout import Paths, labeler_of_folder
from pipeline.runs.origin import moved_with_runs, present_file
from pipeline.runs.recall import recall
from pipeline.runs.relocation import relocated
from pipeline.runs.shipped import require_sound_folder
from pipeline.runs.stamp import Stamp

DEFAULT_CONFIG = "paper"  # for a dataset without a manifest
UNKNOWN_FILE = "<"  # before the name of a dataset whose file is unknown
STAGES = ("data", "labeler", "masks", "train", "eval")  # in order


@dataclass(frozen=True)
class Run:
    """One run in memory.

    paths: of its files. command: the command that makes it. options: its configuration if it is known already;
    otherwise `config` loads the one of the command. recalled: the options that the stamps of the run have recorded, as
    variables of make, if they are used. consent: flags of the command line by which finished outputs may be replaced.
    """

    paths: Paths
    command: RunCommand
    runtime: Runtime = dataclasses.field(default_factory=Runtime)
    options: Config | None = None
    recalled: str = ""
    consent: frozenset[str] = frozenset()

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
        source = full_name_of(place.evaluated, place.runs) if place.evaluated else None
        paths = Paths(given, labeler, data_root, place.runs, source, dataset, place.experiment)
        return Run.at(paths).as_it_was_made(by_name=True)

    def asked_for(self, config: str, options: tuple[str, ...], init: str | None, runtime: Runtime) -> Run:
        """Run with further options of the command line.

        config: another preset or file replaces all options that the run was made with; "" keeps them, and an option
        replaces an earlier one of its name.
        """
        if config:
            command = replace(self.command, config=config, config_text=None, set=options, init=init)
            return replace(self, command=command, runtime=runtime, recalled="")
        return replace(self, command=self.command.adding(options, init), runtime=runtime)

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
            folder = self.paths.folder("train")
            require_sound_folder(folder)
            size = describe(folder).image_size
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
    def records(self) -> RecordTable:
        """Images of records.csv with their files.

        Paths are those of now. Raises UserError if the file is missing or damaged.
        """
        records = read_records(self.paths.records, self.make("data"))
        with contextlib.suppress(UserError):  # without the summary nobody knows where they lay
            return records.moved(Path(self.summary.root), self.root)
        return records

    @cached_property
    def summary(self) -> DataSummary:
        """Content of summary.json.

        Raises UserError if the file is missing or damaged.
        """
        return read_summary(self.paths.data_summary, self.make("data"))

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
            again = self._source_run(source).make(stage) if source else self.make(stage)
            raise UserError(f"{wrong}: no stamp in {self.paths.folder(stage)}", f"Run: {again}")
        return made

    def _source_run(self, name: str) -> Run:
        """Run whose checkpoint is evaluated."""
        return Run.find(self.paths.runs.absolute() / name, self.paths.runs, self.paths.data_root)

    @property
    def recorded(self) -> RunCommand:
        """Command for a stamp, with the content of its configuration file."""
        return as_recorded(self.command)

    def remembered(self, made: Stamp | None, stage: str) -> str | None:
        """Command line that made a stage; None if it is unknown.

        made: stamp of the stage. Dataset, folders and the files that its options name are at their present places.
        """
        if made is None or made.command is None:
            return None
        command = usable(made.command, self.paths.stamp(stage))
        present = relocated(command, self.paths, lambda: self.config_name)
        known = not self.paths.dataset.startswith(UNKNOWN_FILE)
        dataset = self.command.dataset if known else command.dataset
        folders = self.command.data_root, self.command.runs
        return replace(present, dataset=dataset, data_root=folders[0], runs=folders[1]).make(stage)

    def make(self, stage: str) -> str:
        """Command line that makes a stage, with the same flags."""
        return self.command.make(stage, *sorted(self.consent))

    def variant(self, experiment: str, trained_on: str = "", options: tuple[str, ...] = ()) -> Run:
        """Experiment on the shards of this run.

        options: further options, as for --set.
        """
        source = trained_on or None
        command = replace(
            self.command, experiment=experiment, trained_on=source, set=(*self.command.overrides, *options), init=None
        )
        config = load_config(self.config_name, command.set, self.runtime)
        paths = replace(self.paths, experiment=experiment, trained_on=source)
        return Run(paths, command, self.runtime, config, consent=self.consent)

    def at_other(self, **changes: str | None) -> Run:
        """Run with another experiment or checkpoint; its options can be others."""
        changed: Any = changes
        return replace(self, paths=replace(self.paths, **changed), command=replace(self.command, **changed))

    def as_it_was_made(self, by_name: bool = False) -> Run:
        """Run with the options that its stamps have recorded.

        The folders are the present ones. by_name: whether only the name of the run is known, so that its dataset and
        labeler are the recorded ones too.
        """
        made = recall(self.paths, lambda: self.config_name)
        if made is None:
            return self
        root = Path(made.data_root) if self.paths.data_root == Path(DATA_ROOT) else self.paths.data_root
        paths = replace(self.paths, data_root=root)
        if by_name:
            paths = replace(paths, dataset=present_file(made.dataset, self.paths), labeler=made.labeler)
        options = {name: getattr(made, name) for name in ("config", "set", "init", "config_text")}
        command = replace(_plain_command(paths), **options)
        return replace(self, paths=paths, command=command, recalled=command.options)


def _plain_command(paths: Paths) -> RunCommand:
    return RunCommand(
        paths.dataset,
        paths.labeler,
        trained_on=paths.trained_on,
        experiment=paths.experiment,
        data_root=str(paths.data_root),
        runs=str(paths.runs),
    )
