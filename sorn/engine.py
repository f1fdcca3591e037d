"""One epoch of training, feature extraction, and the pictures behind the features. Knows batches, never files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sorn.batch import Batch, flip_masks, reduce_masks, to_input
from sorn.config import LossConfig
from sorn.losses import NO_LABEL, sorn_loss
from sorn.network import SORN


class Diverged(ValueError):
    """A loss became NaN or infinite."""


@dataclass(frozen=True)
class Augmentation:
    """flip: probability of a horizontal flip. brightness: b, brightness and contrast scale within [1 - b, 1 + b]."""

    flip: float
    brightness: float


@dataclass(frozen=True)
class Step:
    """One optimisation step, as reported: its number within the epoch, loss parts as floats, images in the batch."""

    number: int
    losses: dict[str, float]
    images: int


def pick_device(name: str) -> torch.device:
    """ "auto": the GPU if there is one. Raises ValueError for a device this machine does not have."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda': this machine has no usable GPU; use --device cpu")
    return device


def pick_precision(name: str, device: torch.device) -> str:
    """ "auto": bf16 where the device computes it in hardware, else fp32."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")


def train_one_epoch(
    model: SORN,
    batches: Iterable[tuple[int, Batch]],
    optimizer: torch.optim.Optimizer,
    config: LossConfig,
    augmentation: Augmentation,
    rng: Callable[[int], np.random.Generator],
    before_step: Callable[[int], None],
    after_step: Callable[[Step], None],
    device: torch.device,
    precision: str,
) -> None:
    """Train on (step number, batch) pairs; a resumed epoch starts at a later number.

    rng(step) gives the generator of a step's augmentation: every random choice is a function of the step alone, so
    that a resumed run repeats them. Raises Diverged naming the step and the loss part that is not finite.
    """
    model.train()
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    for number, batch in batches:
        before_step(number)
        batch = batch.to(device)
        image, parts = augmented(model, batch, augmentation, rng(number), config.mask_reduction)
        with autocast(device, precision):
            output = model(image)
        losses = sorn_loss(output, batch.label, parts, config)
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(losses["total"]).backward()
        values = {name: value.item() for name, value in losses.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise Diverged(f"loss part '{name}' is {value} at step {number} of the epoch")
        scaler.step(optimizer)
        scaler.update()
        after_step(Step(number, values, len(batch.label)))


def augmented(
    model: SORN, batch: Batch, augmentation: Augmentation, rng: np.random.Generator, reduction: str
) -> tuple[Tensor, Tensor | None]:
    """Network input [B, 3, H, W] float32 and part labels [B, 4h, 4w] int64 (None without a semantic branch).

    An image that is not labelled has NO_LABEL everywhere: it teaches who the person is, and nothing about parts.
    """
    size = len(batch.label)
    device, spread = batch.image.device, augmentation.brightness
    flip = torch.from_numpy(rng.random(size) < augmentation.flip).to(device)
    factors = torch.from_numpy(rng.uniform(1 - spread, 1 + spread, size=(2, size))).to(device)
    image = to_input(batch.image, flip, *(factors if spread else ()))
    if model.semantic is None:
        return image, None
    height, width = batch.mask.shape[1:]
    labels = reduce_masks(flip_masks(batch.mask, flip), (height // 4, width // 4), model.config.labels, reduction)
    return image, torch.where(batch.labelled.view(-1, 1, 1), labels, NO_LABEL)


@torch.inference_mode()
def extract_features(
    model: SORN, batches: Iterable[Batch], device: torch.device, precision: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Global [N, Dg], local [N, P, Dl] and visibility [N, P], float32, in the order of the batches."""
    model.eval()
    rows = []
    for batch in batches:
        with autocast(device, precision):
            output = model(to_input(batch.to(device).image))
        rows.append((output.global_feature.cpu(), output.local_features.cpu(), output.visibility.cpu()))
    fields = [torch.cat(field).numpy() for field in zip(*rows, strict=True)]
    return fields[0], fields[1], fields[2]


@torch.inference_mode()
def explain(model: SORN, batch: Batch, device: torch.device, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """What pictures show: maps M_n [B, N, h, w] float32, and predicted part ids [B, 4h, 4w] uint8 (empty when off)."""
    model.eval()
    with autocast(device, precision):
        output = model(to_input(batch.to(device).image))
    if output.part_logits is None:
        parts = torch.zeros(len(batch.label), 0, 0, dtype=torch.uint8)
    else:
        parts = output.part_logits.argmax(dim=1).to(torch.uint8).cpu()
    return output.maps.float().cpu().numpy(), parts.numpy()
