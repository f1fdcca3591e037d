"""Batches of uint8 images and masks, and their conversion to network input."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sorn.config import MASK_REDUCTIONS, check_choice
from sorn.normalisation import Normalisation
from sorn.parts import CLASSES, COLLAPSE

FULL_RANGE = 255.0  # largest value of a uint8 image

# ITU-R BT.601 luma, the grey that brightness perception follows.
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Batch:
    """B images with their part masks.

    image: [B, H, W, 3] uint8 RGB, contiguous.
    mask: [B, H, W] uint8, class ids of `sorn.parts`.
    label: [B] int64, position of the identity in the sorted training pids; -1 for an identity outside training.
    index: [B] int64, position of the image in its dataset, which holds pid, camid and name.
    labelled: [B] bool, false where the mask has no body part, because the labeler failed.
    """

    image: Tensor
    mask: Tensor
    label: Tensor
    index: Tensor
    labelled: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def of(self, images: slice | Tensor) -> Batch:
        """Some of the images. images: a slice, or bool [B]."""
        return Batch(*(getattr(self, f.name)[images] for f in fields(self)))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        return Batch(*(getattr(self, f.name).to(device, non_blocking=non_blocking) for f in fields(self)))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, for asynchronous copies to a GPU.

        Tensors that are page-locked already are not copied.
        """
        return Batch(*(getattr(self, f.name).pin_memory() for f in fields(self)))


def to_input(image: Tensor, normalisation: Normalisation) -> Tensor:
    """Network input from uint8 images.

    image: [B, H, W, 3] uint8 RGB. normalisation: of the network. Returns float32 [B, 3, H, W], channels_last in memory.
    """
    # the same memory order is channels_last
    return normalised(image.permute(0, 3, 1, 2).to(torch.float32), normalisation)


def normalised(x: Tensor, normalisation: Normalisation) -> Tensor:
    """x [B, 3, H, W] float32 in [0, 255], normalised in place."""
    mean, std = (x.new_tensor(values).view(1, 3, 1, 1) * FULL_RANGE for values in normalisation)
    return x.sub_(mean).div_(std)


def reduce_masks(mask: Tensor, size: tuple[int, int], labels: int, how: str) -> Tensor:
    """Part masks at the size of the part logits, with collapsed classes.

    uint8 [B, H, W] with eight classes -> int64 [B, h, w] with `labels` classes. The classes are collapsed first (Table
    III: 8, 5 or 2). "majority": the class with most pixels in each block of H/h x W/w; the lower id wins a tie.
    "nearest": the pixel at the centre of the block. Raises ValueError when h or w does not divide the mask's size.
    """
    check_choice("mask_reduction", how, MASK_REDUCTIONS)
    check_choice("labels", labels, tuple(sorted(COLLAPSE)))
    (full_h, full_w), (h, w) = mask.shape[1:], size
    if full_h % h or full_w % w:
        raise ValueError(f"masks of {full_h}x{full_w} cannot be reduced to {h}x{w}: not whole blocks")
    block_h, block_w = full_h // h, full_w // w
    if how == "nearest":
        mask = mask[:, block_h // 2 :: block_h, block_w // 2 :: block_w]  # [B, h, w]
    collapsed = (
        mask if labels == len(CLASSES) else torch.take(torch.from_numpy(COLLAPSE[labels]).to(mask.device), mask.long())
    )
    return collapsed.long() if how == "nearest" else _majority(collapsed, labels, block_h, block_w)


def _majority(mask: Tensor, labels: int, block_h: int, block_w: int) -> Tensor:
    """The most frequent class of every block; the lower id wins a tie.

    [B, H, W] uint8 -> [B, h, w] int64.
    """
    chosen = torch.empty_like(mask, dtype=torch.int16)
    best = torch.zeros((), dtype=torch.int32, device=mask.device)
    for label in range(labels):
        torch.eq(mask, label, out=chosen)  # a tenth of the time of making bools on a CPU
        count = _block_sum(chosen, block_h, block_w).to(torch.int32)
        best = torch.maximum(best, count * labels + labels - 1 - label)  # among equal counts, the lower id is larger
    return (labels - 1 - best % labels).long()


def _block_sum(x: Tensor, block_h: int, block_w: int) -> Tensor:
    """Sum of every block, [B, H, W] -> [B, h, w].

    Adding strided slices is faster than `sum`.
    """
    rows = sum((x[:, i::block_h] for i in range(1, block_h)), start=x[:, ::block_h])  # [B, h, W]
    return sum((rows[:, :, i::block_w] for i in range(1, block_w)), start=rows[:, :, ::block_w])
