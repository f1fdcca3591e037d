"""The command that made a run, as make takes it. Reads and writes nothing; a stamp stores it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

DATA_ROOT, RUNS = "data", "runs"  # where the command line looks if nobody says otherwise
OWN = ("train", "eval")  # stages of which every experiment has its own


@dataclass(frozen=True)
class RunCommand:
    """dataset, data_root, runs: as typed. config: preset or file as typed, "" for the manifest's own; config_text: what
    the file said. set: every --set, in order. init, trained_on: None where not given; trained_on is a run's full name.
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
        """Also reads what JSON made of a tuple. Raises TypeError for a field of another kind."""
        object.__setattr__(self, "set", tuple(self.set))
        texts = (self.dataset, self.labeler, self.config, *self.set, self.experiment, self.data_root, self.runs)
        optional = (self.init, self.trained_on, self.config_text)
        if not all(isinstance(text, str) for text in texts) or any(isinstance(v, int | list | dict) for v in optional):
            raise TypeError("its command holds something else than text")

    @property
    def overrides(self) -> tuple[str, ...]:
        """Everything that --set and --init say, as --set says it."""
        return self.set if self.init is None else (*self.set, f"train.init={json.dumps(self.init)}")

    @property
    def arguments(self) -> str:
        """The value of ARGS: every --set, quoted for the shell that make starts."""
        return " ".join(f"--set {shlex.quote(option)}" for option in self.set)

    def make(self, stage: str) -> str:
        """The line that makes a stage of this run, or another target of make, quoted for a shell."""
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
    """A variable of make on its command line: NAME=VALUE, with quotes where a shell or make would change the value."""
    return f"{name}={shlex.quote(value.replace('$', '$$'))}"
