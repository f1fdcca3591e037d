"""Labeler `limbs`: silhouettes of one tool, divided by the joints of another.

Reads silhouettes as PNG, .npy, .npz or COCO JSON, or label maps with a class table; and joints as COCO JSON or CSV.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets.limb_regions import silhouette
from pipeline.datasets.mask_sizes import FITS, SHAPE
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.digests import FilePlace
from pipeline.io.images import decode
from pipeline.labelers.base import Labeled, Source, describe, read_options
from pipeline.labelers.limbs.choice import Picked, pick
from pipeline.labelers.limbs.division import divide, outline
from pipeline.labelers.limbs.joint_files import JointFiles
from pipeline.labelers.limbs.silhouette_files import SilhouetteFiles
from pipeline.labelers.person_choice import status_of
from pipeline.runs.config import Runtime
from sorn.config import check, check_choice
from sorn.sample import Status

logger = logging.getLogger(__name__)

SILHOUETTE, LIMBS = OUTLINES = ("silhouette", "limbs")
TRIED = 40  # images whose joints must lie on their silhouettes before the work begins


@dataclass(frozen=True)
class LimbsOptions:
    joints: str = ""
    # One JSON for all images, a folder with one for each, or a CSV as the keypoint finder `joints` reads, with {split}.
    silhouettes: str = ""
    # One JSON for all images, or a folder with a PNG, .npy, .npz or JSON for each. "" with outline=limbs needs none.
    table: str = ""
    # Class table of label maps in that folder: a shipped one, or your own with the class `person`. "": outlines.
    outline: str = SILHOUETTE
    # Image without a silhouette: "silhouette" gives it the status EMPTY, "limbs" paints its limbs alone.
    images: str = ""
    # JSON whose list `images` has the file names of image numbers, for results that hold numbers alone.
    joints_pattern: str = ""
    # Where the joints of an image lie in their folder, {path} being the image's path without its suffix. "" looks for
    # {path}.json, {path}.jpg.predictions.json (OpenPifPaf) and {path}.jpg_keypoints.json (KPR).
    silhouettes_pattern: str = ""
    # The same for silhouettes; "" looks for {path}.png, .npy, .npz, .json and for Sapiens' {path}_seg.npy.
    fit: str = SHAPE
    # How the image lies in its silhouette, as for the labeler `import`.
    ignore: tuple[int, ...] | int = ()
    # Values of label maps that become background, such as 255.
    category: int = 1
    # Number of people in a JSON without a list of categories: 1 in COCO, 0 in some versions of YOLO.
    person_score: float = 0.2
    # People of a lower score are not there, if their file has scores: YOLO's validation writes hundreds near 0.
    joint_confidence: float = 0.3
    # Joints below take the pixels of their limbs away: these become background, not the next limb's.
    low_resolution: int = 64
    # Images of fewer rows get the status LOW_RESOLUTION: a limb is then two pixels wide.

    def __post_init__(self) -> None:
        check(bool(self.joints), "joints", self.joints, "a JSON, a folder or a CSV with the joints")
        check_choice("outline", self.outline, OUTLINES)
        needless = self.outline == LIMBS
        check(bool(self.silhouettes) or needless, "silhouettes", self.silhouettes, "their JSON or folder")
        for name in ("joints_pattern", "silhouettes_pattern"):
            pattern = getattr(self, name)
            check(_is_pattern(pattern), name, pattern, "a form of file names with {path}")
        check_choice("fit", self.fit, FITS)
        check(0 <= self.person_score <= 1, "person_score", self.person_score, "a number in [0, 1]")
        check(0 <= self.joint_confidence <= 1, "joint_confidence", self.joint_confidence, "a number in [0, 1]")
        check(self.low_resolution >= 0, "low_resolution", self.low_resolution, "0 or more pixels")


class Limbs:
    """Labeler by silhouettes and joints that other tools found.

    An image without a skeleton or without a silhouette is EMPTY, and so is one whose skeleton does not lie on its
    silhouette; `people` has the difference.
    """

    name = "limbs"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = chosen = read_options(LimbsOptions, self.name, options)
        self.joints = JointFiles(chosen.joints, chosen.joints_pattern, chosen.images, chosen.person_score, source.root)
        ignore = (chosen.ignore,) if isinstance(chosen.ignore, int) else chosen.ignore
        self.silhouettes = (
            SilhouetteFiles(
                chosen.silhouettes,
                source.root,
                pattern=chosen.silhouettes_pattern,
                images=chosen.images,
                table=chosen.table,
                fit=chosen.fit,
                ignore=ignore,
                category=chosen.category,
                person_score=chosen.person_score,
            )
            if chosen.silhouettes
            else None
        )

    def describe(self) -> Mapping[str, object]:
        """Without the places of the files, whose contents are in `inputs`."""
        chosen = self.options
        placed = dataclasses.replace(
            chosen,
            joints=FilePlace(chosen.joints),
            silhouettes=FilePlace(chosen.silhouettes),
            images=FilePlace(chosen.images),
            table=FilePlace(chosen.table),
        )
        return describe(self.name, self.version, placed)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        silhouettes = self.silhouettes.inputs(records) if self.silhouettes else {}
        return self.joints.inputs(records) | silhouettes

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        self._warn(self.joints.prepare(records), records, "joints", "")
        if self.silhouettes:
            remedy = ""
            if self.options.outline != LIMBS:
                remedy = "; to paint their limbs alone: --set masks.options.outline=limbs"
            self._warn(self.silhouettes.prepare(records), records, "silhouette", remedy)
            self._try(records)

    def _warn(self, missing: Sequence[ImageRecord], records: Sequence[ImageRecord], what: str, remedy: str) -> None:
        if missing:
            empty = "" if what == "silhouette" and self.options.outline == LIMBS else " and are empty"
            logger.warning(
                f"masks: {len(missing):,} of {len(records):,} images have no {what}{empty}, "
                f"first {missing[0].name}{remedy}"
            )

    def _try(self, records: Sequence[ImageRecord]) -> None:
        """Raise UserError if joints do not lie on silhouettes: one of the two is of other images."""
        tried = fitting = 0
        first = ""
        for record in records[:: max(1, len(records) // TRIED)]:
            image = decode(record.path)
            if image is None:
                continue
            size = image.shape[0], image.shape[1]
            regions, poses = self._found(record, size)
            if regions and poses:
                tried += 1
                fits = pick(regions, poses, self.options.joint_confidence) is not None
                fitting += fits
                first = first or ("" if fits else record.name)
        if tried and fitting < tried / 2:
            wrong = f"in {tried - fitting} of {tried} images the joints do not lie on the silhouette, first {first}"
            remedy = (
                "Take both from the same images, in pixels: see --set masks.options.joints=FILE and the sizes of both."
            )
            raise UserError(wrong, remedy)

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        return [self._label(record, image.shape[:2]) for record, image in zip(records, images, strict=True)]

    def _label(self, record: ImageRecord, size: tuple[int, int]) -> Labeled:
        regions, poses = self._found(record, size)
        picked = pick(regions, poses, self.options.joint_confidence) if regions and poses else None
        if picked is None:
            return Labeled(np.zeros(size, np.uint8), Status.EMPTY, people=len(poses))
        return self._labeled(picked)

    def _labeled(self, picked: Picked) -> Labeled:
        mask = divide(picked.regions, picked.keypoints, self.options.joint_confidence, picked.others)
        people = 1 if picked.clear else picked.people
        status = status_of(people, mask.shape[0], self.options.low_resolution) if mask.any() else Status.EMPTY
        return Labeled(mask, status, picked.people, picked.box, picked.score)

    def _found(self, record: ImageRecord, size: tuple[int, int]) -> tuple[list[np.ndarray], list[Any]]:
        """Regions and skeletons of an image. size: (h, w)."""
        sure = self.options.joint_confidence
        poses = self.joints.find(record, size, sure)
        regions = self.silhouettes.find(record, size) if self.silhouettes else []
        if not regions and self.options.outline == LIMBS:
            regions = [silhouette(outline(pose.keypoints, sure, size)) for pose in poses]
        return [one for one in regions if one.any()], poses


def _is_pattern(pattern: str) -> bool:
    try:
        return not pattern or pattern.format(path="\0") != pattern
    except (KeyError, IndexError, ValueError):
        return False
