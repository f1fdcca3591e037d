"""Command that made a run, as stamps store it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

DATA_ROOT, RUNS = "data", "runs"  # defaults of the command line
OWN = ("train", "eval")  # stages of which every experiment has its own


@dataclass(frozen=True)
class RunCommand:
    """Command that made a run.

    dataset, data_root, runs: as typed. config: preset or file as typed, "" for the default of the manifest.
    config_text: content of the file. set: all --set options, in order. init, trained_on: None if not given; trained_on
    is the full name of a run.
    """

    dataset: str
    labeler: str
    config: str = ""
    set: tuple[str, ...] = ()
    init: str | None = None
    trained_on: str | None = None
    experiment: str = ""
    data_root: str = DATA_ROOT
    runs: str = RUNS
    config_text: str | None = None

    def __post_init__(self) -> None:
        """Turn the list that JSON has for a tuple into a tuple. Raises TypeError for a field of a wrong type."""
        object.__setattr__(self, "set", tuple(self.set))
        texts = (self.dataset, self.labeler, self.config, *self.set, self.experiment, self.data_root, self.runs)
        optional = (self.init, self.trained_on, self.config_text)
        if not all(isinstance(text, str) for text in texts) or any(isinstance(v, int | list | dict) for v in optional):
            raise TypeError("its command holds something else than text")

    @property
    def overrides(self) -> tuple[str, ...]:
        """Overrides of --set and --init, in the form of --set."""
        return self.set if self.init is None else (*self.set, f"train.init={json.dumps(self.init, ensure_ascii=False)}")

    @property
    def arguments(self) -> str:
        """Value of ARGS: all --set options, quoted for make's shell."""
        return " ".join(f"--set {shlex.quote(option)}" for option in self.set)

    def make(self, stage: str) -> str:
        """Command line of make for a stage, quoted for a shell.

        stage: a stage, or another target of make.
        """
        variables = {"DATASET": self.dataset}
        if stage not in ("data", "labeler"):
            variables["LABELER"] = self.labeler
        if stage in ("eval", "clean"):
            variables["TRAINED_ON"] = self.trained_on or ""
        if stage in (*OWN, "clean"):
            variables["EXPERIMENT"] = self.experiment
        if stage != "data":
            variables |= {"CONFIG": self.config, "INIT": self.init or "", "ARGS": self.arguments}
        for name, value, usual in (("DATA_ROOT", self.data_root, DATA_ROOT), ("RUNS", self.runs, RUNS)):
            variables[name] = "" if Path(value) == Path(usual) else value
        return " ".join(["make", stage, *(assigned(name, value) for name, value in variables.items() if value)])


def assigned(name: str, value: str) -> str:
    """Variable on the command line of make: NAME=VALUE.

    The value is quoted if a shell or make would change it.
    """
    return f"{name}={shlex.quote(value.replace('$', '$$'))}"
