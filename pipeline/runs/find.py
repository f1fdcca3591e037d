"""Search for runs, experiments and stage folders by name or path."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.manifest import known_datasets, load_manifest
from pipeline.errors import UserError, did_you_mean, nearest
from pipeline.runs.command import assigned
from pipeline.runs.layout import (
    DESCRIPTION,
    EVALUATIONS_FROM,
    EXPERIMENTS,
    EXPORT,
    LEAVING,
    OWN_FILES,
    STAMP,
    TABLES,
    WEIGHTS,
    Paths,
    evaluation_name,
    training_folder,
)
from pipeline.runs.origin import recorded
from pipeline.runs.replacement import settle
from pipeline.runs.shipped import find_shipped, known_networks, shipped_names

logger = logging.getLogger(__name__)

INSIDE = (*OWN_FILES, EXPORT)  # names of folders inside a run


@dataclass(frozen=True)
class RunPlace:
    """Place of a run on the disk.

    name: of its folder in `runs`. experiment: "" for the run's own training and evaluation. evaluated: the run whose
    checkpoint it evaluates, in the spelling of the folder; "" for its own.
    """

    runs: Path
    name: str
    experiment: str = ""
    evaluated: str = ""

    @property
    def folder(self) -> Path:
        """Folder with train and eval."""
        run = self.runs / self.name
        return run / EXPERIMENTS / self.experiment if self.experiment else run

    @property
    def full_name(self) -> str:
        """Name for TRAINED_ON: market1501-densepose, market1501-densepose/experiments/small."""
        return self.folder.relative_to(self.runs).as_posix()


def place_of(path: Path) -> RunPlace:
    """Run to which a folder or file belongs.

    path: folder of a run, of one of its stages, or a file or folder in them.
    """
    folder = path if path.is_dir() else path.parent
    folder = folder.resolve() if folder.name in ("", "..") else folder
    if (folder.name in INSIDE and not _has_stages(folder)) or folder.name.startswith(EVALUATIONS_FROM):
        evaluated = folder.name.removeprefix(EVALUATIONS_FROM) if folder.name.startswith(EVALUATIONS_FROM) else ""
        folder = _parent(folder)
    else:
        evaluated = ""
    if _parent(folder).name == EXPERIMENTS:
        run = _parent(_parent(folder))
        return RunPlace(_parent(run), run.name, folder.name, evaluated)
    return RunPlace(_parent(folder), folder.name, "", evaluated)


def find_run(text: str | Path, runs: Path) -> RunPlace | None:
    """Run of a name below `runs`, or of a path in it.

    Returns None if nothing exists under that name or path.
    """
    for path in _meant(text, runs):
        if path.exists():
            return place_of(path)
    return None


def find_trained(text: str | Path, runs: Path) -> RunPlace:
    """Finished run, or network that ships, whose checkpoint is evaluated.

    text: name or file of its dataset (market1501, mine.csv), or as for `find_run`, or the name of a network that ships,
    which has the place of a run of that name. Raises UserError for no such run, for several, and for a damaged network.
    """
    found = _find_trained(text, runs)
    _require_own_folder(found)
    return found


def _find_trained(text: str | Path, runs: Path) -> RunPlace:
    finished = finished_trainings(runs)
    given = find_run(text, runs)
    if given is not None and given.full_name in finished and given.runs.resolve() == runs.resolve():
        return _told_of_own(text, RunPlace(runs, given.name, given.experiment))
    dataset = _dataset_name(text, runs)
    chosen = [name for name in finished if "/" not in name and name.rpartition("-")[0] == dataset]
    if len(chosen) == 1:
        return _told_of_own(text, RunPlace(runs, chosen[0]))
    if chosen:
        raise UserError(f"several runs were trained on {text}: {', '.join(chosen)}", "Name one as TRAINED_ON.")
    shipped = find_shipped(str(text))
    if shipped is not None:
        return RunPlace(runs, shipped.require("train", "a search or an evaluation").name)
    datasets = {name.rpartition("-")[0] for name in finished if "/" not in name}
    meant = did_you_mean(str(text), [*sorted(datasets), *finished, *shipped_names()])
    found = f"{meant}Found: {', '.join(finished) or 'none'}. {known_networks()} {_train(text, runs, given)}"
    raise UserError(f"no finished training run of '{text}' in {runs}", found)


def _train(text: str | Path, runs: Path, given: RunPlace | None) -> str:
    """Way to a training of what was named: an unfinished run, a dataset, or neither."""
    if given is not None and given.runs.resolve() == runs.resolve() and is_run(given.runs / given.name):
        return f"Run: sorn train {shlex.quote(given.full_name)} --runs {shlex.quote(str(runs))}"
    known = str(text) in known_datasets() or Path(text).is_file()
    return f"Name one, or run: make train {assigned('DATASET', str(text) if known else 'NAME')}"


def _told_of_own(text: str | Path, place: RunPlace) -> RunPlace:
    """The user's own run, which is taken before a network of that name that ships."""
    if str(text) in shipped_names():
        logger.info(f"{text}: your own run {place.full_name} is taken, not the network of this name that ships")
    return place


def _dataset_name(text: str | Path, runs: Path) -> str:
    """Name of a dataset that is given by its name or its file.

    Raises UserError where the folder of that name belongs to another file.
    """
    if Path(text).suffix.lower() not in (".csv", ".toml") or not Path(text).is_file():
        return str(text)
    paths = Paths(str(text), "", Path(), runs, name=load_manifest(str(text)).name)
    known = recorded(paths)
    if known is not None and not known.may_be_of(Path(text)):
        wrong = f"{paths.folder('data').parent} holds the results of {known.place}, not of {text}"
        raise UserError(wrong, f"Train on it, in another folder: make train {assigned('DATASET', str(text))}")
    return paths.dataset_name


def _require_own_folder(place: RunPlace) -> None:
    """Raise UserError if evaluations of another run would have the same folder."""
    spelled = evaluation_name(place.full_name)
    names = [name for name in finished_trainings(place.runs) if evaluation_name(name) == spelled]
    others = [name for name in names if name != place.full_name]
    if not others:
        return
    nested = next(name for name in (place.full_name, *others) if "/" in name)
    old, new = (shlex.quote(str(place.runs / name)) for name in (nested, f"{nested}-2"))
    wrong = f"evaluations of {place.full_name} and of {others[0]} would have one folder, {EVALUATIONS_FROM}{spelled}"
    raise UserError(wrong, f"Rename the experiment: mv {old} {new}")


def find_training(model: str | Path, runs: Path) -> Path:
    """Folder of a training.

    model: path of the folder, of a file in it or of its run, or as for `find_trained`. Raises UserError if there is no
    such training, and for a damaged network that ships.
    """
    needed = (WEIGHTS, DESCRIPTION)
    for folder in _folders(model, runs, "train"):
        settle(folder)
        missing = [name for name in needed if not (folder / name).is_file()]
        if len(missing) == 1:
            wrong = f"{folder} holds no {missing[0]}"
            raise UserError(wrong, f"{WEIGHTS} and {DESCRIPTION} of a training belong together.")
        if not missing:
            _told_of_own(model, place_of(folder))
            return folder
    named = str(model) in shipped_names()
    if not named and (Path(model).is_dir() or len(Path(model).parts) not in (1, 3)):
        raise UserError(
            f"{model} holds no trained network: no {WEIGHTS} and no {DESCRIPTION}",
            f"Give the folder of a training, or the name of a run in {runs}.",
        )
    return training_folder(runs, _find_trained(model, runs).full_name)


def find_output(text: str | Path, runs: Path, stage: str, file: str) -> Path | None:
    """Folder of a stage with a certain file; None without one.

    text: name or path of a run or an experiment, path of the stage's folder, or of a file in it.
    """
    found = next((folder for folder in _folders(text, runs, stage) if (folder / file).is_file()), None)
    if found is not None:
        settle(found)
    return found


def finished_trainings(runs: Path) -> list[str]:
    """Full names of the runs and experiments that have a finished training."""
    places = [*runs.glob(f"*/train/{STAMP}"), *runs.glob(f"*/{EXPERIMENTS}/*/train/{STAMP}")]
    return sorted(path.parents[1].relative_to(runs).as_posix() for path in places)


def _meant(text: str | Path, runs: Path) -> list[Path]:
    given = Path(text)
    return [given] if given.is_absolute() else [runs / given, given]


def _folders(text: str | Path, runs: Path, stage: str) -> Iterator[Path]:
    """Possible folders of a stage. The last is beside another stage of the same run, as eval beside train."""
    for path in _meant(text, runs):
        folder = path.parent if path.is_file() else path
        yield from (folder, folder / stage)
        if folder.is_dir():
            yield place_of(folder).folder / stage


def _has_stages(folder: Path) -> bool:
    """Whether a folder has stages: so it is a run, even if its name is that of a stage."""
    return any((folder / name).is_dir() for name in ("masks", "train", "eval"))


def _parent(folder: Path) -> Path:
    """Parent of a folder, also of a relative path without one."""
    return folder.parent if folder.parent != folder and folder.parent.name else folder.absolute().parent


def no_run(given: Path, runs: Path) -> UserError:
    """Error for a name without a folder, with the nearest existing name."""
    if given.parent.name == EXPERIMENTS:
        run = given.parent.parent
        own = runs / run if (runs / run).is_dir() else run
        known = folder_names(own / EXPERIMENTS)
        remedy = f"{did_you_mean(given.name, known)}Experiments there: {', '.join(known) or 'none'}."
        return UserError(f"there is no experiment '{given.name}' of {run.name}", remedy)
    known = [name for name in folder_names(runs) if is_run(runs / name)]
    if nearest(str(given), known):
        remedy = f"{did_you_mean(str(given), known)}Runs: {', '.join(known)}."
        return UserError(f"there is no run '{given}' in {runs}", remedy)
    wrong = f"there is no run '{given}', neither in {runs} nor as a path"
    return UserError(wrong, f"Runs: {', '.join(known) or 'none'}. Name one, or its folder with --runs.")


def is_run(folder: Path) -> bool:
    """Whether a folder has stages, experiments or tables of a run."""
    names = ("masks", "train", "eval", EXPERIMENTS, TABLES)
    return any(name in names or name.startswith(EVALUATIONS_FROM) for name in folder_names(folder))


def folder_names(folder: Path) -> list[str]:
    """Names of the folders in a folder.

    A folder that a killed `sorn clean` renamed has its own name here.
    """
    return sorted({path.name.removesuffix(LEAVING) for path in folder.glob("*") if path.is_dir()})


def full_name_of(spelled: str, runs: Path) -> str:
    """Full name of the run in an evaluation's folder.

    spelled: as in eval-from-a-b-experiments-c.
    """
    trainings = [*runs.glob("*/train"), *runs.glob(f"*/{EXPERIMENTS}/*/train")]
    names = [place_of(folder).full_name for folder in trainings]
    return {name.replace("/", "-"): name for name in (*names, *finished_trainings(runs))}.get(spelled, spelled)
