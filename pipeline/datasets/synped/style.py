"""Styles of SynPed: other places, fashion and cameras around the same bodies.

Reads and writes nothing. A network that is trained on one style and tested on another shows what it learnt of people
rather than of the renderer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.synped import abroad, abroad_things, fashion, furniture, greenery, places, structures, vehicles
from pipeline.datasets.synped.fashion import Fashion
from pipeline.datasets.synped.mesh import Mesh
from pipeline.datasets.synped.place import Place
from pipeline.datasets.synped.texture import Range

Thing = Callable[[np.random.Generator], Mesh]


@dataclass(frozen=True)
class Optics:
    """Ranges of the cameras' responses (photo.Response).

    exposure, warmth and green are (mean, deviation). warmth, green: gains of red against blue, and of green. resolved:
    lower end of `resample`.
    """

    exposure: Range = (-0.12, 0.14)
    warmth: Range = (0.0, 0.03)
    green: Range = (0.0, 0.008)
    gamma: Range = (0.92, 1.1)
    contrast: Range = (1.0, 1.25)
    saturation: Range = (0.85, 1.15)
    black: Range = (0.0, 0.02)
    vignette: Range = (0.0, 0.15)
    blur: Range = (0.15, 0.5)
    noise: Range = (0.002, 0.011)
    sharpen: Range = (0.0, 0.9)
    resolved: Range = (0.75, 1.0)
    quality: tuple[int, int] = (75, 95)


@dataclass(frozen=True)
class Mounting:
    """Positions of cameras.

    Share of outdoor cameras that hang high, heights in metres, native height in pixels of a person 1.75 m tall 8 m
    away, share of sunny pictures.
    """

    high_share: float = 0.45
    high: Range = (2.5, 5.0)
    low: Range = (1.3, 2.2)
    pixels: Range = (95, 170)
    sunny: Range = (0.0, 0.6)


@dataclass(frozen=True)
class Sky:
    """Ranges of the light.

    elevation: of the sun, radians. warmth: of the sun, lamps: of lamps; relative gains of red against blue.
    """

    elevation: Range = (0.5, 1.2)
    warmth: Range = (0.0, 0.12)
    lamps: Range = (-0.05, 0.1)


@dataclass(frozen=True)
class Style:
    """Style of SynPed: places, fashion, cameras, obstacles.

    places: cameras use them in turn. low: places where ceilings or walls keep every camera low. obstacles: split ->
    keys of obstacles.KINDS. outdoor, indoor: things behind people, as background only. strangers: how many people of
    a group pass by in pictures of others; each is built once per process, and that is costly. stances: shares of
    obstacles before the legs, over one side, and before any part of the body.
    """

    places: dict[str, Callable[[np.random.Generator], Place]]
    low: tuple[str, ...]
    obstacles: dict[str, tuple[str, ...]]
    outdoor: tuple[Thing, ...]
    indoor: tuple[Thing, ...]
    fashion: Fashion
    mounting: Mounting = Mounting()
    optics: Optics = Optics()
    sky: Sky = Sky()
    strangers: int = 24
    stances: tuple[tuple[str, float], ...] = (("low", 0.7), ("side", 0.2), ("held", 0.1))


# Test obstacles are of other kinds than training ones. The labeler split has kinds of its own; validation uses those
# too, because the re-ID network sees them nowhere else: val then foretells test without sharing its obstacles.
TRAIN_KINDS = (
    "car",
    "hedge",
    "bin",
    "railing",
    "pillar",
    "pole",
    "chair",
    "umbrella",
    "suitcase",
    "low wall",
    "person",
)
TEST_KINDS = ("bicycle", "scooter", "van", "bench", "table", "board", "tree", "bush", "crates", "branch", "cyclist")
LABELER_KINDS = (
    "pram",
    "door",
    "counter",
    "cabinet",
    "planter",
    "barrier",
    "potted plant",
    "porter",
    "couple",
    "parcel",
    "foliage",
)
ABROAD_KINDS = (
    "trolley",
    "bollards",
    "machine",
    "clothes rail",
    "sacks",
    "sign",
    "barrels",
    "pallet",
    "column",
    "banner",
    "carrier",
)

HOME = Style(
    places=places.PLACES,
    low=("corridor", "office", "hall", "alley"),
    obstacles={
        "train": TRAIN_KINDS,
        "val_query": LABELER_KINDS,
        "val_gallery": LABELER_KINDS,
        "query": TEST_KINDS,
        "gallery": TEST_KINDS,
        "labeler": LABELER_KINDS,
    },
    outdoor=(
        vehicles.car,
        vehicles.bicycle,
        vehicles.scooter,
        furniture.litter_bin,
        furniture.bench,
        structures.planter,
        structures.tree_trunk,
        greenery.far_bush,
        greenery.far_hedge,
    ),
    indoor=(
        furniture.chair,
        furniture.table,
        furniture.cabinet,
        furniture.counter,
        furniture.suitcase,
        furniture.crates,
        greenery.tall_plant,
        furniture.litter_bin,
    ),
    fashion=fashion.HOME,
)

# Cameras that are older, hang higher and see less; a low sun. Mild, as at home: a real second site has no casts either.
ABROAD = Style(
    places=abroad.PLACES,
    low=("garage", "shop"),
    obstacles=dict.fromkeys(SPLITS, ABROAD_KINDS),
    outdoor=abroad_things.OUTDOOR,
    indoor=abroad_things.INDOOR,
    fashion=fashion.ABROAD,
    mounting=Mounting(high_share=0.65, high=(2.6, 4.6), low=(1.5, 2.3), pixels=(85, 150), sunny=(0.1, 0.7)),
    optics=Optics(
        exposure=(-0.2, 0.16),
        warmth=(0.02, 0.035),
        green=(0.008, 0.012),
        gamma=(0.95, 1.15),
        contrast=(1.1, 1.38),
        saturation=(0.72, 1.05),
        black=(0.0, 0.035),
        blur=(0.2, 0.6),
        noise=(0.004, 0.016),
        sharpen=(0.2, 1.4),
        resolved=(0.65, 0.95),
        quality=(62, 88),
    ),
    sky=Sky(elevation=(0.3, 0.8), warmth=(0.03, 0.16), lamps=(-0.07, 0.08)),
)

# The places and people of home. Before those of train are more kinds of things, and more often other people.
STREET = replace(
    HOME,
    obstacles=HOME.obstacles | {"train": TRAIN_KINDS + LABELER_KINDS},
    strangers=240,
    stances=(("low", 0.45), ("side", 0.4), ("held", 0.15)),
)

STYLES = {"home": HOME, "street": STREET, "abroad": ABROAD}
