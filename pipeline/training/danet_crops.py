"""Training crops for DANet: images and ground truth, randomly cropped and coloured.

Reads images and masks of the split `labeler` from the dataset. Crop i of epoch e depends on (seed, e, i) only. So every
worker can make it, and a resumed training gets the same crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.datasets.label_maps import exact_mask
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.images import decode
from pipeline.runs.config import DanetConfig
from sorn.augmentation import COVER_HEIGHT, COVER_WIDTH, STANDING, side_columns
from sorn.batch import LUMA
from sorn.parts import BACKGROUND

CROPS = 2  # stream of random numbers under the seed; 0 is the order of the crops

# An image of the training set may be a detector's box: the person half hidden, blurred or dark, with a part of another
# person in it. The probability of each disturbance is an option (`danet.disturb`); these are their ranges.
PARTIAL_KEEPS = (0.2, 0.9)  # share of the height that stays if head or legs are cut off
COARSE_SHARE = (0.25, 0.8)  # resolution of a coarser crop in either direction, as a share
NOISE = 0.05  # largest standard deviation of added noise
GREY = 0.05  # probability of a crop without colours


@dataclass(frozen=True)
class Crops:
    """Batch of crops with their part masks.

    image: [B, H, W, 3] uint8 RGB. mask: [B, H, W] uint8, ids of `sorn.parts`.
    """

    image: Tensor
    mask: Tensor


class CropDataset(Dataset[Crops]):
    """Dataset of crops, read in whole batches.

    masks: paths of the part masks, in the order of `records`. Set `epoch` before iterating. Raises UserError for an
    image or mask that cannot be read.
    """

    def __init__(self, records: list[ImageRecord], masks: list[Path], config: DanetConfig) -> None:
        self.records, self.masks, self.config = records, masks, config
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.records)

    def load(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image [h, w, 3] and mask [h, w], uint8, in their stored size."""
        path, mask = self.records[index].path, self.masks[index]
        image = decode(path)
        if image is None:
            raise UserError(f"{path} cannot be read as an image", "Copy it again; see: sorn data check")
        return image, exact_mask(mask, image.shape[:2])

    def __getitems__(self, indices: Sequence[int]) -> Crops:
        crops = [self.crop(index) for index in indices]
        images, masks = (np.stack(arrays) for arrays in zip(*crops, strict=True))
        return Crops(torch.from_numpy(images), torch.from_numpy(masks))

    @staticmethod
    def collate(batch: Crops) -> Crops:
        """Batch unchanged: `__getitems__` returns whole batches."""
        return batch

    def crop(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Crop of this epoch: image [H, W, 3] and mask [H, W], uint8, at the configured size."""
        rng = np.random.default_rng([self.config.seed, CROPS, self.epoch, index])
        image, mask = self.load(index)
        image, mask = cut(image, mask, self.config, rng)
        if rng.random() < self.config.disturb:
            image, mask = covered(image, mask, self.load(int(rng.integers(len(self))))[0], rng)
        if rng.random() < self.config.flip:
            image, mask = image[:, ::-1], mask[:, ::-1]
        if rng.random() < self.config.disturb:
            image = coarser(image, rng)
        return coloured(image, self.config.jitter, rng), np.ascontiguousarray(mask)


def cut(
    image: np.ndarray, mask: np.ndarray, config: DanetConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random box of image and mask, resized to the configured size.

    Sometimes the box leaves out head or legs. Returns image [H, W, 3] and mask [H, W], uint8.
    """
    height, width = mask.shape
    top, bottom = 0.0, 1.0
    if rng.random() < config.disturb:
        keeps = rng.uniform(*PARTIAL_KEEPS)
        top, bottom = (0.0, keeps) if rng.random() < 0.6 else (1 - keeps, 1.0)
    share_x, share_y = rng.uniform(1 - config.zoom, 1, size=2) * (1, bottom - top)
    left = rng.uniform(0, 1 - share_x)
    upper = rng.uniform(top, bottom - share_y)
    box = (left * width, upper * height, (left + share_x) * width, (upper + share_y) * height)
    rows, columns = config.image_size
    small = Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR, box=box)
    small_mask = Image.fromarray(mask).resize((columns, rows), Image.Resampling.NEAREST, box=box)
    return np.asarray(small), np.asarray(small_mask)


def covered(
    image: np.ndarray, mask: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask with a random occluding patch.

    other: image from which the patch is taken, from the columns beside its person. The pixels below the patch become
    background in the mask.
    """
    rows, columns = mask.shape
    high, wide = round(rows * rng.uniform(*COVER_HEIGHT)), round(columns * rng.uniform(*COVER_WIDTH))
    top, left = int(rng.integers(rows - high + 1)), int(rng.integers(columns - wide + 1))
    source = np.asarray(Image.fromarray(other).resize((columns, rows), Image.Resampling.BILINEAR))
    source = source[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])][:, side_columns(columns)]
    top = rows - high if rng.random() < STANDING else top
    y, x = int(rng.integers(rows - high + 1)), int(rng.integers(columns - wide + 1))
    image, mask = image.copy(), mask.copy()
    image[top : top + high, left : left + wide] = source[y : y + high, x : x + wide]
    mask[top : top + high, left : left + wide] = BACKGROUND
    return image, mask


def coarser(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Image at a lower resolution, like that of a person far away."""
    rows, columns = image.shape[:2]
    share = rng.uniform(*COARSE_SHARE)
    small = Image.fromarray(image).resize((max(4, round(columns * share)), max(4, round(rows * share))))
    return np.asarray(small.resize((columns, rows), Image.Resampling.BICUBIC))


def coloured(image: np.ndarray, jitter: float, rng: np.random.Generator) -> np.ndarray:
    """Image with random colours, like those of another camera.

    Changed are the gain of each channel, gamma, contrast, saturation and noise. uint8 -> uint8.
    """
    x = image.astype(np.float32) / 255
    gains = rng.uniform(1 - jitter, 1 + jitter) * rng.uniform(1 - jitter / 3, 1 + jitter / 3, size=3)
    gamma, contrast, saturation = rng.uniform(1 - jitter, 1 + jitter, size=3)
    x = np.clip(x * gains.astype(np.float32), 0, 1) ** np.float32(gamma)
    mean = x.mean(dtype=np.float32)
    x = (x - mean) * np.float32(contrast) + mean
    grey = (x @ np.array(LUMA, np.float32))[..., None]
    x = grey + (x - grey) * np.float32(0 if rng.random() < GREY else saturation)
    x += rng.normal(0, rng.uniform(0, NOISE), size=x.shape).astype(np.float32)
    pixels: np.ndarray = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels
