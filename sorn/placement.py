"""Place of a cut picture in the frame of a whole person.

The parts that are seen say how much of a person the picture shows, and at which height. The picture is then scaled
down with its proportions kept and put at that height. The rest of the frame is padded. Opens no file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sorn.parts import CLASSES, FOOT, HEAD

Heights = tuple[tuple[float, float], ...]
# Top and bottom of each class but the background, as shares of the height of a picture of a whole person.

LEAST_SHARE = 0.004  # of the picture: a smaller part is not taken for seen
ENDS = 0.05  # share of a part's pixels above its top, and below its bottom
BORDER = 0.03  # share of the height: a part with more than STRAY of its pixels so near to the border may go on outside
STRAY = 0.01
LEAST_SPAN = 0.12  # of the whole height, from the first to the last boundary; nearer ones do not tell the scale
WHOLE = 0.85  # a picture that shows at least this share of the height is left alone
SMALLEST = 0.25  # share of the height: what seems to show less was misunderstood
NARROWEST = 0.7  # of the width of a whole person's picture: a cut picture is as wide, and not as high


@dataclass(frozen=True)
class Placement:
    """Rows of the frame that a picture takes.

    top: of the first. height: their number. Both are shares of the frame's height.
    """

    top: float
    height: float


def part_rows(mask: np.ndarray) -> np.ndarray:
    """Rows where each part begins and ends, float64 [7, 2].

    They are nan for a part that is not seen. mask: class ids uint8 [h, w] of the eight classes.
    """
    rows = np.full((len(CLASSES) - 1, 2), np.nan)
    for part in range(1, len(CLASSES)):
        counts = (mask == part).sum(axis=1)
        if counts.sum() >= LEAST_SHARE * mask.size:
            shares = np.cumsum(counts) / counts.sum()
            rows[part - 1] = np.searchsorted(shares, ENDS), np.searchsorted(shares, 1 - ENDS) + 1
    return rows


def _at_border(mask: np.ndarray) -> np.ndarray:
    """Whether each part reaches the upper and the lower border, bool [7, 2]."""
    near = max(1, round(BORDER * len(mask)))
    counts = [np.bincount(rows.ravel(), minlength=len(CLASSES))[1:] for rows in (mask, mask[:near], mask[-near:])]
    return np.stack([count > STRAY * counts[0] for count in counts[1:]], axis=1)


def find_place(mask: np.ndarray, heights: Heights, width: float) -> Placement | None:
    """Place of a picture, by the parts in it.

    None for a picture that is left alone: if its parts reach from head to feet, if none is cut by the upper or the
    lower border, if too few of their boundaries lie inside it, and if it would be narrower at its place than pictures
    of whole people: it is not cut, the person sits or stands behind something that reaches the border. mask: predicted
    class ids uint8 [h, w] of the eight classes. width: of the picture by its height, divided by that of pictures of
    whole people.
    """
    seen, expected = part_rows(mask) / len(mask), np.array(heights)
    if not np.isnan(seen[[HEAD - 1, FOOT - 1]]).any():
        return None
    border = _at_border(mask)
    if not border[HEAD:, 0].any() and not border[: FOOT - 1, 1].any():  # a head above and feet below are not cut
        return None
    inside = ~np.isnan(seen) & ~border
    if inside.sum() < 2 or np.ptp(expected[inside]) < LEAST_SPAN:
        return None
    height, top = np.polyfit(seen[inside], expected[inside], 1)
    if not SMALLEST <= height < WHOLE or height * width < NARROWEST:
        return None
    return Placement(float(np.clip(top, 0, 1 - height)), float(height))


def placed(image: Tensor, place: Placement, proportion: float, padding: Tensor) -> Tensor:
    """Frame with the picture at its place, uint8 [H, W, 3].

    image: uint8 [H, W, 3], the picture stretched to the frame. proportion: its width by its height before that, divided
    by those of the frame; a picture that would be too wide fills the frame from side to side. padding: [3] in [0, 255].
    """
    height, width = image.shape[:2]
    rows = max(1, round(place.height * height))
    columns = min(width, max(1, round(place.height * width * proportion)))
    pixels = image.permute(2, 0, 1)[None].float()
    small = functional.interpolate(pixels, (rows, columns), mode="bilinear", align_corners=False, antialias=True)
    frame = padding.round().to(torch.uint8).to(image.device).expand(height, width, 3).clone()
    top, left = min(height - rows, round(place.top * height)), (width - columns) // 2
    frame[top : top + rows, left : left + columns] = small[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)
    return frame
