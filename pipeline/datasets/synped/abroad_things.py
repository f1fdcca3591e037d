"""Things of the style "abroad": obstacles and background.

Reads and writes nothing.
"""

from __future__ import annotations

import numpy as np

from pipeline.datasets.synped.furniture import STEEL, pick
from pipeline.datasets.synped.materials import Colour, clutter, paint, plaster, tiles, vary, wall_surface, wood
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.solids import box, extrude, lathe, tube

GREYS: tuple[Colour, ...] = ((182, 180, 176), (142, 144, 146), (98, 100, 104), (210, 208, 200), (52, 54, 58))
WARES: tuple[Colour, ...] = (
    (184, 60, 48),
    (214, 170, 70),
    (232, 228, 214),
    (70, 110, 76),
    (62, 84, 120),
    (146, 100, 66),
    (206, 206, 204),
    (40, 42, 46),
    (190, 130, 90),
)
SACKCLOTH: tuple[Colour, ...] = ((168, 148, 112), (196, 184, 156), (120, 116, 108))


def trolley(rng: np.random.Generator) -> Mesh:
    """A wire shopping trolley with goods; its handle towards -y."""
    steel, wire = paint(STEEL, gloss=0.25), paint((168, 170, 172), gloss=0.2)
    half, low, high = 0.27, 0.5, 0.95
    front, back = 0.42, -0.42
    parts = []
    for z in np.linspace(low, high, 6):
        lean = 0.08 * (z - low) / (high - low)
        ring = [(-half, back), (half, back), (half, front + lean), (-half, front + lean), (-half, back)]
        parts.append(tube([(x, y, z) for x, y in ring], 0.007, wire, 4))
    for x in np.linspace(-half, half, 8):
        parts += [tube([(x, y, low), (x, y + 0.08 * (y > 0), high)], 0.004, wire, 3) for y in (back, front)]
    for y in np.linspace(back, front, 12):
        parts += [tube([(x, y, low), (x, y, high)], 0.004, wire, 3) for x in (-half, half)]
    parts.append(box((2 * half, front - back, 0.01), (0, 0, low), wire))
    for x in (-half, half):
        parts.append(tube([(x, 0.36, 0.12), (x, -0.4, 0.16), (x, -0.44, 0.5), (x, -0.52, 1.03)], 0.014, steel))
    parts.append(tube([(-half, -0.52, 1.03), (half, -0.52, 1.03)], 0.02, paint(pick(WARES, rng))))
    for _ in range(int(rng.integers(1, 6))):
        size = rng.uniform([0.12, 0.15, 0.15], [0.3, 0.35, 0.4])
        spot = (rng.uniform(-0.12, 0.12), rng.uniform(-0.22, 0.22), low + size[2] / 2)
        parts.append(box(size, spot, paint(pick(WARES, rng))))
    return join(parts)


def bollards(rng: np.random.Generator) -> Mesh:
    """Three or four stout posts with a chain between them."""
    count, gap, height = int(rng.integers(3, 5)), rng.uniform(0.45, 0.7), rng.uniform(0.8, 1.05)
    radius = rng.uniform(0.1, 0.17)
    coat = paint(pick(GREYS, rng), wear=0.1)
    outline = [(radius, 0), (radius * 0.9, height * 0.9), (radius * 1.15, height * 0.95), (0.001, height + 0.06)]
    places = [(k - (count - 1) / 2) * gap for k in range(count)]
    parts = [lathe(outline, coat, 14).placed(0, (x, 0, 0)) for x in places]
    links = [
        (x, 0.0, height * 0.8 - 0.12 * abs(np.sin(np.pi * (x - places[0]) / gap)))
        for x in np.linspace(places[0], places[-1], 6 * count)
    ]
    return join([*parts, tube(links, 0.02, paint((70, 72, 74)))])


def machine(rng: np.random.Generator) -> Mesh:
    """A ticket or vending machine: a tall case with a lit panel."""
    size = (rng.uniform(0.7, 1.1), rng.uniform(0.5, 0.8), rng.uniform(1.6, 1.95))
    coat = pick(GREYS + WARES[3:5], rng)
    goods = clutter([pick(WARES, rng) for _ in range(5)], (0.09, 0.24), (46, 48, 52), 0.85)
    face = wall_surface(goods, gloss=0.2) if rng.random() < 0.5 else paint((70, 92, 110), 0.3)
    parts = [box(size, (0, 0, size[2] / 2), paint(coat, gloss=0.1))]
    for side in (-1, 1):
        parts.append(box((size[0] * 0.72, 0.02, 0.85), (-0.06, side * size[1] / 2, 1.1), face))
        parts.append(box((0.1, 0.03, 0.2), (size[0] * 0.42, side * size[1] / 2, 1.1), paint((34, 36, 38))))
    return join(parts)


def clothes_rail(rng: np.random.Generator) -> Mesh:
    """A rail with clothes on hangers, as before a shop."""
    length, height = rng.uniform(1.1, 1.6), rng.uniform(1.25, 1.55)
    steel = paint(STEEL, gloss=0.2)
    parts = [tube([(-length / 2, 0, height), (length / 2, 0, height)], 0.015, steel)]
    for x in (-length / 2, length / 2):
        parts += [tube([(x, 0, 0.05), (x, 0, height)], 0.015, steel), box((0.04, 0.5, 0.04), (x, 0, 0.04), steel)]
    for x in np.arange(-length / 2 + 0.08, length / 2 - 0.05, rng.uniform(0.08, 0.13)):
        drop, wide = rng.uniform(0.6, 0.95), rng.uniform(0.36, 0.5)
        cloth = [(-0.04, height - 0.04), (-wide / 2, height - 0.14), (-wide * 0.46, height - drop)]
        outline = [*cloth, *((-y, z) for y, z in reversed(cloth))]
        parts.append(
            extrude(outline, 0.05, paint(pick(WARES + GREYS, rng), wear=0.12)).placed(rng.normal(0, 0.12), (x, 0, 0))
        )
    return join(parts)


def sacks(rng: np.random.Generator) -> Mesh:
    """Filled sacks, laid on each other."""
    parts = []
    rows = int(rng.integers(2, 5))
    for row in range(rows):
        for k in range(3 - row % 2):
            colour = pick(SACKCLOTH, rng)
            outline = [(0.001, -0.5), (0.36, -0.42), (0.46, 0.0), (0.36, 0.42), (0.001, 0.5)]
            ball = lathe(outline, paint(colour, wear=0.15), 14)
            lying = ball.vertices[:, [2, 0, 1]] * np.array([0.7, 0.62, 0.42], np.float32)
            x = (k - (2 - row % 2) / 2) * 0.62 + rng.normal(0, 0.04)
            where = np.array([x, rng.normal(0, 0.05), 0.19 + 0.27 * row], np.float32)
            parts.append(
                Mesh(lying + where, ball.faces, ball.part, ball.surface, ball.coords, ball.smooth, ball.surfaces)
            )
    return join(parts)


def sign(rng: np.random.Generator) -> Mesh:
    """Two boards that lean on each other, with writing on them."""
    width, height = rng.uniform(0.6, 0.95), rng.uniform(0.95, 1.3)
    ground = pick(GREYS + WARES, rng)
    face = wall_surface(clutter([pick(GREYS, rng), pick(WARES, rng)], (0.16, 0.1), ground, 0.5))
    profile = [(-0.28, 0), (-0.24, 0), (0.0, height - 0.05), (0.24, 0), (0.28, 0), (0.02, height), (-0.02, height)]
    boards = [
        extrude([(s * y, z) for y, z in ((0.24, 0), (0.28, 0), (0.02, height), (-0.02, height))], width, face)
        for s in (-1, 1)
    ]
    return join([*boards, box((width, 0.06, 0.05), (0, 0, profile[5][1]), paint(STEEL))])


def barrels(rng: np.random.Generator) -> Mesh:
    """Two or three drums side by side, ribbed."""
    height, radius = rng.uniform(0.85, 1.0), rng.uniform(0.27, 0.32)
    outline = [(radius, 0), (radius, 0.3), (radius * 1.05, 0.33), (radius, 0.36), (radius, 0.6)]
    outline += [
        (radius * 1.05, 0.63),
        (radius, 0.66),
        (radius, height),
        (radius * 0.92, height),
        (0.001, height - 0.02),
    ]
    parts = []
    for k in range(int(rng.integers(2, 4))):
        coat = paint(pick(WARES + GREYS, rng), gloss=0.1, wear=0.15)
        parts.append(lathe(outline, coat, 18).placed(0, (k * 2.1 * radius, rng.normal(0, 0.06), 0)))
    return join(parts).placed(0, (-1.05 * radius * (len(parts) - 1), 0, 0))


def pallet(rng: np.random.Generator) -> Mesh:
    """Goods on a pallet, wrapped or bare."""
    wood = paint((168, 136, 98), wear=0.15)
    parts = [box((1.2, 0.1, 0.1), (0, y, 0.05), wood) for y in (-0.35, 0, 0.35)]
    parts.append(box((1.2, 0.8, 0.04), (0, 0, 0.13), wood))
    height = rng.uniform(0.6, 1.25)
    ware = clutter([pick(WARES, rng) for _ in range(3)], (0.3, 0.26), pick(GREYS, rng), 0.9)
    wrap = wall_surface(ware) if rng.random() < 0.6 else paint((198, 200, 202), gloss=0.2)
    return join([*parts, box((1.14, 0.76, height), (0, 0, 0.15 + height / 2), wrap)])


def column(rng: np.random.Generator) -> Mesh:
    """A round column with bills posted on it, or bare concrete."""
    radius = rng.uniform(0.3, 0.55)
    bills = clutter([pick(WARES + GREYS, rng) for _ in range(6)], (0.5, 0.75), (150, 150, 146), 0.8)
    coat = wall_surface(bills) if rng.random() < 0.6 else wall_surface(plaster(pick(GREYS, rng), 0.2))
    return lathe([(radius, 0), (radius, 3.0), (radius * 1.15, 3.05), (0.001, 3.4)], coat, 22)


def banner(rng: np.random.Generator) -> Mesh:
    """A cloth with bars and lettering, its middle at the origin.

    It is held before a person.
    """
    size = (rng.uniform(0.9, 1.5), 0.015, rng.uniform(0.5, 0.8))
    ground = pick(WARES + GREYS, rng)
    second = pick(GREYS, rng)
    texture = (
        tiles(ground, second, size[2] * 0.7, 0.02, 0.05)
        if rng.random() < 0.4
        else clutter([second, pick(WARES, rng)], (0.14, 0.22), ground, 0.6)
    )
    return join(
        [
            box(size, (0, 0, 0), wall_surface(texture, bump=0.2)),
            *(
                tube([(x, 0, -0.9), (x, 0, size[2] / 2 + 0.1)], 0.014, paint((150, 116, 78)))
                for x in (-size[0] / 2, size[0] / 2)
            ),
        ]
    )


def crate(rng: np.random.Generator) -> Mesh:
    """An open crate of wares, its bottom at the origin."""
    size = (rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.4), rng.uniform(0.2, 0.34))
    slats = wood(vary((176, 140, 96), rng))
    fruit = clutter([pick(WARES, rng) for _ in range(2)], (0.08, 0.08), pick(WARES, rng), 0.9)
    case = box(size, (0, 0, size[2] / 2), slats)
    return join([case, box((size[0] * 0.92, size[1] * 0.9, 0.05), (0, 0, size[2] + 0.01), wall_surface(fruit))])


def stacked_crates(rng: np.random.Generator) -> Mesh:
    """Crates of wares on a stand."""
    parts, top = [], 0.0
    for _ in range(int(rng.integers(2, 5))):
        parts.append(crate(rng).placed(rng.normal(0, 0.08), (rng.normal(0, 0.03), 0, top)))
        top = float(parts[-1].vertices[:, 2].max())
    return join(parts)


OUTDOOR = (bollards, sign, barrels, column, pallet, stacked_crates, sacks)
INDOOR = (trolley, machine, pallet, stacked_crates, sign, barrels)
