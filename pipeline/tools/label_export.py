"""Export of a run's labels for annotation tools, and nothing else.

Reads shards; writes images as PNG, and masks as palette PNG or as COCO annotations, at the size of the shards. So they
come back bit for bit.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.datasets.coco import rle
from pipeline.datasets.marks import read_marks
from pipeline.datasets.mended_masks import ANNOTATIONS, FOLDER, MendedMasks, mask_name
from pipeline.datasets.records_file import twins
from pipeline.errors import UserError, first_names
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
    for a run without labels, where no image is left, and for a folder with other masks: somebody may have drawn them.
    """
    index = find_index(runs, given)
    labels = StoredLabels(index)
    folder = out or runs / f"masks-of-{label_name(index)}"
    names = list(labels.names)
    numbers = np.flatnonzero(labels.seen).tolist()
    if only is not None:
        marked = read_marks(only, {names[number] for number in numbers}).reasons
        numbers = [number for number in numbers if names[number] in marked]
    if not numbers:
        wrong = f"'{label_name(index)}' has no label to export{f' among the images of {only}' if only else ''}"
        raise UserError(wrong, "Label images first, or mark some on the labels page: sorn masks page RUN")
    alike = twins(names)
    files = [mask_name(name, name in alike) for name in names]
    _require_no_others(folder, kind, {files[number]: number for number in numbers}, labels)
    annotations: list[dict[str, Any]] = []
    for number in progress(numbers, len(numbers), "export"):
        sample = labels.sample(number)
        _save(folder / IMAGES / files[number], Image.fromarray(sample.image))
        if kind == "png":
            if not (folder / FOLDER / files[number]).exists():
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
        _write_annotations(folder / ANNOTATIONS, json.dumps(document, separators=(",", ":")))
    logger.info(f"export: {len(numbers):,} masks in {folder}; mended ones come back: --set masks.overrides={folder}")
    return folder


def _require_no_others(folder: Path, kind: str, numbers: Mapping[str, int], labels: StoredLabels) -> None:
    """Raise UserError if the folder has masks that are not those of the labels.

    numbers: name of each mask -> its image. Masks that are the labels' own are of a killed or an earlier export.
    """
    other = folder / (ANNOTATIONS if kind == "png" else FOLDER)
    if other.exists():
        raise _others(folder, f"'{other.name}', of an export of another kind")
    there = [name for name in numbers if kind == "png" and (folder / FOLDER / name).exists()]
    mended = MendedMasks({name: folder / FOLDER / name for name in there})
    drawn = [name for name in there if not _is_label(mended, name, labels.sample(numbers[name]).mask)]
    if drawn:
        raise _others(folder, f"{len(drawn):,} masks that are not the labels: {first_names(drawn)}")


def _is_label(mended: MendedMasks, name: str, label: np.ndarray) -> bool:
    try:
        return bool(np.array_equal(mended.read(name, label.shape), label))
    except UserError:  # of another tool, in its own colours
        return False


def _write_annotations(path: Path, text: str) -> None:
    """Write COCO annotations, if the file is not there. Raises UserError where it has others."""
    if not path.exists():
        write_text(path, text)
    elif path.read_bytes() != text.encode():
        raise _others(path.parent, f"an '{path.name}' with other masks")


def _others(folder: Path, what: str) -> UserError:
    return UserError(f"{folder} holds {what}. They may be drawn by hand, and stay", "Name a new folder: --out FOLDER")


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
