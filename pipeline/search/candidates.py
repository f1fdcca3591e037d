"""Candidates for a search in a large gallery: FAISS on the global feature (Eq. 13). Reads and writes candidates.h5.

FAISS compares compressed global features alone and looks into a part of the gallery; whoever ranks re-scores what it
picked by Eq. 15, and measures what was missed. It is an optional package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.features.mapped import require_finite
from pipeline.io import hdf5
from pipeline.io.disk import require_space, told_when_full
from pipeline.io.files import atomic
from sorn.features import FeatureBank

INDEX_VERSION = 1
FLAT = 20_000  # images up to which every vector is kept as it is and compared
PER_LIST = 64  # images per list that the lists' centres are learnt from
LOOKED_INTO = 8  # one list in so many is looked into
SAME = 1e-6  # by how much FAISS's similarities of equal features may differ, whose sums are taken in another order
BLOCK = 64 << 20  # bytes of features that are read at a time


@dataclass(frozen=True)
class Candidates:
    """index: FAISS's, of the unit vectors of all gallery images, in the bank's order."""

    index: Any

    def pick(self, query: np.ndarray, count: int) -> list[np.ndarray]:
        """query: global features [n, Dg] -> per query at most `count` positions in the gallery, int64, rising."""
        faiss = _faiss()
        units = np.array(query, np.float32, order="C")
        faiss.normalize_L2(units)
        size = min(2 * count, self.index.ntotal)
        found = zip(units, *self.index.search(units, size), strict=True)
        return [np.sort(self._first(unit, similarity, positions, count)) for unit, similarity, positions in found]

    def _first(self, unit: np.ndarray, similarity: np.ndarray, positions: np.ndarray, count: int) -> np.ndarray:
        """The `count` nearest to unit [Dg], of those found or of more: of equals at the end the first in the bank, as
        when all are compared.
        """
        while True:
            held = positions >= 0  # -1: its lists held no more
            if np.count_nonzero(held) <= count:
                return np.asarray(positions[held])
            last = similarity[count - 1]
            if not held.all() or len(held) == self.index.ntotal or similarity[-1] < last - SAME:
                break
            size = min(2 * len(held), self.index.ntotal)
            similarity, positions = (values[0] for values in self.index.search(unit[None], size))
        similarity, positions = similarity[held], positions[held]
        ahead, equal = positions[similarity > last + SAME], positions[np.abs(similarity - last) <= SAME]
        return np.concatenate([ahead, np.sort(equal)[: count - len(ahead)]])


def candidates(bank: FeatureBank, fingerprint: str, keep: Path | None = None) -> Candidates:
    """The index of a gallery; from `keep`, where it was made of the features with this fingerprint, else made anew.

    Raises UserError without FAISS, for a network without global features, and for features that are not finite.
    """
    faiss = _faiss()
    if bank.global_.shape[1] == 0:
        raise UserError(
            "--candidates are picked by the global feature, and this network has no global branch",
            "Leave --candidates out: the whole gallery is then compared.",
        )
    kept = _kept(keep, fingerprint, len(bank)) if keep else None
    if kept is not None:
        return Candidates(kept)
    index = _build(faiss, bank)
    if keep:
        _write(keep, faiss.serialize_index(index), fingerprint)
    return Candidates(index)


def _build(faiss: Any, bank: FeatureBank) -> Any:
    """Up to FLAT images: the vectors themselves. More: lists of vectors of 8 bits per number, a quarter of their size.

    Eq. 15 re-scores what is picked, so coarse numbers cost candidates at the very end of the list only.
    """
    count, width = bank.global_.shape
    if count <= FLAT:
        index = faiss.IndexFlatIP(width)
    else:
        lists = int(4 * count**0.5)
        index = faiss.index_factory(width, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.nprobe = max(1, lists // LOOKED_INTO)
        sample = np.random.default_rng(0).permutation(count)[: lists * PER_LIST]
        index.train(_units(faiss, bank, np.sort(sample)))
    size = max(1, BLOCK // (4 * width))
    for first in range(0, count, size):
        index.add(_units(faiss, bank, np.arange(first, min(first + size, count))))
    return index


def _units(faiss: Any, bank: FeatureBank, rows: np.ndarray) -> np.ndarray:
    vectors = np.array(bank.global_[rows], np.float32, order="C")
    require_finite("the gallery's global feature", vectors, bank.name[rows])
    faiss.normalize_L2(vectors)
    return vectors


def _kept(path: Path, fingerprint: str, count: int) -> Any:
    """The index in the file; None where there is none, or one of other features, or a damaged one."""
    if not path.is_file():
        return None
    try:
        with hdf5.opened(path) as file:
            if hdf5.attributes(file) != {"fingerprint": fingerprint, "version": INDEX_VERSION}:
                return None
            index = _faiss().deserialize_index(hdf5.dataset(file, "index")[:])
    except hdf5.DAMAGE:
        return None
    return index if index.ntotal == count else None


def _write(path: Path, index: np.ndarray, fingerprint: str) -> None:
    require_space(path, index.nbytes)
    with told_when_full(path), atomic(path) as temporary, hdf5.created(temporary) as file:
        file.create_dataset("index", data=index, track_times=False)
        hdf5.set_attributes(file, {"fingerprint": fingerprint, "version": INDEX_VERSION})


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise UserError(
            f"--candidates needs the package faiss, which cannot be imported: {error}",
            "Run: pip install faiss-cpu; or leave --candidates out: the whole gallery is then compared.",
        ) from error
    return faiss
