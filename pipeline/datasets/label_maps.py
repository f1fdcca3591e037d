"""Label maps and ground-truth masks as part masks of their images."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.datasets.class_tables import HANDS, load_table
from pipeline.datasets.mask_files import read_values
from pipeline.datasets.mask_sizes import SHAPE, shown
from pipeline.datasets.mask_values import Misfit, Outline, class_ids, require_ids, to_parts
from pipeline.datasets.score_layers import THRESHOLD, are_scores, parts_of_scores
from pipeline.datasets.shipped_tables import LAYERS
from pipeline.errors import UserError
from pipeline.io.images import resize_mask

EXACT_TABLE = "sorn8"  # masks beside the images have the ids of sorn.parts
SAPIENS = "{path}_seg.npy"  # its ids; NAME.npy beside it holds the outline
SECTION = "masks.options"


@dataclass(frozen=True)
class LabelMaps:
    """The way in which one tool's label maps are read.

    table: name of the class table. lookup: as `load_table` returns it. channel, ignore, fit, threshold: as in the
    options of the labeler `import`. exact: they are ground truth, for which there are no options.
    """

    table: str
    lookup: np.ndarray
    channel: str = ""
    ignore: tuple[int, ...] = ()
    fit: str = SHAPE
    threshold: float = THRESHOLD
    exact: bool = False

    @property
    def layered(self) -> bool:
        """Whether the files hold a score per layer in place of ids."""
        return self.table in LAYERS

    def parts(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """Part mask of an image from its label map, part ids uint8 [h, w].

        size: (h, w) of the image. Raises UserError for a file that cannot be read, is no label map, has a value that
        the table does not know, or another shape than its image.
        """
        try:
            if self.layered:
                return parts_of_scores(read_values(path), self.lookup, size, self.threshold, self.fit)
            return resize_mask(to_parts(self._ids(path, size), self.lookup, self.table, self.ignore), size)
        except Misfit as error:
            raise self._message(path, error) from error

    def ids(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """Class ids that show an image, int64 [h', w'].

        They have the map's own size. Values to be ignored are 0. size: (h, w) of the image. Raises UserError as `parts`
        does.
        """
        try:
            ids = self._ids(path, size)
            to_parts(ids, self.lookup, self.table, self.ignore)
        except Misfit as error:
            raise self._message(path, error) from error
        return np.where(np.isin(ids, list(self.ignore)), 0, ids).astype(np.int64)

    def _ids(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        values = read_values(path)
        for table, layers in LAYERS.items():
            if are_scores(values, len(layers)):
                found = f"holds {len(layers)} layers of scores, not the class ids of table {self.table}"
                raise Misfit(
                    found, "Choose the table of the tool that made it.", f"table={table}", "If it is BPBReID's"
                )
        return shown(
            require_ids(class_ids(values, self.channel, len(self.lookup)), self.lookup, self.table), size, self.fit
        )

    def _message(self, path: Path, error: Misfit) -> UserError:
        wrong = f"mask {path} {error.found}"
        if self.exact:
            ids = f"Ground truth has the ids 0 to {len(self.lookup) - 1} of {self.table}, at the image's shape"
            return UserError(wrong, f"{ids}: write it so, or read the masks as label maps: --labeler import")
        if isinstance(error, Outline) and (other := path.with_name(SAPIENS.format(path=path.stem))).is_file():
            return UserError(wrong, f"Read {other.name} beside it: {setting(f'pattern={SAPIENS}')}")
        option = f" {error.when}: {setting(error.option)}" if error.option else ""
        return UserError(wrong, error.remedy + option)


def _refuse_scores(values: np.ndarray, table: str) -> None:
    for name, layers in LAYERS.items():
        if are_scores(values, len(layers)):
            found = f"holds {len(layers)} layers of scores, not the class ids of table {table}"
            raise Misfit(found, "Choose the table of the tool that made it.", f"table={name}", "If it is BPBReID's")


def setting(option: str) -> str:
    """Option of the labeler `import` on the command line.

    option: such as "channel=red". Quoted for a shell.
    """
    return f"--set {shlex.quote(f'{SECTION}.{option}')}"


def exact_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Ground-truth mask beside an image, part ids uint8 [h, w].

    The file holds the eight classes. size: (h, w) of the image. Raises UserError as `LabelMaps.parts` does.
    """
    lookup = load_table(EXACT_TABLE, next(iter(HANDS)))
    return LabelMaps(EXACT_TABLE, lookup, exact=True).parts(path, size)
