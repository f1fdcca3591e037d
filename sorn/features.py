"""Feature bank: features of a set of images, ready for matching."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class FeatureBank:
    """Features of N images as the network returns them.

    The features are not normalised, and the visibility scores are not thresholded.
    global_: [N, Dg] float32. local: [N, P, Dl] float32; P may be 0 when the local branch is off.
    visibility: [N, P] float32 in [0, 1], the scores v_p of Eq. 11.
    pid, camid: [N] int64. name: [N] str, `split/relative/path`.
    pose: [N, P] float32 in [0, 1], scores from keypoints (`sorn.visibility`); None where no keypoints are known.
    segmenter: [N, P] float32 in [0, 1], the scores v_p of an external segmenter; None where none was used.
    """

    global_: np.ndarray
    local: np.ndarray
    visibility: np.ndarray
    pid: np.ndarray
    camid: np.ndarray
    name: np.ndarray
    pose: np.ndarray | None = None
    segmenter: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pid)

    def take(self, rows: np.ndarray) -> FeatureBank:
        """Bank of some of the images. rows: positions, or bool [N]."""
        arrays: dict[str, np.ndarray | None] = {field.name: getattr(self, field.name) for field in fields(self)}
        return FeatureBank(**{name: array[rows] for name, array in arrays.items() if array is not None})

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
        }
        wrong = [field for field, good in shapes.items() if not good]
        if wrong:
            raise ValueError(f"feature bank of {n} images has fields of another shape: {', '.join(wrong)}")
