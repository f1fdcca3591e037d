"""Runs of the whole pipeline on a few random pictures, with any options."""

from __future__ import annotations

import itertools
import json
import shutil
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.io import checkpoints
from pipeline.labelers.keypoints.joints import COLUMNS
from pipeline.runs.options import as_toml
from pipeline.runs.stored_options import as_json
from sorn import engine
from sorn.config import SORNConfig
from sorn.network import SORN

Row = Mapping[str, object]  # option -> value

BASE: Row = {
    "masks.image_size": (64, 32),
    "masks.keypoints": "joints",
    "model.backbone": "resnet10",
    "model.semantic_channels": 4,
    "model.set_channels": 4,
    "model.stripes": 1,
    "model.channel_sets": 1,
    "schedule.epochs": 1,
    "schedule.warmup_epochs": 0,
    "schedule.milestones": (),
    "train.batch_size": 4,
    "train.init": "none",
    "train.precision": "fp32",
    "train.validate_every": 1,
    "eval.rerank_k2": 1,
    "eval.trials": 3,
    "eval.ranked_queries": 2,
    "eval.ranked_gallery": 3,
    "eval.precision": "fp32",
}
# The cheapest training, with which as many values of other options as possible agree.
STAGES = ("data", "masks", "train", "eval")
QUERY_CAMERA = 9
STRANGERS = 10  # number of the first person who is not trained on


@dataclass(frozen=True)
class People:
    """Persons of each split, and images of each of them. cameras: of a person's images, one after the other."""

    train: tuple[int, int] = (2, 4)
    query: tuple[int, int] = (2, 1)
    gallery: tuple[int, int] = (3, 2)
    cameras: tuple[int, ...] = (1, 2)

    def rows(self) -> Iterator[tuple[str, int, int, int]]:
        """Split, pid, number and camera of every image."""
        splits = {"train": self.train}
        splits |= {f"{side}{name}": getattr(self, name) for side in ("val_", "") for name in ("query", "gallery")}
        for split, (persons, images) in splits.items():
            for pid, i in itertools.product(range(persons), range(images)):
                camid = QUERY_CAMERA if split.endswith("query") else self.cameras[i % len(self.cameras)]
                yield split, pid if split == "train" else pid + STRANGERS, i, camid


@dataclass(frozen=True)
class Ended:
    """End of a run. refusal: the message of the stage that refused, or "". begun: training steps that were begun."""

    stage: str
    refusal: str
    begun: int


@dataclass
class OptionRuns:
    """A CSV of random pictures with label maps and joints, and runs on it, each as an experiment that is removed."""

    folder: Path
    people: People = field(default_factory=People)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        rows, joints = ["path,pid,camid,split"], {}
        for split, pid, i, camid in self.people.rows():
            name = f"{split}-{pid}-{i}.png"
            for folder, values in (("", (256, (40, 20, 3))), ("masks", (8, (40, 20)))):
                path = self.folder / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, *values, dtype=np.uint8)).save(path)
            rows.append(f"{name},{pid},{camid},{split}")
            head = ",".join(("name", *COLUMNS))
            joints.setdefault(split, [head]).append(f"{Path(name).stem}" + ",5,6,0.5" * (len(COLUMNS) // 3))
        (self.folder / "marks.csv").write_text("path,reason\ntrain/train-0-0.png,outline\n")
        mended = self.folder / "mended" / "train" / "train-0-1.png"
        mended.parent.mkdir(parents=True)
        Image.fromarray(np.ones((40, 20), np.uint8)).save(mended)
        (self.folder / "joints").mkdir()
        for split, lines in joints.items():
            (self.folder / "joints" / f"{split}.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "tiny.csv").write_text("\n".join(rows) + "\n")

    def run(self, row: Row) -> Ended:
        """All stages, with the row's values over BASE. Raises AssertionError for an end that is no message."""
        experiment, begun, step = f"e{next(self.numbers)}", [], engine.Stepper.step

        def counted(*given: object) -> object:
            begun.append(0)
            return step(*given)  # type: ignore[arg-type]

        with mock.patch.object(engine.Stepper, "step", counted):
            for stage in STAGES:
                words = self.words(row, experiment if stage in STAGES[2:] else "")
                asked = ["--relabel"] if stage == "masks" else []  # the labels of the row before are in its folder
                done = CliRunner().invoke(main, [stage, *words, *asked])
                if done.exit_code:
                    break
        shutil.rmtree(self.folder / "runs" / "tiny-import" / "experiments" / experiment, ignore_errors=True)
        if not done.exit_code:
            return Ended(stage, "", len(begun))
        said, error = done.output.partition("Error: ")[2], done.exception
        trace = "" if isinstance(error, SystemExit) else "".join(traceback.format_exception(error))
        assert said and not trace, f"{stage} with {dict(row)}: {done.output[-500:]}\n{trace[-3000:]}"
        return Ended(stage, said, len(begun))

    def words(self, row: Row, experiment: str) -> list[str]:
        """Words of the command line, after the stage."""
        options = {**BASE, "masks.options.folder": str(self.folder / "masks"), "masks.options.table": "sorn8", **row}
        if options.get("eval.visibility") == "segmenter":
            options["eval.segmenter"] = str(self.training(options["masks.image_size"]))  # type: ignore[arg-type]
        given = {
            "dataset": self.folder / "tiny.csv",
            "labeler": "import",
            "config": "paper",  # a run without it would begin with the options of the row before
            "runs": self.folder / "runs",
            "device": "cpu",
        }
        given |= {"data-root": self.folder, "workers": 1, **({"experiment": experiment} if experiment else {})}
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        return words + [word for name, value in options.items() for word in ("--set", f"{name}={as_toml(value)}")]

    def training(self, size: tuple[int, int]) -> Path:
        """Folder of a training on images of this height and width: a network of random weights."""
        folder = self.folder / f"trained-{size[0]}x{size[1]}"
        if not folder.exists():
            config = SORNConfig(identities=2, backbone="resnet10", stripes=1, channel_sets=1, semantic_channels=4)
            checkpoints.save_weights(folder / "model.safetensors", SORN(config).state_dict(), {"fingerprint": "made"})
            about = {"model": as_json(config), "image_size": list(size), "dataset": "tiny", "labeler": "none"}
            (folder / "config.json").write_text(json.dumps(about))
        return folder
