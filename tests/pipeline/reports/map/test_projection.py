"""Projections: the plane of the largest spread by hand, a seed that repeats, and packages that are not there."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.reports.map import projection
from pipeline.reports.map.projection import PACKAGES, TITLES, choose_method, project


def test_pca_keeps_the_two_directions_of_the_largest_spread() -> None:
    far, near = np.linspace(-0.3, 0.3, 40), 0.05 * np.cos(np.linspace(0, 4 * np.pi, 40, endpoint=False))
    features = np.stack([np.ones(40), far, near, np.full(40, 0.001)], axis=1).astype(np.float32)
    features *= np.linspace(1, 50, 40)[:, None]  # only directions count
    plane, method = project(features, "pca", 0)
    assert method == "pca"
    assert plane.shape == (40, 2) and plane.min() >= 0 and plane.max() <= 1
    assert np.ptp(plane[:, 0]) == pytest.approx(1) and np.ptp(plane[:, 1]) < 1
    assert plane[:, 0].min() == pytest.approx(0) and plane[:, 1].max() == pytest.approx(1 - plane[:, 1].min())
    assert abs(np.corrcoef(plane[:, 0], far)[0, 1]) > 0.99 and abs(np.corrcoef(plane[:, 1], near)[0, 1]) > 0.9


@pytest.mark.parametrize("method", TITLES)
def test_equal_features_lie_in_one_place(method: str) -> None:
    """Without the packages of the others: those divide by the spread."""
    plane, used = project(np.ones((5, 8), np.float32), method, 0)
    assert plane == pytest.approx(np.full((5, 2), 0.5)) and used == "pca"
    assert np.isfinite(project(np.zeros((5, 8), np.float32), method, 0)[0]).all()


@pytest.mark.parametrize("method", PACKAGES)
@pytest.mark.parametrize("images", [4, 7])
def test_few_images_have_a_map(method: str, images: int) -> None:
    pytest.importorskip(PACKAGES[method][0])
    plane, used = project(np.random.default_rng(0).normal(size=(images, 16)).astype(np.float32), method, 0)
    assert plane.shape == (images, 2) and np.isfinite(plane).all() and np.ptp(plane, axis=0).max() == pytest.approx(1)
    assert used == method


@pytest.mark.parametrize("method", PACKAGES)
def test_neighbours_come_together_and_it_repeats(method: str) -> None:
    pytest.importorskip(PACKAGES[method][0])
    groups = np.repeat(np.eye(3, 16), 10, axis=0)
    features = (groups + np.random.default_rng(0).normal(0, 0.05, groups.shape)).astype(np.float32)
    plane, again = project(features, method, 0)[0], project(features, method, 0)[0]
    assert plane.tolist() == again.tolist()
    nearest = [np.argsort(np.linalg.norm(plane - place, axis=1))[1] // 10 for place in plane]
    assert nearest == [number // 10 for number in range(30)]


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "_installed", lambda method: False)
    assert choose_method("auto") == "pca" == choose_method("pca")
    with pytest.raises(UserError, match=r"'umap' needs the package 'umap-learn', .* Run: pip install umap-learn; or"):
        choose_method("umap")
    monkeypatch.setattr(projection, "_installed", lambda method: True)
    assert choose_method("auto") == "tsne" and choose_method("umap") == "umap"
