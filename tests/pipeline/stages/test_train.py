"""Training on a tiny dataset: what it writes, and that stopping, damage and sharing it change no result."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.features.network import load_network
from pipeline.io import checkpoints
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.config import Config, Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.shards.dataset import ShardDataset
from pipeline.stages import driver, train
from pipeline.training import loop
from pipeline.training.loop import Training
from pipeline.training.validation import Validation
from sorn import engine
from sorn.features import Features

ROOT = Path(__file__).parents[3]
PRINT = "f" * 64  # a fingerprint
CONFIG = """
base = "paper"
[masks]
image_size = [64, 32]
[model]
backbone = "resnet18"
semantic_channels = 8
[schedule]
epochs = 3
base_lr = 1e-3
warmup_start_lr = 1e-4
warmup_epochs = 1
milestones = [2]
[train]
init = "none"
batch_size = 4
precision = "fp32"
"""


class Tiny:
    """A CSV of small random pictures, 4 training pids of 5 images, with finished shards.

    shift: brightness that all of them have in addition.
    """

    def __init__(self, folder: Path, shift: int = 0) -> None:
        self.folder, self.config_file = folder, folder / "tiny.toml"
        rng = np.random.default_rng(0)
        rows = ["path,pid,camid,split"]
        for split, pids, images in (
            ("train", range(4), 5),
            ("val_query", range(4, 7), 1),
            ("val_gallery", range(4, 7), 2),
        ):
            for pid in pids:
                for i in range(images):
                    name, camid = f"{split}-{pid}-{i}.png", 1 + i if split != "val_query" else 9
                    picture = rng.integers(0, 255, (40, 20, 3)) + shift
                    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / name)
                    rows.append(f"{name},{pid},{camid},{split}")
                    (folder / "masks").mkdir(exist_ok=True)
                    Image.fromarray(rng.integers(0, 8, (40, 20), dtype=np.uint8)).save(folder / "masks" / name)
        (folder / "tiny.csv").write_text("\n".join(rows) + "\n")
        self.config_file.write_text(CONFIG)
        for command in (["data", "prepare"], ["masks"]):
            done = CliRunner().invoke(main, [*command, *self.options()])
            assert done.exit_code == 0, done.output

    def options(self, *sets: str, runs: str = "runs") -> list[str]:
        given = (f"masks.options.folder={self.folder / 'masks'}", "masks.options.table=sorn8", *sets)
        options = ["--dataset", str(self.folder / "tiny.csv"), "--labeler", "import", "--config", str(self.config_file)]
        options += ["--data-root", str(self.folder), "--runs", str(self.folder / runs), "--device", "cpu"]
        return options + [word for text in given for word in ("--set", text)]

    def config(self, *sets: str) -> Config:
        return load_config(str(self.config_file), sets, Runtime(workers=1, device="cpu"))

    @property
    def paths(self) -> Paths:
        return Paths(str(self.folder / "tiny.csv"), "import", self.folder, self.folder / "runs", name="tiny")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return Tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def paths(tiny: Tiny, tmp_path: Path) -> Paths:
    """The finished shards of `tiny`, and an empty training folder."""
    return shards_of(tiny, tmp_path)


def shards_of(tiny: Tiny, folder: Path) -> Paths:
    run = folder / "runs" / "tiny-import"
    run.mkdir(parents=True)
    (run / "masks").symlink_to(tiny.paths.folder("masks"))
    return dataclasses.replace(tiny.paths, runs=folder / "runs")


def weights(paths: Paths) -> bytes:
    return paths.checkpoint.read_bytes()


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, how: Callable[[], object]) -> None:
    """Do `how` in the middle of the given step of the whole training."""
    run_step = Training._run_step

    def run(self: Training, batch: Any) -> None:
        if self._done == step:
            how()
        run_step(self, batch)

    monkeypatch.setattr(Training, "_run_step", run)


def test_it_writes_weights_their_description_scalars_and_pictures(
    tiny: Tiny, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert driver.work(train, Run.of(tiny.config("train.validate_every=2"), paths), PRINT) == paths.checkpoint
    said = capsys.readouterr().out
    assert "train: 20 images of 4 pids, 3 epochs of 5 steps of 4, resnet18 in fp32 on cpu" in said
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
    config = tiny.config("train.precision=auto", "schedule.epochs=1")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "pick_precision", lambda name, device: precisions[0])
        stop_at(patch, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit):
            driver.work(train, Run.of(config, paths), PRINT)
    monkeypatch.setattr(loop, "pick_precision", lambda name, device: precisions[1])
    driver.work(train, Run.of(config, paths), PRINT)
    assert json.loads(paths.train_config.read_text())["precision"] == precisions[1]


CAREFUL = (
    "train.norms=frozen",
    "train.average=0.9",
    "schedule.shape=cosine",
    "loss.identity_smoothing=0.1",
)


@pytest.fixture(scope="module")
def begun(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of one epoch."""
    paths = shards_of(tiny, tmp_path_factory.mktemp("begun"))
    driver.work(train, Run.of(tiny.config("schedule.epochs=1"), paths), PRINT)
    return paths.checkpoint


def test_a_careful_training_keeps_the_norms_of_the_start_and_publishes_the_average(
    tiny: Tiny, paths: Paths, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny.config(*CAREFUL, f"train.init={begun}", "train.validate_every=3")
    seen, done = [], []

    def figures_of(self: Validation, model: torch.nn.Module, *_: object) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return {"mAP": 0.5, "rank-1": 0.5}

    monkeypatch.setattr(Validation, "figures", figures_of)
    finish = Training._end_epoch
    monkeypatch.setattr(Training, "_end_epoch", lambda self: (finish(self), done.append(self.model.state_dict()))[0])
    driver.work(train, Run.of(config, paths), PRINT)
    start, made = checkpoints.read_weights(begun), checkpoints.read_weights(paths.checkpoint)
    norms = {name.removesuffix("running_mean") for name in made if name.endswith("running_mean")}
    kept = {name for name in made if torch.equal(start[name], made[name])}
    frozen = {name for name in made if name.startswith("backbone.") and name.startswith(tuple(norms))}
    assert kept == frozen
    assert all(torch.equal(seen[-1][name], value) for name, value in made.items())
    assert any(not torch.equal(done[-1][name], value) for name, value in made.items())


def test_a_careful_training_that_was_stopped_goes_on_to_the_same_bytes(
    tiny: Tiny, paths: Paths, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.of(tiny.config(*CAREFUL, f"train.init={begun}", "schedule.optimizer=sgd"), paths)
    driver.work(train, run, PRINT)
    undisturbed = weights(paths)
    paths.checkpoint.unlink()
    with monkeypatch.context() as patch:
        stop_at(patch, 7, lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit):
            driver.work(train, run, PRINT)
    driver.work(train, run, PRINT)
    assert weights(paths) == undisturbed


def test_a_finetuned_network_stays_near_its_start(tiny: Tiny, tmp_path: Path) -> None:
    """It learns from other pictures of the same kind, all brighter by the same amount."""
    start = shards_of(tiny, tmp_path / "start")
    driver.work(train, Run.of(tiny.config("schedule.epochs=8"), start), PRINT)
    network = ("model.backbone=resnet18", "model.stripes=3", "model.semantic_channels=8", "masks.image_size=[64,32]")
    options = (*network, "train.batch_size=4", "train.precision=fp32", f"train.init={start.checkpoint}")
    (tmp_path / "brighter").mkdir()
    paths = shards_of(Tiny(tmp_path / "brighter", shift=40), tmp_path / "finetuned")
    driver.work(train, Run.of(load_config("finetune", options, Runtime(workers=1, device="cpu")), paths), PRINT)
    before, after = (features(folder, paths) for folder in (start, paths))
    assert torch.cosine_similarity(before, after).mean() > 0.8  # 0.89 when it was written


def features(trained: Paths, images: Paths) -> torch.Tensor:
    """Global features of training images by a trained network, without their mean, which its norms follow."""
    cpu, data = torch.device("cpu"), ShardDataset(images.shard_index, "train")
    network = load_network(trained.checkpoint, describe(trained.folder("train")).model, cpu)
    found = engine.extract_features(network, [data.__getitems__(range(20))], cpu, "fp32").global_
    return torch.from_numpy(found - found.mean(axis=0))


def test_without_a_start_frozen_layers_learn(tiny: Tiny, paths: Paths, tmp_path: Path) -> None:
    driver.work(train, Run.of(tiny.config(), paths), PRINT)
    frozen = shards_of(tiny, tmp_path / "frozen")
    driver.work(train, Run.of(tiny.config("train.early=frozen", "train.norms=frozen"), frozen), PRINT)
    assert weights(frozen) == weights(paths)


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


# Two processes, through the Makefile.


def make_train(tiny: Tiny, runs: str, *sets: str, processes: int = 0, fails: bool = False) -> str:
    shards = tiny.folder / runs
    if not shards.exists():
        shards.mkdir()
        for run in ("tiny", "tiny-import"):
            (shards / run).mkdir()
        (shards / "tiny" / "data").symlink_to(tiny.paths.folder("data"))
        (shards / "tiny-import" / "masks").symlink_to(tiny.paths.folder("masks"))
    command = ["make", "--no-print-directory", "-C", str(ROOT), "train", f"PYTHON={sys.executable}"]
    command += [f"DATASET={tiny.folder / 'tiny.csv'}", "LABELER=import", f"CONFIG={tiny.config_file}"]
    command += [f"RUNS={shards}", f"DATA_ROOT={tiny.folder}", *([f"NPROC={processes}"] if processes else [])]
    given = (f"masks.options.folder={tiny.folder / 'masks'}", "masks.options.table=sorn8", *sets)
    command.append("ARGS=--device cpu " + " ".join(f"--set {text}" for text in given))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def curve(tiny: Tiny, runs: str) -> np.ndarray:
    events = EventAccumulator(str(tiny.folder / runs / "tiny-import" / "train" / "tensorboard")).Reload()
    names = [f"loss/{name}" for name in ("local", "global", "spc", "seg", "total")]
    return np.array([[event.value for event in events.Scalars(name)] for name in names])


def test_two_processes_follow_the_curve_of_one_and_repeat_themselves(tiny: Tiny) -> None:
    """With batch norm over both they compute what one process does, except for the order of sums."""
    sets = ("train.batch_norm=sync", "train.jitter=0.2")
    make_train(tiny, "alone", *sets)
    said = make_train(tiny, "shared", *sets, processes=2)
    assert "shared by 2 processes" in said and said.count("train: epoch 1/3") == 1
    one, two = curve(tiny, "alone"), curve(tiny, "shared")
    assert one.shape == (5, 15)
    # Batches of four random pictures multiply the noise of sums tenfold per step, in one process with more threads too.
    np.testing.assert_allclose(two[:, 0], one[:, 0], rtol=1e-4)
    np.testing.assert_allclose(two[:, :3], one[:, :3], rtol=1e-2)
    make_train(tiny, "again", *sets, processes=2)
    first, second = (tiny.folder / runs / "tiny-import" / "train" / "model.safetensors" for runs in ("shared", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_two_processes_train_as_carefully_as_one(tiny: Tiny, begun: Path) -> None:
    sets = (*CAREFUL, f"train.init={begun}", "train.batch_norm=sync", "schedule.epochs=1", "schedule.base_lr=1e-5")
    made = []
    for runs, processes in (("careful", 0), ("careful-shared", 2), ("careful-again", 2)):
        make_train(tiny, runs, *sets, "schedule.warmup_epochs=0", processes=processes)
        made.append(tiny.folder / runs / "tiny-import" / "train" / "model.safetensors")
    one, two = (checkpoints.read_weights(path) for path in made[:2])
    assert all(torch.allclose(two[name], value, rtol=1e-3, atol=2e-5) for name, value in one.items())
    assert made[1].read_bytes() == made[2].read_bytes()


def test_what_all_processes_refuse_is_said_once(tiny: Tiny) -> None:
    said = make_train(tiny, "refused", "train.batch_size=5", processes=2, fails=True)
    assert said.count("cannot be cut into 2 equal pieces") == 1
