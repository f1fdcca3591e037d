"""Projections of features onto a plane: PCA, t-SNE or UMAP."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from pipeline.errors import UserError

PACKAGES = {"tsne": ("sklearn", "scikit-learn"), "umap": ("umap", "umap-learn")}  # module, and its name for pip
METHODS = ("auto", "pca", *PACKAGES)
TITLES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
NEIGHBOURS = 30  # perplexity of t-SNE and neighbours of UMAP, at most
FEWEST = 4  # images: fewer have no map
LEAST_SPREAD = 1e-6  # of unit vectors in any direction: with less, all images lie in one place


def choose_method(given: str) -> str:
    """Method of the projection.

    given: one of METHODS; "auto" is t-SNE where scikit-learn is installed, else PCA. Raises UserError for a package
    that is not installed.
    """
    if given == "auto":
        return "tsne" if _installed("tsne") else "pca"
    if given in PACKAGES and not _installed(given):
        package = PACKAGES[given][1]
        raise UserError(
            f"the projection '{given}' needs the package '{package}', which is not installed",
            f"Run: pip install {package}; or take --by pca.",
        )
    return given


def _installed(method: str) -> bool:
    return importlib.util.find_spec(PACKAGES[method][0]) is not None


def project(features: np.ndarray, method: str, seed: int) -> tuple[np.ndarray, str]:
    """Places of n images on a plane, and their method.

    The places are float64 [n, 2], from 0 to 1.

    features: float32 [n, D], of which only the directions count. method: pca, tsne or umap; for equal features PCA is
    used instead. seed: of t-SNE and UMAP.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    units = features / np.maximum(lengths, 1e-12)
    near = min(NEIGHBOURS, (len(units) - 1) // 3)
    if not np.ptp(units, axis=0).max() > LEAST_SPREAD:
        method = "pca"  # t-SNE divides by the spread
    if method == "tsne":
        from sklearn.manifold import TSNE

        plane = TSNE(2, perplexity=max(1, near), init="pca", random_state=seed).fit_transform(units)
    elif method == "umap":
        from umap import UMAP

        made: Any = UMAP(n_components=2, n_neighbors=max(2, near), metric="cosine", random_state=seed, n_jobs=1)
        plane = made.fit_transform(units)
    else:
        centred = units - units.mean(axis=0)
        vectors, values, _ = np.linalg.svd(centred, full_matrices=False)
        plane = vectors[:, :2] * values[:2]
    return _unit_square(np.asarray(plane, np.float64)), method


def _unit_square(plane: np.ndarray) -> np.ndarray:
    """The same picture inside the unit square, with equal scales and in its middle."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    largest = float((high - low).max()) or 1.0
    placed: np.ndarray = (plane - (low + high) / 2) / largest + 0.5
    return placed
