"""Tracks as one image each: stripes come from the frames that show them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.rules import Rule
from sorn.tracks import track_bank


def bank(frames: int, seed: int = 0, parts: bool = False) -> FeatureBank:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    own = (draw(frames, 6, 4), rng.random((frames, 6), np.float32)) if parts else (None, None)
    shares = rng.random((frames, 3), np.float32)
    ids = np.arange(frames)
    return FeatureBank(draw(frames, 5), draw(frames, 3, 4), shares, ids, ids + 10, ids.astype(str), None, None, *own)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


@pytest.mark.parametrize("parts", [False, True])
def test_against_a_loop(parts: bool) -> None:
    frames, tau, part_tau = bank(40, parts=parts), 0.6, 0.4
    tracks = {str(i): f"t{i % 7}" for i in range(40) if i % 3}
    found = track_bank(frames, tracks, tau, part_tau)
    keys = list(dict.fromkeys(tracks.get(name, f"alone {name}") for name in frames.name))
    assert len(found) == len(keys)
    for row, key in enumerate(keys):
        rows = [i for i, name in enumerate(frames.name) if tracks.get(name, f"alone {name}") == key]
        assert (found.name[row], found.pid[row], found.camid[row]) == (frames.name[rows[0]], rows[0], rows[0] + 10)
        np.testing.assert_allclose(found.global_[row], unit(frames.global_[rows]).mean(0), rtol=1e-5, atol=1e-6)
        for p in range(3):
            shown = [i for i in rows if frames.visibility[i, p] >= np.float32(tau)] or rows
            np.testing.assert_allclose(found.local[row, p], unit(frames.local[shown, p]).mean(0), rtol=1e-5, atol=1e-6)
            assert found.visibility[row, p] == frames.visibility[rows, p].max()
        if parts:
            assert frames.part_features is not None and frames.part_shares is not None
            assert found.part_features is not None
            seen = [i for i in rows if frames.part_shares[i, 2] >= np.float32(part_tau)] or rows
            expected = unit(frames.part_features[seen, 2]).mean(0)
            np.testing.assert_allclose(found.part_features[row, 2], expected, rtol=1e-5, atol=1e-6)


def test_without_tracks_the_similarities_are_those_of_the_images() -> None:
    query, gallery = bank(5, 1), bank(8, 2)
    rule = Rule("sorn", 0.5)
    (_, (plain,)), *_ = similarity_blocks(query, gallery, [rule])
    plain = plain.copy()
    (_, (alone,)), *_ = similarity_blocks(track_bank(query, {}, 0.5, 0), track_bank(gallery, {}, 0.5, 0), [rule])
    np.testing.assert_allclose(alone, plain, atol=1e-6)


def test_a_hidden_frame_does_not_disturb_a_stripe() -> None:
    frames = bank(2)
    shown = dataclasses.replace(frames, visibility=np.array([[0.9, 0.9, 0.9], [0.9, 0.0, 0.9]], np.float32))
    found = track_bank(shown, {"0": "t", "1": "t"}, 0.15, 0)
    np.testing.assert_allclose(found.local[0, 1], unit(frames.local[0, 1]), rtol=1e-6)
    assert found.visibility.tolist() == [[np.float32(0.9)] * 3]


def test_a_network_without_stripes_or_without_a_global_feature() -> None:
    frames = bank(4)
    none = np.empty((4, 0, 4), np.float32)
    whole = dataclasses.replace(frames, local=none, visibility=np.empty((4, 0), np.float32))
    assert track_bank(whole, {"0": "t", "3": "t"}, 0.15, 0).local.shape == (3, 0, 4)
    stripes = dataclasses.replace(frames, global_=np.empty((4, 0), np.float32))
    assert track_bank(stripes, {"0": "t", "3": "t"}, 0.15, 0).global_.shape == (3, 0)
