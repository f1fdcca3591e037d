"""Few pictures have the features of a full pass, bit for bit, whatever the library does with small batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.features.embedding import Embedder, as_batch, load_embedder
from pipeline.features.few_pictures import FewPictures

IMAGES = list(np.random.default_rng(1).integers(0, 256, (21, 64, 32, 3), np.uint8))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, make_training) -> Path:
    return make_training(tmp_path_factory.mktemp("model") / "train")


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Size of every forward pass."""
    passed: list[int] = []
    features = Embedder.features

    def counted(self: Embedder, batches: Iterator, size: int = 0) -> Iterator:
        passed.append(size or self.batch_size)
        return features(self, batches, size)

    monkeypatch.setattr(Embedder, "features", counted)
    return passed


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("asked", [[1] * 4, [3, 1, 5], [16, 1], [21, 2, 21]], ids=str)
def test_features_are_those_of_full_passes(model: Path, precision: str, asked: list[int]) -> None:
    embedder = load_embedder(model, Path(), "cpu", precision)
    few = FewPictures(embedder)
    (expected,) = embedder.features(iter([as_batch(IMAGES[:16])]))
    for count in asked:
        found = few.features(IMAGES[:count])
        for one, other in zip(found, expected, strict=True):
            assert len(one) == count and np.array_equal(one[:16], other[:count])


@pytest.mark.parametrize(
    ("agreeing", "passes"),
    [
        ((8, 4, 2, 1), [16, 8, 4, 2, 1, 1, 1]),
        ((8, 4, 1), [16, 8, 4, 2, 4, 4]),
        ((), [16, 8, 16, 16]),
    ],
)
def test_the_smallest_size_that_agrees_is_taken(
    model: Path, sizes: list[int], agreeing: tuple[int, ...], passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = FewPictures(load_embedder(model, Path(), "cpu", "fp32"))
    plain = FewPictures._pass

    def other_bits(self: FewPictures, images: list[np.ndarray], size: int) -> tuple[np.ndarray, ...]:
        found = plain(self, images, size)
        full = plain(self, images, 16) if size < 16 else found
        sizes[:] = sizes[:-1] if size < 16 else sizes
        same = size in (16, *agreeing)
        return tuple(values if same else np.nextafter(values, 9) for values in full)

    monkeypatch.setattr(FewPictures, "_pass", other_bits)
    for _ in range(3):
        few.features(IMAGES[:1])
    assert sizes == passes


def test_the_next_process_begins_with_a_small_pass(model: Path, sizes: list[int], tmp_path: Path) -> None:
    embedder, kept = load_embedder(model, Path(), "cpu", "fp32"), tmp_path / "passes" / "size.txt"
    first = FewPictures(embedder, kept=kept)
    before = first.features(IMAGES[:1])
    assert sizes[0] == 16 and int(kept.read_text()) == first.smallest
    sizes.clear()
    again = FewPictures(embedder, kept=kept).features(IMAGES[:1])
    assert sizes == [max(1, first.smallest)]
    assert all(np.array_equal(a, b) for a, b in zip(before, again, strict=True))


@pytest.mark.parametrize("text", ["", "x", "3", "-1"])
def test_a_size_that_is_none_is_found_anew(model: Path, sizes: list[int], tmp_path: Path, text: str) -> None:
    kept = tmp_path / "size.txt"
    kept.write_text(text)
    FewPictures(load_embedder(model, Path(), "cpu", "fp32"), kept=kept).features(IMAGES[:1])
    assert sizes[0] == 16 and int(kept.read_text()) in (1, 2, 4, 8, 16)
