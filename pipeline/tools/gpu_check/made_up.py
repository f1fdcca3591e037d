"""Made-up pictures of people with their part masks.

A person is a head, a torso, arms and legs of plain colours before noise. The colours are those of the identity, so that
a network learns something within a few steps, and a loss curve has a shape. Writes pictures, masks, a list and options.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.io.files import write_text
from pipeline.tools.gpu_check.setting import CheckSetting, CheckSizes
from sorn.parts import FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG

SCALE = 1.5  # of the pictures, so that the stages resize them
NOISE = 12.0  # grey levels

# Top, bottom, left and right of the parts, in shares of the picture; what comes later covers what came before.
PARTS = (
    (TORSO, 0.20, 0.52, 0.30, 0.70),
    (UPPER_ARM, 0.22, 0.38, 0.18, 0.30),
    (UPPER_ARM, 0.22, 0.38, 0.70, 0.82),
    (LOWER_ARM, 0.38, 0.54, 0.18, 0.30),
    (LOWER_ARM, 0.38, 0.54, 0.70, 0.82),
    (UPPER_LEG, 0.52, 0.72, 0.32, 0.68),
    (LOWER_LEG, 0.72, 0.92, 0.34, 0.66),
    (FOOT, 0.92, 0.98, 0.32, 0.68),
    (HEAD, 0.05, 0.20, 0.40, 0.60),
)

OPTIONS = """
base = "paper"
[danet]
backbone = "resnet18"
width = 16
image_size = [{height}, {width}]
epochs = {epochs}
batch_size = {batch}
init = "none"
[masks]
image_size = [{height}, {width}]
[model]
backbone = "resnet18"
semantic_channels = 32
[schedule]
epochs = {epochs}
base_lr = 1e-3
warmup_start_lr = 1e-4
warmup_epochs = 1
milestones = [{milestone}]
[train]
init = "none"
batch_size = {batch}
"""


def draw_dataset(setting: CheckSetting) -> None:
    """Files of the dataset, and the options of its trainings.

    Its splits are train, query, gallery and labeler.
    """
    sizes, rows = setting.sizes, ["path,pid,camid,split"]
    people, more = range(sizes.people), range(sizes.people, 2 * sizes.people)
    for split, pids, cameras in (
        ("train", people, range(sizes.pictures)),
        ("query", more, range(1)),
        ("gallery", more, range(1, 3)),
        ("labeler", more, range(3, 3 + sizes.pictures)),
    ):
        for pid in pids:
            for camera in cameras:
                picture, mask = draw_person(sizes, pid, camera)
                name = f"{split}-{pid:02d}-{camera}.png"
                _save(picture, setting.folder / "pictures" / name)
                _save(mask, setting.folder / "masks" / split / "pictures" / name)
                rows.append(f"pictures/{name},{pid},{camera},{split}")
    write_text(setting.dataset, "\n".join(rows) + "\n")
    height, width = sizes.image
    options = OPTIONS.format(
        height=height, width=width, epochs=sizes.epochs, batch=sizes.batch, milestone=max(2, sizes.epochs - 1)
    )
    write_text(setting.options, options)


def draw_person(sizes: CheckSizes, pid: int, camera: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture and part mask of a person before a camera.

    [H, W, 3] uint8 RGB, and [H, W] uint8.
    """
    height, width = (round(SCALE * side) for side in sizes.image)
    colours, rng = np.random.default_rng(pid), np.random.default_rng([pid, camera])
    picture = np.full((height, width, 3), rng.integers(60, 200, 3), np.float64)
    mask = np.zeros((height, width), np.uint8)
    shift = rng.uniform(-0.06, 0.06)
    of_part = {part: colours.integers(0, 256, 3) for part, *_ in PARTS}
    for part, top, bottom, left, right in PARTS:
        rows = slice(round(top * height), round(bottom * height))
        columns = slice(max(0, round((left + shift) * width)), round((right + shift) * width))
        picture[rows, columns], mask[rows, columns] = of_part[part], part
    picture += rng.normal(0, NOISE, picture.shape)
    return picture.clip(0, 255).astype(np.uint8), mask


def _save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
