"""Training steps, extraction and explanation on tiny batches."""

import dataclasses

import numpy as np
import pytest
import torch

from sorn import engine
from sorn.augmentation import Augmentation
from sorn.batch import Batch, to_input
from sorn.config import LossConfig, ScheduleConfig, SORNConfig
from sorn.losses import NO_LABEL
from sorn.network import SORN
from sorn.normalisation import IMAGENET
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


def stepper(model: SORN, precision: str = "fp32", **options) -> engine.Stepper:
    optimizer = build_optimizer(model, ScheduleConfig(warmup_epochs=0, base_lr=1e-3), 0.0)
    return engine.Stepper(model, optimizer, LossConfig(), precision, **options)


def train(model: SORN, steps: int, precision: str = "fp32", data: Batch | None = None) -> list[dict[str, float]]:
    """The losses of each step."""
    data, work = data or batch(), stepper(model, precision)
    augmentation = Augmentation(flip=0.5, zoom=0.2, jitter=0.2)
    draws = [augmentation.draw(np.random.default_rng([0, step]), len(data)) for step in range(steps)]
    labelled = float(data.labelled.sum())
    return [dict(zip(work.names, work.step(data, draw, labelled).tolist(), strict=True)) for draw in draws]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training_learns_a_batch(precision):
    steps = train(network(), 8, precision)
    assert list(steps[0]) == ["local", "global", "spc", "seg", "total"]
    assert steps[-1]["total"] < 0.7 * steps[0]["total"]


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, again, other = network(), network(), network(seed=1)
    for model in (first, again, other):
        train(model, 2)
    states = [torch.cat([p.flatten() for p in model.parameters()]) for model in (first, again, other)]
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_a_loss_that_is_not_finite_is_named_with_its_step():
    model = network()
    with torch.no_grad():
        model.semantic.classify.bias.fill_(float("nan"))
    (losses,) = train(model, 1)
    with pytest.raises(engine.Diverged, match="loss part 'seg' is nan at step 7"):
        engine.require_finite(losses, 7)
    engine.require_finite({"total": 1.0}, 7)


def test_pieces_add_up_to_the_batch():
    """Batch normalisation sees a piece, so the network is one without: each of its layers in evaluation mode."""
    data = dataclasses.replace(batch(), labelled=torch.tensor([True, True, False, False, False, True]))
    gradients, losses = [], []
    for pieces in (1, 3):
        model = network().eval()
        model.train = lambda mode=True: None
        work = stepper(model, pieces=pieces)
        draw = Augmentation(flip=0.5, zoom=0.2, jitter=0.2).draw(np.random.default_rng(0), 6)
        losses.append(work.step(data, draw, labelled=3 / pieces))
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_half_precision_scales_its_gradients_and_skips_what_overflows():
    model = network(backbone="resnet10")
    work = stepper(model, "fp16")
    before = [parameter.clone() for parameter in model.parameters()]
    draw = Augmentation(flip=0.0).draw(np.random.default_rng(0), 6)
    work.scaler.load_state_dict({**work.scaler.state_dict(), "scale": 2.0**100})
    work.step(batch(), draw, 6.0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert work.scaler.get_scale() == 2.0**99
    work.scaler.load_state_dict({**work.scaler.state_dict(), "scale": 8.0})
    work.step(batch(), draw, 6.0)
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_losses_are_read_in_order_and_on_a_cpu_at_once():
    readout = engine.Readout(CPU)
    readout.put(4, torch.tensor([1.0, 2.0]))
    assert list(readout.read()) == [(4, [1.0, 2.0])] and list(readout.read(everything=True)) == []
    readout.lag = 1  # as on a GPU
    for number in (5, 6, 7):
        readout.put(number, torch.tensor([float(number)]))
    assert [number for number, _ in readout.read()] == [5, 6]
    assert list(readout.read(everything=True)) == [(7, [7.0])]


class OnSecondGpu:
    """Numbers on a GPU, as far as their copy to the host goes."""

    is_cuda, device = True, torch.device("cuda", 1)

    def to(self, place, non_blocking):
        assert place == "cpu" and non_blocking
        return torch.tensor([3.0])


def test_a_copy_from_a_gpu_that_is_not_the_current_one_is_waited_for_there(monkeypatch):
    events = []

    class Event:
        def record(self, stream=None):
            events.append(stream)

        def synchronize(self):
            events.append("waited")

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: f"stream of {device}")
    readout = engine.Readout(OnSecondGpu.device)
    readout.put(0, OnSecondGpu())
    assert list(readout.read()) == [] and list(readout.read(everything=True)) == [(0, [3.0])]
    assert events == ["stream of cuda:1", "waited"]


def test_image_and_labels_are_flipped_together():
    data = batch(images=2)
    image, labels = engine.augmented(
        network(), data, Augmentation(flip=1.0).draw(np.random.default_rng(0), 2), "nearest"
    )
    torch.testing.assert_close(image, to_input(data.image.flip(2), IMAGENET))
    assert labels.shape == (2, 16, 8)
    assert torch.equal(labels, data.mask.flip(2)[:, 2::4, 2::4].long())


def test_an_image_without_labels_trains_identity_and_no_parts():
    data = dataclasses.replace(batch(images=2), labelled=torch.tensor([True, False]))
    draw = Augmentation(flip=0.0).draw(np.random.default_rng(0), 2)
    _, labels = engine.augmented(network(), data, draw, "nearest")
    assert torch.equal(labels[0], data.mask[0, 2::4, 2::4].long()) and (labels[1] == NO_LABEL).all()
    nobody = dataclasses.replace(batch(), labelled=torch.zeros(6, dtype=torch.bool))
    model = network()
    parts = [p.clone() for p in model.semantic.classify.parameters()]
    steps = train(model, 3, data=nobody)
    assert all(step["seg"] == 0 for step in steps)
    assert steps[-1]["total"] < steps[0]["total"]
    assert all(torch.equal(a, b) for a, b in zip(parts, model.semantic.classify.parameters(), strict=True))


def test_extraction_is_the_network_in_evaluation_mode_batch_by_batch():
    model, data = network(part_branch=True), batch()
    halves = [
        Batch(*(getattr(data, f.name)[part] for f in dataclasses.fields(data))) for part in (slice(4), slice(4, 6))
    ]
    features = engine.extract_features(model, halves, CPU, "fp32")
    with torch.inference_mode():
        output = model.eval()(to_input(data.image, IMAGENET))
    expected = (
        output.global_feature,
        output.local_features,
        output.visibility,
        output.part_features,
        output.part_shares,
    )
    for found, whole in zip(features, expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, whole.numpy(), rtol=1e-3, atol=1e-4)


def test_flipped_features_are_means_over_both_mirror_images_and_equal_for_both():
    model, data = network(), batch()
    mirrored = dataclasses.replace(data, image=data.image.flip(2))
    alone, other = (engine.extract_features(model, [one], CPU, "fp32") for one in (data, mirrored))
    assert not np.array_equal(alone[0], other[0])
    both, turned = (engine.extract_features(model, [one], CPU, "fp32", flip=True) for one in (data, mirrored))
    for found, same, one, two in zip(both, turned, alone, other, strict=True):
        assert np.array_equal(found, same), "a picture and its mirror image have the same features, bit for bit"
        np.testing.assert_allclose(found, (one + two) / 2, rtol=1e-5, atol=1e-6)


def test_explanation_gives_maps_and_parts_or_nothing():
    maps, parts = engine.explain(network(), batch(), CPU, "fp32")
    assert maps.shape == (6, 3, 4, 2) and maps.dtype == np.float32 and maps.min() > 0 and maps.max() < 1
    assert parts.shape == (6, 16, 8) and parts.dtype == np.uint8 and parts.max() < 8
    maps, parts = engine.explain(network(semantic_branch=False, global_branch=False), batch(), CPU, "fp32")
    assert maps.shape[1] == 0 and parts.size == 0


def test_devices_are_what_the_machine_has():
    assert engine.pick_device("cpu") == CPU
    if not torch.cuda.is_available():
        assert engine.pick_device("auto") == CPU
        with pytest.raises(ValueError, match="no usable GPU; use --device cpu"):
            engine.pick_device("cuda")
