"""Rows about features: extraction, matching, and the speed of the paper's network."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from pipeline.features.embedding import Embedder, as_batch, load_embedder
from pipeline.runtime.arithmetic import pick_precision
from pipeline.runtime.device import pick_device
from pipeline.runtime.repeatable import make_repeatable
from pipeline.tools.gpu_check.made_up import draw_person
from pipeline.tools.gpu_check.outcome import FAIL, Outcome, above, below, judged
from pipeline.tools.gpu_check.setting import CheckSetting
from pipeline.tools.gpu_check.trainings import REFERENCE
from sorn import engine
from sorn.augmentation import Augmentation
from sorn.batch import Batch
from sorn.config import LossConfig, ScheduleConfig, SORNConfig
from sorn.features import FeatureBank, Features
from sorn.fused import fused
from sorn.matching import similarity_blocks
from sorn.network import SORN
from sorn.rules import Rule
from sorn.schedule import build_optimizer

COSINE = {"fp32": 0.99999, "fp16": 0.9995, "bf16": 0.99}  # least, of a feature with the CPU's in fp32
SIMILARITY = 1e-5  # most, between a similarity and the CPU's
COPIES = 37  # of one picture in the gallery that is matched
STRIPES = 3


def extraction(setting: CheckSetting) -> Outcome:
    """Features of one trained network in each precision.

    Those of a picture alone must be those among others.
    """
    height, width = setting.sizes.image
    pictures = [draw_person(setting.sizes, pid, 0)[0][:height, :width] for pid in range(2 * setting.sizes.people)]
    training = setting.paths(REFERENCE).folder("train")

    def embedder(device: str, precision: str) -> Embedder:
        return load_embedder(training, setting.paths().runs, device, precision)

    expected = _features(embedder("cpu", "fp32"), pictures)
    wrong: list[str] = []
    values: dict[str, float | str] = {}
    for precision, least in COSINE.items():
        network = embedder(setting.device, precision)
        found = _features(network, pictures)
        nearest = np.min([_cosines(*one).min() for one in zip(found[:2], expected[:2], strict=True)])
        values[f"least_cosine_{precision}"] = float(nearest)
        wrong += below(f"cosine with the CPU's in {precision}", nearest, least)
        alone = _features(network, pictures[-1:])
        if not all(np.array_equal(one[0], all_[-1]) for one, all_ in zip(alone, found, strict=True)):
            wrong.append(f"a picture has other features alone than among others, in {precision}")
    shown = ", ".join(f"{values[f'least_cosine_{name}']:.6f} in {name}" for name in COSINE)
    return judged(f"least cosine with the CPU's: {shown}", values, wrong)


def _features(embedder: Embedder, pictures: list[np.ndarray]) -> Features:
    size = embedder.batch_size
    batches = (as_batch(pictures[first : first + size]) for first in range(0, len(pictures), size))
    return Features.joined(embedder.features(batches))


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    cosines: np.ndarray = (one * other).sum(axis=-1) / lengths
    return cosines


def matching(setting: CheckSetting) -> Outcome:
    """Similarities of random banks, on the device and on the CPU."""
    device, sizes = pick_device(setting.device), setting.sizes
    query, gallery = random_bank(0, sizes.queries, sizes.width), random_bank(1, sizes.gallery, sizes.width)
    copies = np.random.default_rng(2).permutation(sizes.gallery)[:COPIES]
    for values in gallery.features:
        values[copies] = values[copies[0]]
    rules = [Rule("global"), Rule("global+local"), Rule("sorn", 0.15)]
    farthest, unequal, seconds = 0.0, 0, 0.0
    expected = similarity_blocks(query, gallery, rules, "cpu", block=sizes.queries // 2)
    found = similarity_blocks(query, gallery, rules, device, block=sizes.queries // 2)
    for _, on_cpu in expected:
        start = time.perf_counter()
        _, here = next(found)
        seconds += time.perf_counter() - start
        for one, other in zip(here, on_cpu, strict=True):
            farthest = float(np.maximum(farthest, np.abs(one - other).max()))  # nan stays
            unequal += int((one[:, copies] != one[:, copies[:1]]).sum())
    pairs = sizes.queries * sizes.gallery / seconds
    wrong = above("a similarity is off the CPU's by", farthest, SIMILARITY)
    if unequal:
        wrong.append(f"{unequal} similarities of equal pictures are unequal")
    figure = f"at most {farthest:.1e} off the CPU's; {pairs / 1e6:.3g} million pairs/s, {len(rules)} variants"
    figures = {"farthest": farthest, "unequal": float(unequal), "pairs_per_second": pairs}
    return judged(figure, figures, wrong)


def random_bank(seed: int, images: int, width: int) -> FeatureBank:
    """Bank of random features.

    width: numbers of a global feature; those of a stripe have half as many.
    """
    rng = np.random.default_rng(seed)
    whole = rng.standard_normal((images, width), np.float32)
    local = rng.standard_normal((images, STRIPES, width // 2), np.float32)
    none = np.zeros((images, 0), np.float32)
    features = Features(whole, local, rng.random((images, STRIPES), np.float32), none[:, :, None], none)
    ids = rng.integers(0, max(2, images // 20), images)
    return FeatureBank.of(features, ids, ids % 6, np.arange(images).astype(str))


def speed(setting: CheckSetting) -> Outcome:
    """Images per second of training and of extraction."""
    device, sizes = pick_device(setting.device), setting.sizes
    precision = pick_precision("auto", device)
    make_repeatable(0)
    config = SORNConfig(identities=700, backbone=sizes.backbone)
    model = SORN(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = random_batch(32 if not setting.pretend else sizes.batch, sizes.full).to(device)
    optimizer = build_optimizer(model, ScheduleConfig(), 0.0)
    stepper = engine.Stepper(model, optimizer, LossConfig(), precision)
    draw = Augmentation(flip=0.5).draw(np.random.default_rng(0), len(batch))
    losses: list[float] = []

    def step() -> None:
        losses.append(float(stepper.step(batch, draw, float(len(batch)))[-1]))  # waits for the device

    trained = _rate(step, len(batch), sizes.steps)
    network = fused(model.eval(), precision)
    extracted = _rate(lambda: engine.extract_features(network, [batch], device, precision), len(batch), sizes.steps)
    values: dict[str, float | str] = {"training": trained, "extraction": extracted, "precision": precision}
    if device.type == "cuda":
        values["peak_memory_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    height, width = sizes.full
    figure = (
        f"{sizes.backbone} {height}x{width} in {precision}: training {trained:.0f}, extraction {extracted:.0f} images/s"
    )
    if not np.isfinite(losses).all():
        return Outcome(FAIL, figure, f"a loss is not finite: {losses}", values)
    return judged(figure, values, [])


def random_batch(images: int, size: tuple[int, int]) -> Batch:
    """Batch of random pictures and part masks."""
    rng = np.random.default_rng(0)
    return Batch(
        torch.from_numpy(rng.integers(0, 256, (images, *size, 3), dtype=np.uint8)),
        torch.from_numpy(rng.integers(0, 8, (images, *size), dtype=np.uint8)),
        torch.arange(images) % 700,
        torch.arange(images),
        torch.ones(images, dtype=torch.bool),
    )


def _rate(work: Callable[[], object], images: int, steps: int) -> float:
    """Images per second of the median call, after two that warm up."""
    for _ in range(2):
        work()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return images / float(np.median(seconds))
