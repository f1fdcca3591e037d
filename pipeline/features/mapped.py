"""Memory-mapped feature banks: bank.h5, or the gallery of a features.h5.

Features are read from the disk when they are used, so a gallery may be larger than memory. In HDF5 they are contiguous
and uncompressed, see `docs/formats.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.datasets.boxes import FrameBox, FrameCrop, crop_of
from pipeline.errors import UserError
from pipeline.features import store
from pipeline.features.bank_layout import LAYOUT
from pipeline.io import hdf5
from pipeline.runs.command import DATA_ROOT
from pipeline.runs.find import find_run
from pipeline.runs.run import Run
from sorn.features import FeatureBank

REMEDY = "Make it again: sorn embed, or make eval; or give a folder of pictures."
FEATURES = {"global": "global_", "local": "local", "visibility": "visibility"}  # in the file -> field
OPTIONAL = {"part_features": "part_features", "part_shares": "part_shares"}  # of a network with a part branch


@dataclass(frozen=True)
class MappedBank:
    """Feature bank with memory-mapped arrays.

    bank: its features and visibility scores are mapped. attrs: name -> text, the sources of the features.
    """

    path: Path
    bank: FeatureBank
    attrs: dict[str, str]

    def picture(self, name: str) -> Path | None:
        """File of an image when the bank was made; None if unknown."""
        if "folder" not in self.attrs:
            return self._recorded.get(name)
        crop = self._crop(name)
        return Path(self.attrs["folder"]) / (crop.path if crop else name)

    def box(self, name: str) -> FrameBox | None:
        """Box of an image in its file; None for a whole file."""
        crop = self._crop(name)
        return crop.box if crop else None

    def _crop(self, name: str) -> FrameCrop | None:
        return crop_of(name) if "boxes" in self.attrs else None

    @cached_property
    def _recorded(self) -> dict[str, Path]:
        """Files of the images of an evaluation, by name, from records.csv of the dataset."""
        place = find_run(self.path.absolute(), Path())
        if place is None:
            return {}
        try:
            records = Run.find(place.full_name, place.runs, Path(DATA_ROOT)).records
        except UserError:
            return {}
        return dict(zip(records.names, map(Path, records.paths), strict=True))


def open_bank(path: Path) -> MappedBank:
    """Mapped bank of a file.

    Raises UserError for a file that is missing, truncated, empty, no bank, or of another schema version. The visibility
    scores are checked here, the features are not: see `require_finite`.
    """
    attrs = store.read_attrs(path, REMEDY)
    sides = store.bank_names(path)
    try:
        with hdf5.opened(path) as file:
            group = hdf5.member(file, store.IMAGES if store.IMAGES in sides else "gallery")
            features = FEATURES | {key: field for key, field in OPTIONAL.items() if key in group}
            held = {key: hdf5.dataset(group, key) for key in (*features, "pid", "camid", "name")}
            mapped: dict[str, Any] = {
                field: _mapped(path, held[key], LAYOUT[key][1]) for key, field in features.items()
            }
            small = {key: held[key][:] for key in ("pid", "camid")}
            bank = FeatureBank(**mapped, **small, name=held["name"].asstr()[:].astype(str))
    except hdf5.DAMAGE as error:
        raise hdf5.unreadable(path, "feature bank", error, REMEDY) from error
    if len(bank) == 0:
        raise UserError(f"{path} holds no image", REMEDY)
    for name, shares in (("visibility", bank.visibility), ("part_shares", bank.features.part_shares)):
        require_finite(f"{path}: {name}", shares, bank.name)
        if ((shares < 0) | (shares > 1)).any():
            raise UserError(f"{path}: {name} has values outside [0, 1]", REMEDY)
    return MappedBank(path, bank, attrs)


def require_finite(what: str, values: np.ndarray, names: np.ndarray) -> None:
    """Check that all values are finite.

    what: name of the values, for the message. values: [n] or [n, d]. names: of the images, [n] str. Raises UserError
    with the first image whose values are not finite.
    """
    bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if bad.any():
        raise UserError(f"{what} is not finite for {bad.sum():,} images, first {names[bad.argmax()]}", REMEDY)


def _mapped(path: Path, dataset: h5py.Dataset, axes: int) -> np.ndarray:
    """Mapped float32 array with `axes` axes."""
    if dataset.dtype != np.dtype("<f4") or dataset.ndim != axes:
        raise ValueError(f"{dataset.name} is {dataset.dtype} {list(dataset.shape)}")
    return hdf5.mapped(path, dataset)
