"""Random augmentation of training images and their part masks.

Whole batches are changed at once, on any device. The paper uses the horizontal flip only; every other change is off by
default. The random numbers come from the caller's generator, so that a training can be repeated, resumed and divided
between processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sorn.batch import FULL_RANGE, LUMA
from sorn.parts import BACKGROUND

# Ranges behind the options; chances and strengths are the options themselves.
PARTIAL_KEEPS = (0.4, 0.9)  # share of the height that stays where head or legs are cut away
LEGS_CUT = 0.7  # of those, the share that loses its legs; the others their head
COVER_HEIGHT, COVER_WIDTH = (0.2, 0.6), (0.3, 1.0)  # of a patch laid over an image, in shares of the image
STANDING = 0.5  # of the patches, the share that reaches down to the lower edge, as most obstacles do
SIDE = 0.2  # share of an image's width that is taken for what stands beside the person
COARSE_SHARES = (0.33, 0.5, 0.7)  # share of the pixels that a coarser image has in either direction
GAIN_SHARE = 0.3  # of the jitter: how far the gains of red, green and blue differ


@dataclass(frozen=True)
class Draw:
    """Random choices for n images; None where a change is off.

    flip: bool [n]. box: float32 [n, 4]: left, top, width and height of the area that is kept, as fractions of the
    image. cover: float32 [n, 4]: the same for the area under a patch; a width of 0 means no patch. coarse: float32 [n],
    a member of COARSE_SHARES or 1. colour: float32 [n, 6]: gains of red, green and blue, gamma, contrast, saturation.
    """

    flip: np.ndarray
    box: np.ndarray | None = None
    cover: np.ndarray | None = None
    coarse: np.ndarray | None = None
    colour: np.ndarray | None = None

    def of(self, images: slice) -> Draw:
        return Draw(
            self.flip[images],
            *(None if x is None else x[images] for x in (self.box, self.cover, self.coarse, self.colour)),
        )


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and strengths of the random changes.

    These are the options `train.*` of the same names. flip, partial, cover, coarse: probabilities. zoom = z: an image
    shows at least 1 - z of its width and height. jitter = j: gain, gamma, contrast and saturation are scaled within [1
    - j, 1 + j].
    """

    flip: float
    zoom: float = 0.0
    partial: float = 0.0
    cover: float = 0.0
    coarse: float = 0.0
    jitter: float = 0.0

    def draw(self, rng: np.random.Generator, images: int) -> Draw:
        flip = rng.random(images) < self.flip
        return Draw(
            flip,
            self._boxes(rng, images) if self.zoom or self.partial else None,
            _places(rng, images, self.cover) if self.cover else None,
            _coarseness(rng, images, self.coarse) if self.coarse else None,
            self._colours(rng, images) if self.jitter else None,
        )

    def _boxes(self, rng: np.random.Generator, images: int) -> np.ndarray:
        partial, legs = rng.random(images) < self.partial, rng.random(images) < LEGS_CUT
        keeps = np.where(partial, rng.uniform(*PARTIAL_KEEPS, images), 1.0)
        top = np.where(partial & ~legs, 1 - keeps, 0.0)
        sides = rng.uniform(1 - self.zoom, 1, (2, images)) * (np.ones(images), keeps)
        corner = rng.random((2, images)) * (1 - sides[0], keeps - sides[1]) + (np.zeros(images), top)
        return np.concatenate([corner, sides]).T.astype(np.float32)

    def _colours(self, rng: np.random.Generator, images: int) -> np.ndarray:
        spread = self.jitter * np.array([1, *[GAIN_SHARE] * 3, 1, 1, 1])
        gain, *factors = (1 + rng.uniform(-1, 1, (images, 7)) * spread).T
        return np.stack([*(gain * factor for factor in factors[:3]), *factors[3:]], axis=1).astype(np.float32)


def _places(rng: np.random.Generator, images: int, chance: float) -> np.ndarray:
    sides = np.stack([rng.uniform(*COVER_WIDTH, images), rng.uniform(*COVER_HEIGHT, images)])
    corner = rng.random((2, images)) * (1 - sides)
    corner[1] = np.where(rng.random(images) < STANDING, 1 - sides[1], corner[1])
    sides[0] *= rng.random(images) < chance
    return np.concatenate([corner, sides]).T.astype(np.float32)


def _coarseness(rng: np.random.Generator, images: int, chance: float) -> np.ndarray:
    shares = rng.choice(COARSE_SHARES, images)
    return np.where(rng.random(images) < chance, shares, 1.0).astype(np.float32)


def augment(image: Tensor, mask: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Augmented images and masks of a batch.

    image: [B, H, W, 3] uint8 RGB. mask: [B, H, W] uint8, class ids of sorn.parts; every class is side-symmetric.
    Returns images [B, 3, H, W] float32 in [0, 255], channels_last in memory, and masks [B, H, W] uint8 with the same
    geometric changes.
    """

    def here(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(image.device, non_blocking=True)

    flip = here(draw.flip)
    image, mask = mirrored(image, flip), mirrored(mask, flip)
    x = image.permute(0, 3, 1, 2).to(torch.float32)  # [B, 3, H, W]: the same memory order is channels_last
    if draw.box is not None:
        x, mask = boxed(x, mask, here(draw.box))
    if draw.cover is not None:
        x, mask = covered(x, mask, here(draw.cover))
    if draw.coarse is not None:
        x = coarser(x, here(draw.coarse))
    if draw.colour is not None:
        x = coloured(x.div(FULL_RANGE), here(draw.colour)).mul_(FULL_RANGE)
    return x, mask


def mirrored(pixels: Tensor, flip: Tensor) -> Tensor:
    """Images or masks [B, H, W, ...] mirrored along W where flip [B] is true.

    `where` needs no synchronisation with the host; indexing would need one.
    """
    return torch.where(flip.view(-1, *[1] * (pixels.dim() - 1)), pixels.flip(2), pixels)


def boxed(x: Tensor, mask: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Content of each image's box, resized to the whole image.

    x: [B, C, H, W], bilinear. mask: [B, H, W], nearest.
    """
    left, top, width, height = box.unbind(dim=1)
    theta = torch.zeros(len(box), 2, 3, device=x.device)
    theta[:, 0, 0], theta[:, 0, 2] = width, 2 * left + width - 1  # in coordinates from -1 to 1
    theta[:, 1, 1], theta[:, 1, 2] = height, 2 * top + height - 1
    grid = F.affine_grid(theta, [len(x), 1, *x.shape[2:]], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    ids = F.grid_sample(mask[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False)
    return x.contiguous(memory_format=torch.channels_last), ids[:, 0].to(torch.uint8)


def covered(x: Tensor, mask: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Images with a patch that imitates an occluder.

    The patch shows the left side of the next image in the batch, mirrored again and again and upside down. The mask
    under the patch becomes background. A patch cut from a whole image would label another person's legs as background.
    """
    left, top, width, height = place.unbind(dim=1)
    rows = (torch.arange(x.shape[2], device=x.device) + 0.5) / x.shape[2]
    columns = (torch.arange(x.shape[3], device=x.device) + 0.5) / x.shape[3]
    down = (rows >= top[:, None]) & (rows < (top + height)[:, None])
    across = (columns >= left[:, None]) & (columns < (left + width)[:, None])
    hidden = down[:, :, None] & across[:, None, :]  # [B, H, W]
    patch = x.roll(-1, dims=0).flip(2)[:, :, :, torch.from_numpy(side_columns(x.shape[3])).to(x.device)]
    return torch.where(hidden[:, None], patch, x), torch.where(hidden, BACKGROUND, mask)


def side_columns(width: int) -> np.ndarray:
    """Column indices of an image's left side, repeated forwards and backwards: int64 [width]."""
    side = max(1, round(SIDE * width))
    return np.resize(np.concatenate([np.arange(side), np.arange(side)[::-1]]), width)


def coarser(x: Tensor, share: Tensor) -> Tensor:
    """Images at a lower resolution, enlarged again to their size.

    share: float32 [B], the remaining fraction of pixels in each direction, a member of COARSE_SHARES or 1.
    """
    height, width = x.shape[2:]
    for wanted in COARSE_SHARES:
        small = F.interpolate(x, (max(1, round(height * wanted)), max(1, round(width * wanted))), mode="area")
        again = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
        x = torch.where((share - wanted).abs().lt(1e-6).view(-1, 1, 1, 1), again, x)
    return x


def coloured(x: Tensor, colour: Tensor) -> Tensor:
    """Images as another camera would record them.

    x: [B, 3, H, W] in [0, 1]. `Draw.colour` defines the changes. Values are clipped to [0, 1] after each of them.
    """
    gamma, contrast, saturation = (colour[:, k].view(-1, 1, 1, 1) for k in (3, 4, 5))
    x = (x * colour[:, :3, None, None]).clamp_(0, 1).pow(gamma)
    luma = x.new_tensor(LUMA).view(1, 3, 1, 1)
    mean = (x * luma).sum(dim=1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    x = ((x - mean) * contrast + mean).clamp_(0, 1)
    grey = (x * luma).sum(dim=1, keepdim=True)
    return ((x - grey) * saturation + grey).clamp_(0, 1)
