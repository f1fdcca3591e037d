"""Mended masks: part masks drawn over those of a labeler.

Reads a folder of PNG files, one per mended image, with the ids of the eight part classes or in their colours, or a JSON
file of COCO annotations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.datasets.coco.part_masks import DrawnMask, read_part_masks
from pipeline.datasets.label_maps import exact_mask
from pipeline.datasets.mask_files import read_values
from pipeline.datasets.records_file import stem, twins
from pipeline.errors import LostFile, UserError, first_names
from pipeline.io.images import BROKEN, open_image, resize_mask
from sorn.parts import CLASSES, COLOURS

ANNOTATIONS = "annotations.json"  # of COCO
FOLDER = "SegmentationClass"  # of the masks, as CVAT names it in what it imports and exports
EDIT = "Export them again and mend those: sorn masks export RUN --to png"


@dataclass(frozen=True)
class MendedMasks:
    """Mended masks of a folder, or of a file of annotations.

    files: name of an image -> PNG file. drawn: name of an image -> its annotations. strange: names of masks that belong
    to no labelled image.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    drawn: Mapping[str, DrawnMask] = field(default_factory=dict)
    strange: tuple[str, ...] = ()

    def read(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """Mended mask of an image, class ids uint8 [H, W] of this size.

        A file of another size is resized to the nearest pixel. Raises UserError for a file that is no such mask.
        """
        if name in self.drawn:
            return resize_mask(self.drawn[name].parts(), size)
        path = self.files[name]
        try:
            with open_image(path, ("PNG",)) as image:
                shape, coloured = (image.height, image.width), image.mode in ("RGB", "RGBA")
            return resize_mask(_from_colours(path) if coloured else exact_mask(path, shape), size)
        except BROKEN as error:
            raise UserError(f"mended mask {path} cannot be read: {error}", EDIT) from error
        except UserError as error:
            raise UserError(f"mended {error.wrong}", EDIT) from error

    def __contains__(self, name: object) -> bool:
        return name in self.files or name in self.drawn

    def sentences(self, folder: str) -> list[str]:
        """What was found in a folder or a file."""
        said = [f"{len(self.files) + len(self.drawn):,} masks of {folder} are laid over those of the labeler"]
        if self.strange:
            names = first_names(self.strange)
            said.append(f"{len(self.strange):,} masks of {folder} belong to no labelled image: {names}")
        return said


def find_mended(place: Path, images: Sequence[str]) -> MendedMasks:
    """Mended masks of labelled images.

    place: a folder of PNG files, a JSON file of COCO annotations, or a folder with either as `sorn masks export` writes
    it. images: their names. A mask has the name of its image, train/a.jpg.png or train/a.png. Raises LostFile for a
    missing place, UserError for one without a mask of any image or with both kinds.
    """
    if not place.exists():
        raise LostFile(f"masks.overrides = {place}: no such folder", f"Name the folder of the masks. {EDIT}")
    annotations = place / ANNOTATIONS if place.is_dir() else place
    root = place / FOLDER if (place / FOLDER).is_dir() else place
    if place.is_dir() and annotations.is_file() and root != place:
        wrong = f"masks.overrides = {place} holds masks both in {ANNOTATIONS} and in {FOLDER}"
        raise UserError(wrong, f"Name those that count: --set masks.overrides={annotations}, or {root}.")
    if annotations.is_file() and root == place:
        drawn = read_part_masks(annotations)
        used = _matched(place, list(drawn), images)
        return MendedMasks(drawn={name: drawn[file] for name, file in used.items()}, strange=_others(drawn, used))
    there = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.png"))}
    used = _matched(place, list(there), images)
    return MendedMasks({name: there[file] for name, file in used.items()}, strange=_others(there, used))


def annotation_file(place: Path) -> Path:
    """File of annotations that a place holds, for its digest."""
    return place / ANNOTATIONS if place.is_dir() else place


def _others(there: Iterable[str], used: Mapping[str, str]) -> tuple[str, ...]:
    taken = set(used.values())
    return tuple(name for name in there if name not in taken)


def _matched(place: Path, there: Collection[str], names: Sequence[str]) -> dict[str, str]:
    """Name of an image -> name of its mask.

    Annotations may name the image itself. A mask without the suffix of its image belongs to one image alone.
    """
    shared = {stem(name) for name in twins(names)}
    known, found = set(there), {}
    for name in names:
        own = [f"{name}.png", name] + ([f"{stem(name)}.png"] if stem(name) not in shared else [])
        mask = next((one for one in own if one in known), None)
        if mask is not None:
            found[name] = mask
    if not found:
        wrong = f"masks.overrides = {place} holds no mask of a labelled image, among {len(known)} masks"
        raise UserError(wrong, f"A mask has the name of its image, such as {names[0] if names else 'train/a.jpg'}.png.")
    return found


def mask_name(name: str, shared: bool) -> str:
    """File of an image's mask, below the folder.

    shared: another image has this name with another suffix.
    """
    return f"{name if shared else stem(name)}.png"


def _from_colours(path: Path) -> np.ndarray:
    """Class ids of a picture in the colours of the parts, as some tools save a palette."""
    pixels = read_values(path)[..., :3].astype(np.int64) @ (1 << 16, 1 << 8, 1)
    colours = COLOURS.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    order = np.argsort(colours)
    place = np.searchsorted(colours[order], pixels).clip(max=len(CLASSES) - 1)
    ids: np.ndarray = order[place].astype(np.uint8)
    strange = colours[ids] != pixels
    if strange.any():
        raise UserError(f"mask {path} has the colour #{int(pixels[strange][0]):06x}, which is no part's", EDIT)
    return ids
