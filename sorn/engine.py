"""Training steps, feature extraction and explanation maps.

Works on batches and opens no file.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sorn.augmentation import Draw, augment
from sorn.batch import Batch, normalised, reduce_masks, to_input
from sorn.config import LossConfig
from sorn.features import Features
from sorn.losses import NO_LABEL, loss_parts, sorn_loss
from sorn.network import SORN

Look = Callable[[Tensor], tuple[Tensor, ...]]  # images -> the fields of Features
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class Diverged(ValueError):
    """Error for a loss that became NaN or infinite."""


def pick_device(name: str) -> torch.device:
    """Device of a name; "auto" is the GPU if there is one.

    Raises ValueError for a device that this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda': this machine has no usable GPU; use --device cpu")
    return device


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    return torch.autocast(device.type, dtype=DTYPES[precision], enabled=precision != "fp32")


class Objective(nn.Module):
    """Network and losses as one module.

    torch.compile compiles this module, and DistributedDataParallel wraps it.
    """

    def __init__(self, model: SORN, loss: LossConfig, precision: str) -> None:
        super().__init__()
        self.model, self.loss, self.precision = model, loss, precision

    def forward(self, image: Tensor, label: Tensor, parts: Tensor | None, labelled: Tensor) -> Tensor:
        """Losses [n] float32 in the order of `loss_parts`.

        image, parts: as `augmented` returns them. label: [B] int64.
        """
        with autocast(image.device, self.precision):
            output = self.model(image)
        return torch.stack(list(sorn_loss(output, label, parts, self.loss, labelled).values()))


class Stepper:
    """Optimisation steps that never wait for the device.

    The losses stay on the device until they are read. pieces: a batch is processed in this many pieces, and their
    gradients are added. wrap: a function that returns the module to call in place of the Objective, for example
    DistributedDataParallel, where each process has an equal share of the batch.
    """

    def __init__(
        self,
        model: SORN,
        optimizer: torch.optim.Optimizer,
        loss: LossConfig,
        precision: str,
        pieces: int = 1,
        wrap: Callable[[nn.Module], nn.Module] = lambda objective: objective,
    ) -> None:
        self.model, self.optimizer, self.loss, self.pieces = model, optimizer, loss, pieces
        self.names = loss_parts(model.config)
        device = next(model.parameters()).device
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self.objective = wrap(Objective(model, loss, precision))

    def step(self, batch: Batch, draw: Draw, labelled: float) -> Tensor:
        """Losses [n] float32 of one optimisation step, in the order of `names`.

        The losses are on the device. batch: on the device. draw: the random choices for its images. labelled: number of
        labelled images in a piece, as the mean over all pieces of all processes.
        """
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        images = torch.full((), labelled, device=batch.image.device)
        size = -(-len(batch) // self.pieces)
        losses = []
        for first in range(0, len(batch), size):
            rows = slice(first, first + size)
            piece = batch.of(rows)
            image, parts = augmented(self.model, piece, draw.of(rows), self.loss.mask_reduction)
            last = first + size >= len(batch)
            with nullcontext() if last else self._alone():
                losses_of_piece = self.objective(image, piece.label, parts, images)
                self.scaler.scale(losses_of_piece[-1] / self.pieces).backward()
            losses.append(losses_of_piece.detach())
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.stack(losses).mean(dim=0)

    def _alone(self) -> AbstractContextManager[None]:
        """Gradients of all pieces but the last stay in this process."""
        return self.objective.no_sync() if isinstance(self.objective, DistributedDataParallel) else nullcontext()


class Readout:
    """Delayed copies of numbers from the device to the host.

    On a GPU the numbers of the newest step are left there, so that the host can prepare the next step while the GPU
    computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.lag = 1 if device.type == "cuda" else 0
        self._waiting: deque[tuple[int, Tensor, torch.cuda.Event | None]] = deque()

    def put(self, number: int, values: Tensor) -> None:
        """Numbers of one step to copy.

        number: of the step. values: float [n].
        """
        copied = None
        host = values.to("cpu", non_blocking=True)  # pinned, if it comes from a GPU
        if values.is_cuda:
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(torch.cuda.current_stream(values.device))  # not that of the GPU that is current here
        self._waiting.append((number, host, copied))

    def read(self, everything: bool = False) -> Iterator[tuple[int, list[float]]]:
        """Pairs (step, values) in order, without the newest `lag` steps or complete."""
        while len(self._waiting) > (0 if everything else self.lag):
            number, host, copied = self._waiting.popleft()
            if copied is not None:
                copied.synchronize()
            yield number, host.tolist()


def require_finite(losses: dict[str, float], step: int) -> None:
    """Check that every loss is finite.

    Raises Diverged with the step of the epoch and the first loss that is not finite.
    """
    for name, value in losses.items():
        if not math.isfinite(value):
            raise Diverged(f"loss part '{name}' is {value} at step {step} of the epoch")


def require_finite_weights(model: nn.Module) -> None:
    """Check of the weights after an epoch.

    No loss has judged its last step. Raises Diverged with the first weights that are not finite.
    """
    for name, weights in model.named_parameters():
        if not bool(torch.isfinite(weights).all()):
            raise Diverged(f"the weights {name} are not finite after the epoch")


def augmented(model: SORN, batch: Batch, draw: Draw, reduction: str) -> tuple[Tensor, Tensor | None]:
    """Network input [B, 3, H, W] float32 and part labels [B, 4h, 4w] int64.

    The part labels are None without a semantic branch. An image without a label has NO_LABEL everywhere: it trains the
    identity losses and not the segmentation loss.
    """
    image, mask = augment(batch.image, batch.mask, draw)
    image = normalised(image, model.normalisation).contiguous(memory_format=torch.channels_last)
    if model.semantic is None:
        return image, None
    height, width = mask.shape[1:]
    labels = reduce_masks(mask, (height // 4, width // 4), model.config.labels, reduction)
    return image, torch.where(batch.labelled.view(-1, 1, 1), labels, NO_LABEL)


@torch.inference_mode()
def extract_features(
    model: SORN, batches: Iterable[Batch], device: torch.device, precision: str, size: int = 0, flip: bool = False
) -> Features:
    """Features of all images, float32, in the order of the batches.

    size: smaller batches are filled up to so many images with black ones,
    which are then dropped. The size of a batch decides how sums are rounded: an image has the same features in all
    batches of one size. flip: whether they are means over an image and its mirror image. `sorn.fused` makes it faster.
    Several threads may call it with one network.
    """
    model.eval()

    def look(image: Tensor) -> tuple[Tensor, ...]:
        with autocast(device, precision):
            return _features(model, image)

    return features_by(look, batches, device, size, flip)


@torch.inference_mode()
def features_by(
    look: Look, batches: Iterable[Batch], device: torch.device, size: int = 0, flip: bool = False
) -> Features:
    """Features of all images, by any function of images.

    look: images uint8 [B, H, W, 3] on the device -> the fields of `Features` in their order. The rest as in
    `extract_features`.
    """
    rows = []
    for batch in batches:
        image = batch.image.to(device, non_blocking=True)
        missing = max(0, size - len(image))
        if missing:
            image = torch.cat([image, image.new_zeros(missing, *image.shape[1:])])
        outputs = look(image)
        if flip:
            outputs = tuple((one + other) / 2 for one, other in zip(outputs, look(image.flip(2)), strict=True))
        rows.append(Features(*(values[: len(batch)].cpu().numpy() for values in outputs)))
    return Features.joined(rows)


def _features(model: SORN, image: Tensor) -> tuple[Tensor, ...]:
    output = model(to_input(image, model.normalisation))
    return (
        output.global_feature,
        output.local_features,
        output.visibility,
        output.part_features,
        output.part_shares,
    )


@torch.inference_mode()
def explain(model: SORN, batch: Batch, device: torch.device, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Aggregation maps and predicted part masks.

    Maps M_n: float32 [B, N, h, w]. Part ids: uint8 [B, 4h, 4w]. An output is empty when its branch is off.
    """
    model.eval()
    with autocast(device, precision):
        output = model(to_input(batch.image.to(device, non_blocking=True), model.normalisation))
    if output.part_logits is None:
        parts = torch.zeros(len(batch.label), 0, 0, dtype=torch.uint8)
    else:
        parts = output.part_logits.argmax(dim=1).to(torch.uint8).cpu()
    return output.maps.float().cpu().numpy(), parts.numpy()
