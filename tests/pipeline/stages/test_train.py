"""Training on a tiny dataset: what it writes, and that stopping, damage and sharing it change no result."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from train_runs import PRINT, Tiny, shards_of, stop_at, weights

from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import driver, train
from pipeline.training import loop
from pipeline.training.loop import Training
from pipeline.training.validation import Validation
from sorn import engine
from sorn.features import Features


@pytest.fixture
def paths(tiny: Tiny, tmp_path: Path) -> Paths:
    """The finished shards of `tiny`, and an empty training folder."""
    return shards_of(tiny, tmp_path)


def test_it_writes_weights_their_description_scalars_and_pictures(
    tiny: Tiny, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert driver.work(train, Run.of(tiny.config("train.validate_every=2"), paths), PRINT) == paths.checkpoint
    said = capsys.readouterr().out
    assert "train: 20 images of 4 pids, 3 epochs of 5 steps of 4, resnet10 in fp32 on cpu" in said
    lines = [line for line in said.splitlines() if "mean local" in line]
    assert len(lines) == 3 and all("images/s" in line and "waiting for data" in line for line in lines)
    assert ["val mAP" in line for line in lines] == [False, True, True]
    described = json.loads(paths.train_config.read_text())
    assert described["processes"] == 1 and described["best"] is None and described["pids"] == [0, 1, 2, 3]
    assert not paths.states("train")
    events = EventAccumulator(str(paths.tensorboard)).Reload()
    assert [event.step for event in events.Scalars("loss/total")] == list(range(15))
    assert {"lr", "speed/images_per_second", "speed/share_waiting_for_data", "val/mAP", "val/rank-1"} <= set(
        events.Tags()["scalars"]
    )
    lines = [line.split(",") for line in paths.scalar_table.read_text().splitlines()[1:]]
    for name in events.Tags()["scalars"]:  # scalars.csv has the same numbers
        written = [(int(step), float(value)) for step, one, value in lines if one == name]
        assert written == [(event.step, pytest.approx(event.value, rel=1e-6)) for event in events.Scalars(name)], name
    parts = events.Images("parts/image, label, predicted")
    assert [event.step for event in parts] == [5, 10, 15] and (parts[0].height, parts[0].width) == (
        64,
        4 * (3 * 32 + 4) - 4,
    )
    assert events.Images("maps/image, M_1..M_N")[0].width == 4 * (4 * 32 + 4) - 4


def test_stopped_in_the_middle_of_an_epoch_it_goes_on_to_the_same_bytes(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny.config("train.jitter=0.2")
    driver.work(train, Run.of(config, paths), PRINT)
    undisturbed = weights(paths)
    paths.checkpoint.unlink()
    with monkeypatch.context() as patch:
        stop_at(patch, 7, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit) as ended:
            driver.work(train, Run.of(config, paths), PRINT)
    assert ended.value.code == 143 and not paths.checkpoint.exists()
    assert "stopped after 8 of 15 steps; the same command goes on from there" in capsys.readouterr().out
    driver.work(train, Run.of(config, paths), PRINT)
    assert "going on at epoch 2, step 3" in capsys.readouterr().out
    assert weights(paths) == undisturbed


@pytest.mark.parametrize("precisions", [("fp32", "fp16"), ("fp16", "fp32")])
def test_it_goes_on_in_another_precision_as_on_another_device(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch, precisions: tuple[str, str]
) -> None:
    """`auto` is fp32 on one machine and fp16 on another; a state of fp32 holds no scale of gradients."""
    config = tiny.config("train.precision=auto", "schedule.epochs=1", "model.backbone=resnet10")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "training_precision", lambda name, device, width: precisions[0])
        stop_at(patch, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit):
            driver.work(train, Run.of(config, paths), PRINT)
    monkeypatch.setattr(loop, "training_precision", lambda name, device, width: precisions[1])
    driver.work(train, Run.of(config, paths), PRINT)
    assert json.loads(paths.train_config.read_text())["precision"] == precisions[1]


def test_the_newest_two_states_are_kept_and_a_damaged_one_is_passed_over(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver.work(train, Run.of(tiny.config(), paths), PRINT)
    undisturbed = weights(paths)

    def power_cut() -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(loop, "STATE_EVERY_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        stop_at(patch, 7, power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            driver.work(train, Run.of(tiny.config(), paths), PRINT)
    assert [path.name for path in paths.states("train")] == [f"state-{PRINT[:12]}-0000000{n}.pt" for n in (6, 7)]
    newest = paths.states("train")[-1]
    newest.write_bytes(newest.read_bytes()[:-1000])
    driver.work(train, Run.of(tiny.config(), paths), PRINT)
    said = capsys.readouterr()
    assert f"{newest} is no complete training state" in said.err and "looking for an older one" in said.err
    assert "going on at epoch 2, step 1" in said.out and weights(paths) == undisturbed


def test_a_state_without_a_whole_one_behind_it_is_not_passed_over(tiny: Tiny, paths: Paths) -> None:
    paths.folder("train").mkdir()
    paths.state("train", PRINT, 3).write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"no complete training state.*Delete .*state-.* to train from the beginning"):
        driver.work(train, Run.of(tiny.config(), paths), PRINT)


def test_a_loss_that_is_not_finite_stops_at_once_and_names_the_last_good_state(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = engine.Stepper.step
    monkeypatch.setattr(
        engine.Stepper,
        "step",
        lambda self, *given: step(self, *given) * (float("nan") if taken.append(0) or len(taken) > 7 else 1),
    )
    taken: list[int] = []
    with pytest.raises(
        UserError, match=r"loss part 'local' is nan at step 2 of the epoch, epoch 2 of 3.*last good state"
    ) as error:
        driver.work(train, Run.of(tiny.config(), paths), PRINT)
    (state,) = paths.states("train")
    assert str(state) in str(error.value) and len(taken) == 8
    found = checkpoints.load_state(state, PRINT)
    assert all(torch.isfinite(value).all() for value in found["model"].values())


def test_the_best_epoch_is_kept_and_remembered_by_the_states(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny.config("train.validate_every=1", "train.keep=best")
    figures = iter([0.2, 0.5, 0.5])
    seen = []

    def figures_of(self: Validation, model: torch.nn.Module, *_: object) -> dict[str, float]:
        seen.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        return {"mAP": next(figures), "rank-1": 0.0}

    monkeypatch.setattr(Validation, "figures", figures_of)
    with monkeypatch.context() as patch:
        stop_at(patch, 12, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit):
            driver.work(train, Run.of(config, paths), PRINT)
    driver.work(train, Run.of(config, paths), PRINT)
    assert len(seen) == 3 and json.loads(paths.train_config.read_text())["best"] == {"epoch": 1, "mAP": 0.5}
    found = checkpoints.read_weights(paths.checkpoint)
    model = Training(Run.of(config, paths), "e" * 64).model
    kept = torch.cat([found[name].flatten() for name, _ in model.named_parameters()])
    assert torch.equal(kept, seen[1]) and not torch.equal(kept, seen[2])


def test_validation_needs_a_val_split(tiny: Tiny, paths: Paths, tmp_path: Path) -> None:
    index = json.loads(paths.shard_index.read_text())
    del index["splits"]["val_query"]
    masks = paths.folder("masks")
    masks.unlink()
    masks.mkdir()
    (masks / "train").symlink_to(tiny.paths.folder("masks") / "train")
    paths.shard_index.write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"asks for the val split of .*holds no split 'val_query'.*validate_every=0"):
        driver.work(train, Run.of(tiny.config("train.validate_every=1"), paths), PRINT)


def test_a_segmenter_alone_learns_parts_and_nobody(
    tiny: Tiny, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny.config("model.local_branch=false", "model.global_branch=false")
    driver.work(train, Run.of(config, paths), PRINT)
    lines = [line for line in capsys.readouterr().out.splitlines() if "mean seg" in line]
    assert len(lines) == 3 and "local" not in lines[0]


def test_a_last_batch_of_one_image_is_left_out_and_said(
    tiny: Tiny, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    driver.work(train, Run.of(tiny.config("train.batch_size=19", "train.last_batch=keep"), paths), PRINT)
    said = capsys.readouterr().out
    assert "3 epochs of 1 steps of 19" in said
    assert "the last batch of an epoch is one image, and batch normalisation needs two: each epoch leaves out" in said
    paths.checkpoint.unlink()
    driver.work(train, Run.of(tiny.config("train.batch_size=6", "train.last_batch=keep"), paths), PRINT)
    said = capsys.readouterr().out
    assert "3 epochs of 4 steps of 6" in said and "leaves out" not in said  # the last one has two images


def test_what_does_not_fit_the_images_is_refused_before_the_first_step(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.Stepper, "step", lambda *_: pytest.fail("a step was begun"))
    for option in ("stripes", "channel_sets"):
        with pytest.raises(UserError, match=rf"model.{option} = 5 .* 64x32 have 4.*--set model.{option}=4, or .*=\[80"):
            driver.work(train, Run.of(tiny.config(f"model.{option}=5"), paths), PRINT)
    with pytest.raises(UserError, match=r"train.seed = -1: expected a whole number from 0"):
        tiny.config("train.seed=-1")


def test_weights_that_are_not_finite_after_the_last_step_end_the_training(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No loss has judged them; a state with them would be called good."""
    end_epoch = Training._end_epoch

    def spoilt(self: Training) -> None:
        if self.epoch == 1:
            next(self.model.parameters()).data[0] = float("nan")
        end_epoch(self)

    monkeypatch.setattr(Training, "_end_epoch", spoilt)
    wrong = (
        r"training diverged: the weights backbone\.conv1\.weight are not finite.*epoch 2 of 3.*last good state is .*05"
    )
    with pytest.raises(UserError, match=wrong):
        driver.work(train, Run.of(tiny.config(), paths), PRINT)


def test_features_that_are_not_finite_in_validation_are_a_warning(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the first epochs the statistics of batch normalisation may be far from those of a batch."""
    extract, calls = engine.extract_features, []

    def unusable_at_first(*given: Any) -> Features:
        calls.append(0)
        return Features(*(field * (np.nan if len(calls) <= 2 else 1) for field in extract(*given)))

    monkeypatch.setattr(engine, "extract_features", unusable_at_first)
    config = tiny.config("train.validate_every=1", "train.keep=best")
    driver.work(train, Run.of(config, paths), PRINT)
    said = capsys.readouterr()
    assert "features of the val split are not finite yet" in said.err and "val mAP nan%" in said.out
    assert json.loads(paths.train_config.read_text())["best"]["epoch"] in (1, 2)


@pytest.mark.parametrize("sets", [(), ("train.keep=best", "train.validate_every=1"), ("schedule.optimizer=sgd",)])
def test_a_disk_without_room_is_told_before_the_first_step(
    tiny: Tiny, paths: Paths, monkeypatch: pytest.MonkeyPatch, sets: tuple[str, ...]
) -> None:
    config = tiny.config("schedule.epochs=2", *sets)
    with monkeypatch.context() as patch:
        stop_at(patch, 9, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit):
            driver.work(train, Run.of(config, paths), PRINT)
    stored = [path.stat().st_size for path in paths.states("train")]
    free = 0
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": free}))
    with monkeypatch.context() as patch:
        patch.setattr(engine.Stepper, "step", lambda *_: pytest.fail("a step was begun"))
        with pytest.raises(UserError, match=r"train needs .* MB, but only 0\.0 MB are free there\. Free space"):
            driver.work(train, Run.of(config, paths), PRINT)
    assert [path.stat().st_size for path in paths.states("train")] == stored  # what is there stays
    free = 2 * max(stored) + 10**7
    driver.work(train, Run.of(config, paths), PRINT)
