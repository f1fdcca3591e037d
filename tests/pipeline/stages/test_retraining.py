"""A retraining that was asked for, killed at any moment: the last finished training can be used."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from eval_runs import CONFIG, MODEL, SIZE, weights
from kills import Killed, killed_at
from PIL import Image

from pipeline.cli.app import main
from pipeline.features.embedding import as_batch, load_embedder
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, write_json
from pipeline.runs import stamp
from pipeline.runs.find import finished_trainings
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runs.stored_options import as_json
from pipeline.stages import driver
from pipeline.stages import eval as eval_stage

OTHER = dataclasses.replace(MODEL, semantic_channels=16)  # weights of one network do not fit into the other


class FinishedStage(SimpleNamespace):
    """A stage that is always fresh."""

    def settings(self, run: Run) -> dict[str, Any]:
        return {}

    def inputs(self, run: Run) -> list[Any]:
        return []


class Retraining(FinishedStage):
    """Trains another network in no time, in the files and the order of the real stage."""

    def settings(self, run: Run) -> dict[str, Any]:
        return {"model": as_json(OTHER)}

    def run(self, run: Run, fingerprint: str) -> str:
        checkpoints.save_state(run.paths.state("train", fingerprint, 1), {"fingerprint": fingerprint})
        run.paths.tensorboard.mkdir(exist_ok=True)
        return fingerprint

    def finish(self, run: Run, fingerprint: str) -> Path:
        checkpoints.save_weights(run.paths.checkpoint, weights(OTHER, 1), {"fingerprint": fingerprint})
        write_json(run.paths.train_config, {"model": as_json(OTHER), "image_size": list(SIZE), "precision": "fp32"})
        return run.paths.checkpoint

    def outputs(self, run: Run) -> list[Path]:
        return [run.paths.checkpoint, run.paths.train_config]

    def provides(self, run: Run) -> dict[str, str]:
        return {"checkpoint": digest_file(run.paths.checkpoint)}


STAGES: dict[str, Any] = {name: FinishedStage(NAME=name, VERSION=1) for name in ("data", "masks")}
RETRAINED = {**STAGES, "train": Retraining(NAME="train", VERSION=1), "eval": eval_stage}


def retrain(paths: Paths) -> None:
    driver.execute(RETRAINED, "train", Run.of(CONFIG, paths), force=True)


def network(paths: Paths) -> str:
    """Which network is there, "old" or "new"; its files belong together, and search can use it."""
    embedder = load_embedder(paths.folder("train"), paths.runs, "cpu")
    ((features, *_),) = embedder.features(iter([as_batch([np.zeros((*SIZE, 3), np.uint8)])]))
    assert np.isfinite(features).all()
    found = {MODEL: "old", OTHER: "new"}[embedder.about.model]
    assert finished_trainings(paths.runs) == [paths.run_name]
    made = stamp.read(paths.folder("train"))
    assert made is not None and made.provides["checkpoint"] == digest_file(paths.checkpoint)
    return found


def evaluate(paths: Paths) -> str:
    """Digest of the checkpoint that a new evaluation is of."""
    stages = {**RETRAINED, "train": FinishedStage(NAME="train", VERSION=1)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "_require_fresh_input", lambda *_: None)
        driver.execute(stages, "eval", Run.of(CONFIG, paths), force=True)
    return str(json.loads(paths.report_json.read_text())["provenance"]["checkpoint_sha256"])


@pytest.fixture
def copies(paths: Paths, tmp_path: Path) -> Iterator[Paths]:
    def copy() -> Iterator[Paths]:
        for number in itertools.count():
            runs = shutil.copytree(paths.runs, tmp_path / str(number))
            yield dataclasses.replace(paths, runs=runs)

    return copy()


def test_killed_between_any_two_operations_one_training_is_whole(copies: Iterator[Paths]) -> None:
    seen = []
    for number, paths in enumerate(copies):
        with killed_at(number) as done:
            try:
                retrain(paths)
                killed = False
            except Killed:
                killed = True
        seen.append(network(paths))
        assert seen == sorted(seen, reverse=True), "new ones come after old ones"
        if number % 8 == 0 or not killed:
            assert evaluate(paths) == digest_file(paths.checkpoint)
        retrain(paths)  # again, undisturbed
        assert network(paths) == "new" and not list(paths.folder("train").rglob("*.tmp")), done
        assert not (paths.folder("train") / "next").exists() and not paths.states("train")
        shutil.rmtree(paths.runs)
        if not killed:
            break
    assert seen[0] == "old" and seen[-1] == "new" and number > 15


def test_a_stopped_retraining_leaves_the_old_one_for_eval_search_export_and_others(
    copies: Iterator[Paths], tmp_path: Path, messages_help: Any
) -> None:
    paths = next(copies)
    good = {path.name: path.read_bytes() for path in paths.folder("train").iterdir() if path.is_file()}
    with killed_at(4), pytest.raises(Killed):
        retrain(paths)
    assert {name: (paths.folder("train") / name).read_bytes() for name in good} == good
    assert list((paths.folder("train") / "next").glob("state-*.pt"))
    assert evaluate(paths) == digest_file(paths.checkpoint)
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (20, 40)).save(tmp_path / "pictures" / "a.png")
    for words in (
        ["export", paths.run_name, "--format", "torch", "--runs", str(paths.runs)],
        ["embed", str(tmp_path / "pictures"), "--model", paths.run_name, "--runs", str(paths.runs)],
    ):
        out = ["--out", str(tmp_path / "bank.h5")] if words[0] == "embed" else []
        done = CliRunner().invoke(main, [*words, *out])
        assert done.exit_code == 0, done.output
    messages_help.clear()  # the training by hand names no dataset


def test_an_evaluation_that_is_killed_leaves_the_finished_report(copies: Iterator[Paths]) -> None:
    """Read only those files that a reader would: no stamp is stale, no report is of other features."""
    for number in (3, 12, 20, 28, 34, 38):
        paths = next(copies)
        before = json.loads(paths.report_json.read_text())
        options = dataclasses.replace(CONFIG, eval=dataclasses.replace(CONFIG.eval, tau=0.4))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver, "_require_fresh_input", lambda *_: None)
            first = driver.execute(RETRAINED, "eval", Run.of(CONFIG, paths), force=True)
            assert first == paths.report_html
            with killed_at(number), pytest.raises(Killed):
                driver.execute(RETRAINED, "eval", Run.of(options, paths))
        made = stamp.read(paths.folder("eval"))
        report = json.loads(paths.report_json.read_text())
        assert made is not None and made.options("eval")["tau"] == report["provenance"]["config"]["tau"]
        assert (report["provenance"]["config"]["tau"] == 0.4) or report["metrics"] == before["metrics"]


def test_a_first_training_keeps_its_states_until_its_stamp_is_written(copies: Iterator[Paths]) -> None:
    saved = False
    for number, paths in enumerate(copies):
        shutil.rmtree(paths.folder("train"))
        with killed_at(number) as done:
            try:
                retrain(paths)
                killed = False
            except Killed:
                killed = True
        there, finished = bool(paths.states("train")), paths.stamp("train").is_file()
        assert not saved or there or finished, f"killed after {done}"
        saved = saved or there
        if finished:  # states that a kill has left are removed by the next command
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(driver, "_require_fresh_input", lambda *_: None)
                assert driver.execute(RETRAINED, "train", Run.of(CONFIG, paths)) is None
            assert not paths.states("train")
        shutil.rmtree(paths.runs)
        if not killed:
            break
    assert saved and number > 5
