"""Candidates for search in a large gallery: FAISS on global features.

Reads and writes candidates.h5. FAISS compares compressed global features (Eq. 13) and searches a part of the gallery.
The searcher then computes Eq. 15 for the candidates, and measures which matches they miss. FAISS is an optional
package.
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
FLAT = 20_000  # largest gallery whose vectors are kept uncompressed and all compared
PER_LIST = 64  # training images for the centre of each list
LISTS_PER_PROBE = 8  # one list in this number of lists is searched
SAME = 1e-6  # largest difference of FAISS's similarities for equal features: it sums in another order
BLOCK = 64 << 20  # bytes of features that are read at a time


@dataclass(frozen=True)
class Candidates:
    """FAISS index of a gallery.

    index: FAISS's object, with the unit vectors of all gallery images in the order of the bank.
    """

    index: Any

    def pick(self, query: np.ndarray, count: int) -> list[np.ndarray]:
        """Candidates of each query, as ascending positions in the gallery.

        query: global features, float32 [n, Dg]. Returns for each query at most `count` positions, int64.
        """
        faiss = _faiss()
        units = np.array(query, np.float32, order="C")
        faiss.normalize_L2(units)
        size = min(2 * count, self.index.ntotal)
        nearest = zip(units, *self.index.search(units, size), strict=True)
        return [np.sort(self._first(unit, similarity, positions, count)) for unit, similarity, positions in nearest]

    def _first(self, unit: np.ndarray, similarity: np.ndarray, positions: np.ndarray, count: int) -> np.ndarray:
        """Positions of the `count` nearest images to `unit` [Dg].

        Of images with equal similarity at the end of the list, the first ones in the bank are taken, as in a search
        without candidates. If the given positions are too few to decide that, the index is searched again.
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
    """Index of a gallery, read from `keep` or built.

    The file is used if it was built from the features with this fingerprint. Otherwise the index is built and written
    there. Raises UserError without FAISS, for a network without global features, and for features that are not finite.
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
    """FAISS index of the bank's global features.

    Up to FLAT images it holds the float32 vectors. For more images it holds lists of vectors with 8 bits per number, a
    quarter of the size. Eq. 15 is computed for all candidates, so this can change only the last candidates.
    """
    count, width = bank.global_.shape
    if count <= FLAT:
        index = faiss.IndexFlatIP(width)
    else:
        lists = int(4 * count**0.5)
        index = faiss.index_factory(width, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.nprobe = max(1, lists // LISTS_PER_PROBE)
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
    """Index in the file; None if it is missing, damaged, or of other features."""
    if not path.is_file():
        return None
    try:
        with hdf5.opened(path) as file:
            if hdf5.attributes(file) != {"fingerprint": fingerprint, "version": INDEX_VERSION}:
                return None
            index = _faiss().deserialize_index(hdf5.dataset(file, "index")[:])
    except (hdf5.OutOfReach, *hdf5.DAMAGE):
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
