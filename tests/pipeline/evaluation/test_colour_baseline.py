"""The floor of colours: who wears the same is found without a network, and what hides them does not count."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.datasets.manifest import Protocol
from pipeline.evaluation import scores
from pipeline.evaluation.colour_baseline import colour_bank
from pipeline.runs.config import EvalConfig
from sorn.features import FeatureBank

ALL = Protocol("default", "All.")
SIZE = (24, 8)
PERSONS = 12
SHIRTS = np.random.default_rng(0).permutation(np.array(np.meshgrid([30, 220], [30, 220], [30, 220])).reshape(3, 8).T)
COVER = (90, 60, 30)  # the colour of what stands in front of every query


@dataclass(frozen=True)
class Images:
    """Like the part of a ShardDataset that is used: names, and images by position."""

    split: str
    name: np.ndarray
    images: np.ndarray

    def empty(self, count: int) -> tuple[Tensor, Tensor]:
        return torch.empty((count, *SIZE, 3), dtype=torch.uint8), torch.empty((count, *SIZE), dtype=torch.uint8)

    def read(self, chosen: np.ndarray, image: Tensor, mask: Tensor) -> SimpleNamespace:
        return SimpleNamespace(image=image.copy_(torch.from_numpy(self.images[chosen])))


def person(pid: int) -> np.ndarray:
    """[H, W, 3] uint8: a third each of two colours that no two persons combine alike, and grey."""
    image = np.full((*SIZE, 3), 128, np.uint8)
    image[:8], image[8:16] = SHIRTS[pid % 8], SHIRTS[(pid + 1 + pid // 8) % 8]
    return image


def made(split: str, camera: int, parts: int = 3, hidden: slice | None = None) -> tuple[FeatureBank, Images]:
    """Every person once. Features are noise. hidden: rows that something covers, as the network knows."""
    images = np.stack([person(pid) for pid in range(PERSONS)])
    visibility = np.ones((PERSONS, parts), np.float32)
    if hidden is not None:
        images[:, hidden] = COVER
        visibility[:, hidden.start * parts // SIZE[0] : hidden.stop * parts // SIZE[0]] = 0
    rng = np.random.default_rng(camera)
    features = [rng.normal(size=(PERSONS, *shape)).astype(np.float32) for shape in ((4,), (parts, 4))]
    name = np.array([f"{split}/{pid:02d}.jpg" for pid in range(PERSONS)])
    bank = FeatureBank(*features, visibility, np.arange(PERSONS), np.full(PERSONS, camera), name)
    return bank, Images(split, name, images)


def scored(query: tuple[FeatureBank, Images], gallery: tuple[FeatureBank, Images], **options: float) -> scores.Scores:
    colours = colour_bank(*query), colour_bank(*gallery)  # type: ignore[arg-type]
    config = EvalConfig(tau_sweep=(), ranked_queries=2, **options)  # type: ignore[arg-type]
    return scores.score(scores.RankingTask(query[0], gallery[0], ALL, config), [], colours=colours)


def test_colours_decide_where_features_are_noise() -> None:
    found = scored(made("query", 0), made("gallery", 1))
    assert list(found.metrics) == ["colour", "colour, visible stripes", "global", "global+local", "sorn"]
    assert found.metrics["colour"].rank(1) == found.metrics["colour"].mean_ap == 1
    assert found.metrics["sorn"].rank(1) < 0.5
    assert list(found.variants) == ["global", "global+local", "sorn"], "pictures show what the network answers"


def test_what_covers_a_person_counts_for_one_row_alone() -> None:
    """It looks like the clothes of person 3, which misleads those who look at every stripe."""
    query, gallery = made("query", 0, hidden=slice(8, 24)), made("gallery", 1)
    gallery[1].images[3, 8:] = COVER
    found = scored(query, gallery)
    assert found.metrics["colour"].first_hit[0, 0] == 2
    assert found.metrics["colour, visible stripes"].first_hit[0, 0] == 1
    alike = scored(query, gallery, tau=0.0)
    assert (alike.metrics["colour, visible stripes"].ap == alike.metrics["colour"].ap).all()


def test_colours_of_hidden_stripes_change_nothing() -> None:
    query, gallery = made("query", 0, hidden=slice(0, 8)), made("gallery", 1)
    before = scored(query, gallery).metrics["colour, visible stripes"]
    query[1].images[:, :8] = np.random.default_rng(5).integers(0, 255, (PERSONS, 8, SIZE[1], 3))
    after = scored(query, gallery).metrics["colour, visible stripes"]
    assert (after.ap == before.ap).all() and (after.first_hit == before.first_hit).all()


@pytest.mark.parametrize(("parts", "stripes"), [(2, 6), (4, 8)])
def test_stripes_of_colour_are_as_visible_as_the_stripe_they_lie_in(parts: int, stripes: int) -> None:
    bank, images = made("query", 0, parts, hidden=slice(0, 12))
    visible = colour_bank(bank, images).visibility  # type: ignore[arg-type]
    assert visible.tolist() == [[0] * (stripes // 2) + [1] * (stripes // 2)] * PERSONS


def test_a_bank_of_some_images_finds_its_own() -> None:
    """A protocol takes some names of a split; it may take more images than are read at a time."""
    bank, images = made("query", 0)
    position = np.arange(9 * PERSONS) % PERSONS
    name = np.array([f"query/{i:03d}.jpg" for i in range(len(position))])
    chosen = np.flatnonzero(position != 4)[::-1]
    asked = dataclasses.replace(bank.take(position), name=name).take(chosen)
    found = colour_bank(asked, Images("query", name, images.images[position]))  # type: ignore[arg-type]
    assert len(found) == 99 and found.name.tolist() == name[chosen].tolist() and found.global_.shape == (99, 0)
    assert (found.local == colour_bank(bank, images).local[position[chosen]]).all()  # type: ignore[arg-type]


def test_without_stripes_of_a_network_nothing_is_known_as_hidden() -> None:
    found = scored(made("query", 0, 0), made("gallery", 1, 0))
    assert list(found.metrics) == ["colour", "global"]
    assert found.metrics["colour"].rank(1) == 1
