"""Trainings that start from good weights: they stay near them, stopped or not, in one process or two."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from train_runs import PRINT, Tiny, make_train, shards_of, stop_at, weights

from pipeline.features.network import load_network
from pipeline.io import checkpoints
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.config import Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.shards.dataset import ShardDataset
from pipeline.stages import driver, train
from pipeline.training.loop import Training
from pipeline.training.validation import Validation
from sorn import engine


@pytest.fixture
def paths(tiny: Tiny, tmp_path: Path) -> Paths:
    """The finished shards of `tiny`, and an empty training folder."""
    return shards_of(tiny, tmp_path)


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
    network = ("model.backbone=resnet10", "model.stripes=3", "model.semantic_channels=8", "masks.image_size=[64,32]")
    options = (*network, "train.batch_size=4", "train.precision=fp32", f"train.init={start.checkpoint}")
    (tmp_path / "brighter").mkdir()
    paths = shards_of(Tiny(tmp_path / "brighter", shift=40), tmp_path / "finetuned")
    driver.work(train, Run.of(load_config("finetune", options, Runtime(workers=1, device="cpu")), paths), PRINT)
    before, after = (features(folder, paths) for folder in (start, paths))
    assert torch.cosine_similarity(before, after).mean() > 0.95  # 0.98 when it was written, 0.88 if its norms learn


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


def test_two_processes_train_as_carefully_as_one(tiny: Tiny, begun: Path) -> None:
    sets = (*CAREFUL, f"train.init={begun}", "train.batch_norm=sync", "schedule.epochs=1", "schedule.base_lr=1e-5")
    made = []
    for runs, processes in (("careful", 0), ("careful-shared", 2), ("careful-again", 2)):
        make_train(tiny, runs, *sets, "schedule.warmup_epochs=0", processes=processes)
        made.append(tiny.folder / runs / "tiny-import" / "train" / "model.safetensors")
    one, two = (checkpoints.read_weights(path) for path in made[:2])
    assert all(torch.allclose(two[name], value, rtol=1e-3, atol=2e-5) for name, value in one.items())
    assert made[1].read_bytes() == made[2].read_bytes()
