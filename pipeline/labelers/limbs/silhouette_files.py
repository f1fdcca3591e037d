"""Silhouettes of the people in images, from files of a segmenter.

Reads one JSON for all images, or a folder with one PNG, .npy, .npz or JSON for each: outlines, or label maps of a class
table.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.coco.entries import Entry, read_entries, read_images
from pipeline.datasets.coco.image_names import ImageNames
from pipeline.datasets.coco.outlines import decode
from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.label_maps import LabelMaps
from pipeline.datasets.limb_regions import load_regions, silhouette
from pipeline.datasets.mask_files import SUFFIXES, read_values
from pipeline.datasets.mask_sizes import shown
from pipeline.datasets.mask_values import Misfit
from pipeline.datasets.outline_values import outlines
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.files import digest_file, digest_json
from pipeline.io.images import resize_mask
from pipeline.labelers.limbs.image_files import ImageFiles
from pipeline.labelers.limbs.joint_files import IMAGES, require_size

OPTION = "masks.options.silhouettes"
ENDS = (*SUFFIXES, ".json", "_mask.png", "_seg.npy", "_seg.png")
PEOPLE = ("person", "people", "pedestrian", "human")


class SilhouetteFiles:
    """Silhouettes of each image.

    given: path of a JSON or a folder. pattern: form of the names in a folder. images: JSON with a list of images, or
    "". table: class table of label maps, "" for outlines. fit, ignore: as for the labeler `import`. category: number of
    people in a JSON without a list of categories. person_score: masks of a lower score are left out.
    """

    def __init__(
        self,
        given: str,
        root: Path,
        *,
        pattern: str,
        images: str,
        table: str,
        fit: str,
        ignore: tuple[int, ...],
        category: int,
        person_score: float,
    ) -> None:
        self.given, self.images, self.root, self.fit = given, images, root, fit
        self.category, self.person_score = category, person_score
        self.files = ImageFiles(Path(given), ENDS, pattern, root, OPTION, "silhouettes")
        self.maps = LabelMaps(table, load_regions(table), ignore=ignore, fit=fit) if table else None
        self.entries: Mapping[str, list[Entry]] = {}

    @property
    def is_folder(self) -> bool:
        return Path(self.given).is_dir()

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        """Digests of the files, by name."""
        if not self.is_folder:
            files = {"silhouettes": self.given, "list of images": self.images}
            return {name: digest_file(Path(path)) for name, path in files.items() if path and Path(path).is_file()}
        paths = map(self.files.find, records)
        found = {"silhouettes": str(files_digest(self.files.folder, (path for path in paths if path is not None)))}
        return found | ({"class table": digest_json(self.maps.lookup.tolist())} if self.maps else {})

    def prepare(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """Read what is read once; returns the images without a silhouette.

        Raises UserError as the readers do, and if no image has one.
        """
        if self.is_folder:
            return self.files.require(records)
        if self.maps:
            remedy = f"Name the folder of the label maps: --set {OPTION}=FOLDER"
            raise UserError(f"{self.given} is no folder, and a class table is for label maps, one file each", remedy)
        images = read_images(Path(self.images), IMAGES) if self.images else None
        file = read_entries(Path(self.given), OPTION, images)
        groups = ImageNames(records, self.root).group(file, OPTION, IMAGES)
        self.entries = {name: self._people(entries, file.entries) for name, entries in groups.items()}
        return [record for record in records if not self.entries.get(record.name)]

    def find(self, record: ImageRecord, size: tuple[int, int]) -> list[np.ndarray]:
        """Regions of each silhouette of an image, as `division.divide` takes them.

        uint8 [h, w] each. size: (h, w). Raises UserError for a file that does not fit its image.
        """
        if not self.is_folder:
            return self._decoded(self.entries.get(record.name, []), size)
        path = self.files.find(record)
        if path is None:
            return []
        if path.suffix.lower() == ".json":
            entries = read_entries(path, OPTION).entries
            return self._decoded(self._people(entries, entries), size)
        if self.maps:
            return [self.maps.parts(path, size)]
        try:
            people = [shown(one, size, self.fit) for one in outlines(read_values(path))]
        except Misfit as error:
            option = f" {error.when}: --set {shlex.quote(f'masks.options.{error.option}')}" if error.option else ""
            raise UserError(f"silhouette {path} {error.found}", error.remedy + option) from error
        return [silhouette(resize_mask(one.astype(np.uint8), size) > 0) for one in people]

    def _decoded(self, entries: Sequence[Entry], size: tuple[int, int]) -> list[np.ndarray]:
        for entry in entries[:1]:
            require_size(entry, size)
        return [silhouette(decode(entry, size, self.fit)) for entry in entries]

    def _people(self, entries: Sequence[Entry], all_entries: Sequence[Entry]) -> list[Entry]:
        """Entries of people: by name, by number, or all where a file has one category or none.

        all_entries: of the file.
        """
        categories = {entry.category for entry in all_entries} - {None}
        numbers = {one for one in categories if isinstance(one, int)}
        if len(categories) > 1 and numbers == categories and self.category not in numbers:
            listed = ", ".join(map(str, sorted(numbers)[:6]))
            remedy = f"Name the number of people: --set masks.options.category={min(numbers)}"
            raise UserError(f"{all_entries[0].where.partition(', ')[0]} has the categories {listed}", remedy)
        found = [entry for entry in entries if len(categories) < 2 or self._is_person(entry)]
        return [entry for entry in found if entry.score is None or entry.score >= self.person_score]

    def _is_person(self, entry: Entry) -> bool:
        if isinstance(entry.category, str):
            return entry.category.lower() in PEOPLE
        return entry.category in (None, self.category)
