"""Mended masks: part masks drawn over those of a labeler.

Reads a folder of PNG files, one per mended image, with the ids of the eight part classes or in their colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.datasets.label_maps import exact_mask
from pipeline.datasets.mask_files import read_values
from pipeline.datasets.records import ImageRecord
from pipeline.errors import LostFile, UserError
from pipeline.io.images import BROKEN, open_image, resize_mask
from sorn.parts import CLASSES, COLOURS

FOLDER = "SegmentationClass"  # of the masks, as CVAT names it in what it imports and exports
EDIT = "Export them again and mend those: sorn masks export RUN --to png"
SHOWN = 3  # names in a sentence


@dataclass(frozen=True)
class MendedMasks:
    """Mended masks of a folder.

    files: name of an image -> file. strange: files of no labelled image, below the folder.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    strange: tuple[str, ...] = ()

    def read(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """Mended mask of an image, class ids uint8 [H, W] of this size.

        A file of another size is resized to the nearest pixel. Raises UserError for a file that is no such mask.
        """
        path = self.files[name]
        try:
            with open_image(path, ("PNG",)) as image:
                shape, coloured = (image.height, image.width), image.mode in ("RGB", "RGBA")
            return resize_mask(_from_colours(path) if coloured else exact_mask(path, shape), size)
        except BROKEN as error:
            raise UserError(f"mended mask {path} cannot be read: {error}", EDIT) from error
        except UserError as error:
            raise UserError(f"mended {error.wrong}", EDIT) from error

    def sentences(self, folder: str) -> list[str]:
        """What was found in a folder."""
        said = [f"{len(self.files):,} masks of {folder} are laid over those of the labeler"]
        if self.strange:
            more = ", ..." if len(self.strange) > SHOWN else ""
            names = f"{', '.join(self.strange[:SHOWN])}{more}"
            said.append(f"{len(self.strange):,} files of {folder} belong to no labelled image: {names}")
        return said


def find_mended(folder: Path, records: Iterable[ImageRecord]) -> MendedMasks:
    """Mended masks of labelled images.

    records: of the images. A mask has the name of its image, train/a.jpg.png or train/a.png. Raises LostFile for a
    missing folder, UserError for one without a mask of any image.
    """
    if not folder.is_dir():
        raise LostFile(f"masks.overrides = {folder}: no such folder", f"Name the folder of the masks. {EDIT}")
    root = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    there = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.png"))}
    names = [record.name for record in records]
    stems = [_stem(name) for name in names]
    shared = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()
    files, used = {}, set()
    for name, stem in zip(names, stems, strict=True):
        found = f"{name}.png" if f"{name}.png" in there else f"{stem}.png"
        if found in there and not (found == f"{stem}.png" and stem in shared):
            files[name] = there[found]
            used.add(found)
    if not files:
        wrong = f"masks.overrides = {folder} holds no mask of a labelled image, among {len(there)} PNG files"
        raise UserError(wrong, f"A mask has the name of its image, such as {names[0] if names else 'train/a.jpg'}.png.")
    return MendedMasks(files, tuple(name for name in there if name not in used))


def mask_name(name: str, shared: bool) -> str:
    """File of an image's mask, below the folder. shared: another image has this name with another suffix."""
    return f"{name if shared else _stem(name)}.png"


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


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
