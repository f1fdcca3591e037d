"""Command that made a run, as stamps store it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.runs.option_names import full_name

DATA_ROOT, RUNS = "data", "runs"  # defaults of the command line
OWN = ("train", "eval")  # stages of which every experiment has its own
INIT = "train.init"  # the option of --init


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
        return self.set if self.init is None else (*self.set, f"{INIT}={json.dumps(self.init, ensure_ascii=False)}")

    @property
    def arguments(self) -> str:
        """Value of ARGS: all --set options, quoted for make's shell."""
        return " ".join(f"--set {shlex.quote(option)}" for option in self.set)

    @property
    def bare(self) -> RunCommand:
        """Command without options, which means those of the run's stamps."""
        return replace(self, config="", set=(), init=None, config_text=None)

    @property
    def options(self) -> str:
        """Options as variables of make; "" without any."""
        given = {"CONFIG": self.config, "INIT": self.init or "", "ARGS": self.arguments}
        return " ".join(assigned(name, value) for name, value in given.items() if value)

    def adding(self, options: tuple[str, ...], init: str | None = None) -> RunCommand:
        """Command with further options.

        options: as for --set; each replaces an earlier one of its name. init: None keeps the present one.
        """
        names = {_name(option) for option in options} | ({INIT} if init is not None else set())
        kept = tuple(option for option in self.set if _name(option) not in names)
        if init is None:
            init = None if INIT in names else self.init
        return replace(self, set=(*kept, *options), init=init)

    def make(self, stage: str, *flags: str) -> str:
        """Command line of make for a stage, quoted for a shell.

        stage: a stage, or another target of make. flags: further words of ARGS.
        """
        arguments = " ".join([*([self.arguments] if self.set else []), *flags])
        variables = {"DATASET": self.dataset}
        if stage not in ("data", "labeler"):
            variables["LABELER"] = self.labeler
        if stage in ("eval", "clean"):
            variables["TRAINED_ON"] = self.trained_on or ""
        if stage in (*OWN, "clean"):
            variables["EXPERIMENT"] = self.experiment
        if stage != "data":
            variables |= {"CONFIG": self.config, "INIT": self.init or "", "ARGS": arguments}
        for name, value, usual in (("DATA_ROOT", self.data_root, DATA_ROOT), ("RUNS", self.runs, RUNS)):
            variables[name] = "" if Path(value) == Path(usual) else value
        return " ".join(["make", stage, *(assigned(name, value) for name, value in variables.items() if value)])


def _name(option: str) -> str:
    """Present name of the option in an argument of --set."""
    return full_name(option.partition("=")[0].strip())


def assigned(name: str, value: str) -> str:
    """Variable on the command line of make: NAME=VALUE.

    The value is quoted if a shell or make would change it, in double quotes where it has single ones.
    """
    text = value.replace("$", "$$")
    plain = "'" in text and not set(text) & set('"$`\\!\n')
    return f'{name}="{text}"' if plain else f"{name}={shlex.quote(text)}"
