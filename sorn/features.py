"""Feature bank: features of a set of images, ready for matching."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

AT_ONCE = 64
# Rows of a mapped array that are copied at a time.


class Features(NamedTuple):
    """Features of n images as the network returns them, all float32.

    global_: [n, Dg]. local: [n, P, Dl]. visibility: [n, P]. part_features: [n, G, Dp]. part_shares: [n, G]. A branch
    that is off has arrays of width 0.
    """

    global_: np.ndarray
    local: np.ndarray
    visibility: np.ndarray
    part_features: np.ndarray
    part_shares: np.ndarray

    @classmethod
    def joined(cls, pieces: Iterable[Features]) -> Features:
        """Features of the images of all pieces, in order."""
        return cls(*(np.concatenate(field) for field in zip(*pieces, strict=True)))


class Views(NamedTuple):
    """Features of n images, and of second views of some.

    first: of all images as they are. moved: bool [n], the images that have a second view. second: of those, in order.
    """

    first: Features
    moved: np.ndarray
    second: Features

    @classmethod
    def alone(cls, first: Features) -> Views:
        """Images with one view only."""
        return cls(first, np.zeros(len(first.visibility), bool), Features(*(values[:0] for values in first)))

    @classmethod
    def joined(cls, pieces: Iterable[Views]) -> Views:
        """Views of the images of all pieces, in order."""
        first, moved, second = zip(*pieces, strict=True)
        return cls(Features.joined(first), np.concatenate(moved), Features.joined(second))


@dataclass(frozen=True)
class SecondViews:
    """Second views of some images of a bank.

    of: positions of the images, rising, int64 [m]. bank: a row per second view; it has no second views itself.
    """

    of: np.ndarray
    bank: FeatureBank

    def take(self, rows: np.ndarray) -> SecondViews | None:
        """Second views of some of the images.

        None where they have none. rows: positions of the images, int64 [n].
        """
        places = np.minimum(self.of.searchsorted(rows), len(self.of) - 1)
        has = self.of[places] == rows
        return SecondViews(np.flatnonzero(has), self.bank.take(places[has])) if has.any() else None


@dataclass(frozen=True)
class FeatureBank:
    """Features of N images as the network returns them.

    The features are not normalised, and the visibility scores are not thresholded.
    global_: [N, Dg] float32. local: [N, P, Dl] float32; P may be 0 when the local branch is off.
    visibility: [N, P] float32 in [0, 1], the scores v_p of Eq. 11.
    pid, camid: [N] int64. name: [N] str, `split/relative/path`.
    pose: [N, P] float32 in [0, 1], scores from keypoints (`sorn.visibility`); None where no keypoints are known.
    segmenter: [N, P] float32 in [0, 1], the scores v_p of an external segmenter; None where none was used.
    part_features: [N, G, Dp] float32, of the part groups. part_shares: [N, G] float32 in [0, 1], the share of each
    group in the image. Both are None without a part branch.
    exact: [N, P] float32 in [0, 1], the scores v_p of the ground truth; None where they are not asked for.
    second: second views of some images, of queries only; None where no image has one. The larger similarity counts.
    """

    global_: np.ndarray
    local: np.ndarray
    visibility: np.ndarray
    pid: np.ndarray
    camid: np.ndarray
    name: np.ndarray
    pose: np.ndarray | None = None
    segmenter: np.ndarray | None = None
    part_features: np.ndarray | None = None
    part_shares: np.ndarray | None = None
    exact: np.ndarray | None = None
    second: SecondViews | None = None

    @classmethod
    def of(
        cls, found: Features, pid: np.ndarray, camid: np.ndarray, name: np.ndarray, pose: np.ndarray | None = None
    ) -> FeatureBank:
        parts = found[3:] if found.part_shares.shape[1] else (None, None)
        return cls(*found[:3], pid, camid, name, pose, None, *parts)

    def with_second(self, of: np.ndarray, found: Features) -> FeatureBank:
        """The bank with second views of some of its images.

        of: positions of these, rising, int64 [m]; where there are none, it is the same bank.
        """
        if not len(of):
            return self
        return replace(self, second=SecondViews(of, self.of(found, self.pid[of], self.camid[of], self.name[of])))

    @property
    def features(self) -> Features:
        """What the network returned."""
        features, shares = self.part_features, self.part_shares
        if features is None or shares is None:
            features, shares = np.empty((len(self), 0, 0), np.float32), np.empty((len(self), 0), np.float32)
        return Features(self.global_, self.local, self.visibility, features, shares)

    @property
    def widths(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the features of one image.

        (Dg,), (P, Dl), and (G, Dp) with a part branch; the same in all banks of a network.
        """
        arrays = (self.global_, self.local, self.part_features)
        return tuple(array.shape[1:] for array in arrays if array is not None)

    def __len__(self) -> int:
        return len(self.pid)

    def take(self, rows: np.ndarray | slice) -> FeatureBank:
        """Bank of some of the images.

        rows: positions, bool [N], or a slice, which copies nothing.
        """
        arrays: dict[str, np.ndarray | None] = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name != "second"
        }
        second = self.second and self.second.take(np.arange(len(self))[rows])
        taken = {name: _taken(array, rows) for name, array in arrays.items() if array is not None}
        return FeatureBank(**taken, second=second)

    def forget(self) -> None:
        """Free the memory of features that are mapped from a file.

        They are read again when they are used next. Arrays in memory stay.
        """
        for array in (self.global_, self.local, self.part_features):
            if array is not None:
                _forget(array)
        if self.second is not None:
            self.second.bank.forget()

    def __post_init__(self) -> None:
        n, p = len(self.pid), self.local.shape[1]
        shapes = {
            "global_": (self.global_.ndim == 2 and len(self.global_) == n),
            "local": (self.local.ndim == 3 and len(self.local) == n),
            "visibility": self.visibility.shape == (n, p),
            "camid": self.camid.shape == (n,),
            "name": self.name.shape == (n,),
            "pose": self.pose is None or self.pose.shape == (n, p),
            "segmenter": self.segmenter is None or self.segmenter.shape == (n, p),
            "exact": self.exact is None or self.exact.shape == (n, p),
            "part_features": self.part_features is None
            or (self.part_features.ndim == 3 and len(self.part_features) == n),
            "part_shares": (None if self.part_shares is None else self.part_shares.shape)
            == (None if self.part_features is None else self.part_features.shape[:2]),
            "second": self.second is None
            or (len(self.second.of) == len(self.second.bank) and self.second.bank.widths == self.widths),
        }
        wrong = [field for field, good in shapes.items() if not good]
        if wrong:
            raise ValueError(f"feature bank of {n} images has fields of another shape: {', '.join(wrong)}")


def _taken(array: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    """Rows of an array; of one that is mapped, some at a time: the kernel maps sixteen pages for each that is read."""
    if isinstance(rows, slice) or not hasattr(array, "_mmap"):
        return array[rows]
    numbers = np.arange(len(array))[rows]
    taken = np.empty((len(numbers), *array.shape[1:]), array.dtype)
    for first in range(0, len(numbers), AT_ONCE):
        taken[first : first + AT_ONCE] = array[numbers[first : first + AT_ONCE]]
        _forget(array)
    return taken


def _forget(array: np.ndarray) -> None:
    pages = getattr(array, "_mmap", None)  # of np.memmap
    if pages is not None:
        pages.madvise(mmap.MADV_DONTNEED)
