"""Similarities of a chunk, against Eq. 15 in numpy, over more columns than the kernel combines at a time."""

from __future__ import annotations

import numpy as np
import pytest

from sorn.similarity_kernels import BLOCK, combine


def test_similarities_of_several_rules_are_written_where_they_belong() -> None:
    rng = np.random.default_rng(0)
    vectors, queries, images, rules, start = 3, 5, 2 * BLOCK + 76, 4, 37
    products = rng.normal(size=(vectors, 16, images + 4)).astype(np.float32)  # filled up
    of_query, of_gallery = (rng.uniform(0.5, 2, (vectors, n)).astype(np.float32) for n in (queries, images))
    seen, shown = (rng.random((rules, vectors, n)) < 0.6 for n in (queries, images))
    out = np.full((rules, queries, start + images + 9), 7, np.float32)
    combine(products, of_query, of_gallery, seen, shown.astype(np.float32), out, start)
    cosines = products[:, :queries, :images] * of_query[:, :, None] * of_gallery[:, None]
    both = seen[:, :, :, None] & shown[:, :, None]
    common = both.sum(axis=1)
    expected = np.where(common > 0, (cosines * both).sum(axis=1) / np.maximum(common, 1), -1).clip(-1, 1)
    assert (common == 0).any() and (expected == 1).any()
    assert out[:, :, start : start + images] == pytest.approx(expected, abs=1e-5)
    assert (out[:, :, :start] == 7).all() and (out[:, :, start + images :] == 7).all()


def test_what_is_hidden_in_either_image_does_not_count() -> None:
    products = np.full((2, 1, 2), np.nan, np.float32)
    products[0] = 0.5
    one, out = np.ones((2, 2), np.float32), np.empty((1, 1, 2), np.float32)
    seen, shown = np.ones((1, 2, 1), bool), np.array([[[1, 1], [0, 1]]], np.float32)
    combine(products, one[:, :1].copy(), one, seen, shown, out, 0)
    assert out[0, 0, 0] == 0.5 and np.isnan(out[0, 0, 1])
    seen[0, 1] = False
    combine(products, one[:, :1].copy(), one, seen, shown, out, 0)
    assert out.tolist() == [[[0.5, 0.5]]]
