"""Export of a run's labels for annotation tools, and nothing else.

Reads shards; writes images as PNG, and masks as palette PNG or as COCO annotations, at the size of the shards. So they
come back bit for bit.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pipeline.datasets.coco import rle
from pipeline.datasets.marks import read_marks
from pipeline.datasets.mended_masks import ANNOTATIONS, FOLDER, mask_name
from pipeline.errors import UserError
from pipeline.evaluation.label_statistics import StoredLabels
from pipeline.io.files import atomic, write_text
from pipeline.reports.labels.compare import find_index, label_name
from pipeline.runtime.progress import progress
from sorn.parts import CLASSES, COLOURS

logger = logging.getLogger(__name__)

PALETTE = 256  # colours: with fewer, tools store fewer bits per pixel and cut ids
IMAGES = "JPEGImages"  # as CVAT names it


def export_labels(given: str, runs: Path, kind: str, only: Path | None, out: Path | None) -> Path:
    """Write the labels of a run; returns the folder.

    given: as for `find_index`. kind: "png" or "coco". only: a marks.csv; None for all labelled images. Raises UserError
    for a run without labels, and where no image is left.
    """
    index = find_index(runs, given)
    labels = StoredLabels(index)
    folder = out or runs / f"masks-of-{label_name(index)}"
    names = labels.name.tolist()
    numbers = np.flatnonzero(labels.seen).tolist()
    if only is not None:
        marked = read_marks(only, {names[number] for number in numbers}).reasons
        numbers = [number for number in numbers if names[number] in marked]
    if not numbers:
        wrong = f"'{label_name(index)}' has no label to export{f' among the images of {only}' if only else ''}"
        raise UserError(wrong, "Label images first, or mark some on the labels page: sorn masks page RUN")
    stems = Counter(PurePosixPath(name).with_suffix("").as_posix() for name in names)
    files = [mask_name(name, stems[PurePosixPath(name).with_suffix("").as_posix()] > 1) for name in names]
    annotations: list[dict[str, Any]] = []
    for number in progress(numbers, len(numbers), "export"):
        sample = labels.sample(number)
        _save(folder / IMAGES / files[number], Image.fromarray(sample.image))
        if kind == "png":
            _save(folder / FOLDER / files[number], palette_image(sample.mask))
        else:
            annotations += _annotations(sample.mask, number + 1, len(annotations) + 1)
    if kind == "png":
        _write_cvat_lists(folder, [files[number] for number in numbers])
    else:
        size = labels.index.image_size
        images = [
            {"id": number + 1, "file_name": files[number], "height": size[0], "width": size[1]} for number in numbers
        ]
        categories = [{"id": part, "name": CLASSES[part]} for part in range(1, len(CLASSES))]
        document = {"images": images, "annotations": annotations, "categories": categories}
        write_text(folder / ANNOTATIONS, json.dumps(document, separators=(",", ":")))
    logger.info(f"export: {len(numbers):,} masks in {folder}; mended ones come back: --set masks.overrides={folder}")
    return folder


def palette_image(mask: np.ndarray) -> Image.Image:
    """Mask [h, w] uint8 as an image of class ids.

    It is shown in the colours of the parts.
    """
    image = Image.fromarray(mask, "P")
    colours = np.zeros((PALETTE, 3), np.uint8)
    colours[: len(CLASSES)] = COLOURS
    image.putpalette(colours.tobytes())
    return image


def _save(path: Path, image: Image.Image) -> None:
    with atomic(path) as temporary:
        image.save(temporary, "PNG")


def _write_cvat_lists(folder: Path, files: Sequence[str]) -> None:
    """The two lists that CVAT reads beside the masks: parts with their colours, and images."""
    colours = [",".join(map(str, colour)) for colour in COLOURS.tolist()]
    lines = [f"{name}:{colour}::" for name, colour in zip(CLASSES, colours, strict=True)]
    write_text(folder / "labelmap.txt", "\n".join(["# label:color_rgb:parts:actions", *lines]) + "\n")
    names = [name.removesuffix(".png") for name in files]
    write_text(folder / "ImageSets" / "Segmentation" / "default.txt", "\n".join(names) + "\n")


def _annotations(mask: np.ndarray, image: int, first: int) -> list[dict[str, Any]]:
    """COCO annotations of one image, one per part that is shown. first: id of the first."""
    made: list[dict[str, Any]] = []
    for part in np.unique(mask[mask > 0]).tolist():
        inside = mask == part
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
        made.append(
            {
                "id": first + len(made),
                "image_id": image,
                "category_id": part,
                "segmentation": rle.encode(inside),
                "area": int(inside.sum()),
                "bbox": [int(side) for side in box],
                "iscrowd": 1,
            }
        )
    return made
