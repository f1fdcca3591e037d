"""Training steps, extraction and explanation on tiny batches."""

import dataclasses

import numpy as np
import pytest
import torch

from sorn import engine
from sorn.batch import Batch, to_input
from sorn.config import LossConfig, ScheduleConfig, SORNConfig
from sorn.losses import NO_LABEL
from sorn.network import SORN
from sorn.schedule import build_optimizer

CPU = torch.device("cpu")
CONFIG = SORNConfig(identities=3, backbone="resnet18", semantic_channels=8)


def batch(images: int = 6, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    return Batch(
        torch.from_numpy(rng.integers(0, 256, (images, 64, 32, 3), dtype=np.uint8)),
        torch.from_numpy(rng.integers(0, 8, (images, 64, 32), dtype=np.uint8)),
        torch.arange(images) % 3,
        torch.arange(images),
        torch.ones(images, dtype=torch.bool),
    )


def network(seed: int = 0, **options) -> SORN:
    torch.manual_seed(seed)
    return SORN(dataclasses.replace(CONFIG, **options)).to(memory_format=torch.channels_last)


def train(model: SORN, steps: int, precision: str = "fp32", data: Batch | None = None) -> list[engine.Step]:
    seen: list[engine.Step] = []
    engine.train_one_epoch(
        model,
        enumerate([data or batch()] * steps),
        build_optimizer(model, ScheduleConfig(warmup_epochs=0, base_lr=1e-3), 0.0),
        LossConfig(),
        engine.Augmentation(flip=0.5, brightness=0.2),
        lambda step: np.random.default_rng([0, step]),
        lambda step: None,
        seen.append,
        CPU,
        precision,
    )
    return seen


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_learns_a_batch(precision):
    steps = train(network(), 8, precision)
    assert [step.number for step in steps] == list(range(8)) and steps[0].images == 6
    assert set(steps[0].losses) == {"local", "global", "spc", "seg", "total"}
    assert steps[-1].losses["total"] < 0.7 * steps[0].losses["total"]


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, again, other = network(), network(), network(seed=1)
    for model in (first, again, other):
        train(model, 2)
    states = [torch.cat([p.flatten() for p in model.parameters()]) for model in (first, again, other)]
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_a_loss_that_is_not_finite_stops_and_names_the_step_and_the_part():
    model = network()
    with torch.no_grad():
        model.semantic.classify.bias.fill_(float("nan"))
    with pytest.raises(engine.Diverged, match="loss part 'seg' is nan at step 0"):
        train(model, 1)


def test_image_and_labels_are_flipped_together():
    data = batch(images=2)
    image, labels = engine.augmented(
        network(), data, engine.Augmentation(flip=1.0, brightness=0.0), np.random.default_rng(0), "nearest"
    )
    torch.testing.assert_close(image, to_input(data.image.flip(2)))
    assert labels.shape == (2, 16, 8)
    assert torch.equal(labels, data.mask.flip(2)[:, 2::4, 2::4].long())


def test_an_image_without_labels_trains_identity_and_no_parts():
    data = dataclasses.replace(batch(images=2), labelled=torch.tensor([True, False]))
    _, labels = engine.augmented(network(), data, engine.Augmentation(0.0, 0.0), np.random.default_rng(0), "nearest")
    assert torch.equal(labels[0], data.mask[0, 2::4, 2::4].long()) and (labels[1] == NO_LABEL).all()
    nobody = dataclasses.replace(batch(), labelled=torch.zeros(6, dtype=torch.bool))
    model = network()
    parts = [p.clone() for p in model.semantic.classify.parameters()]
    steps = train(model, 3, data=nobody)
    assert all(step.losses["seg"] == 0 for step in steps)
    assert steps[-1].losses["total"] < steps[0].losses["total"]
    assert all(torch.equal(a, b) for a, b in zip(parts, model.semantic.classify.parameters(), strict=True))


def test_extraction_is_the_network_in_evaluation_mode_batch_by_batch():
    model, data = network(), batch()
    halves = [
        Batch(*(getattr(data, f.name)[part] for f in dataclasses.fields(data))) for part in (slice(4), slice(4, 6))
    ]
    features = engine.extract_features(model, halves, CPU, "fp32")
    with torch.inference_mode():
        output = model.eval()(to_input(data.image))
    expected = (output.global_feature, output.local_features, output.visibility)
    for found, whole in zip(features, expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, whole.numpy(), rtol=1e-3, atol=1e-4)


def test_explanation_gives_maps_and_parts_or_nothing():
    maps, parts = engine.explain(network(), batch(), CPU, "fp32")
    assert maps.shape == (6, 3, 4, 2) and maps.dtype == np.float32 and maps.min() > 0 and maps.max() < 1
    assert parts.shape == (6, 16, 8) and parts.dtype == np.uint8 and parts.max() < 8
    maps, parts = engine.explain(network(semantic_branch=False, global_branch=False), batch(), CPU, "fp32")
    assert maps.shape[1] == 0 and parts.size == 0


def test_devices_and_precisions_are_what_the_machine_has():
    assert engine.pick_device("cpu") == CPU
    if not torch.cuda.is_available():
        assert engine.pick_device("auto") == CPU
        with pytest.raises(ValueError, match="no usable GPU; use --device cpu"):
            engine.pick_device("cuda")
    assert engine.pick_precision("bf16", CPU) == "bf16"
    assert engine.pick_precision("auto", CPU) in ("bf16", "fp32")
