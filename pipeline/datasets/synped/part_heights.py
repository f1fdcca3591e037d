"""Heights of body parts in pictures of whole people.

Means over the training pictures of SynPed without an obstacle, from their ground-truth masks. The table comes from
    python -m pipeline.datasets.synped.part_heights data/synped
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets.synped.plan import SIZES, make_plan
from sorn.parts import CLASSES
from sorn.placement import Heights, part_rows

PART_HEIGHTS: Heights = (
    (0.033, 0.185),  # head
    (0.186, 0.512),  # torso
    (0.212, 0.38),  # upper arm
    (0.37, 0.554),  # lower arm
    (0.517, 0.711),  # upper leg
    (0.701, 0.885),  # lower leg
    (0.851, 0.966),  # foot
)
# Top and bottom of each part, as shares of the picture's height from above; see `sorn.placement.part_rows`.


def measure(root: Path, size: str = "full", seed: int = 0) -> Heights:
    """Mean heights of the parts of whole people.

    root: folder of a rendered SynPed of that size and seed.
    """
    from pipeline.datasets.synped.dataset import files_of  # brings the renderer's workers: the table needs none

    specs = [spec for spec in make_plan(SIZES[size], seed).images if spec.split == "train" and not spec.occluded]
    rows = []
    for spec in specs:
        with Image.open(files_of(root, spec)[1]) as opened:
            mask = np.asarray(opened)
        rows.append(part_rows(mask) / len(mask))
    return tuple((float(top), float(bottom)) for top, bottom in np.nanmean(rows, axis=0).round(3))


if __name__ == "__main__":
    for name, (top, bottom) in zip(CLASSES[1:], measure(Path(sys.argv[1])), strict=True):
        print(f"    ({top}, {bottom}),  # {name}")
