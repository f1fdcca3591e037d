"""Places under a roof: corridor, office, hall. Reads and writes nothing."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.synped import materials as m
from pipeline.datasets.synped.furniture import PLAINS, WOODS, bench, chair, counter, litter_bin, pick, table
from pipeline.datasets.synped.greenery import potted_plant
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.place import Place, ground_plane
from pipeline.datasets.synped.solids import box
from pipeline.datasets.synped.structures import pillar, railing


def room(
    rng: np.random.Generator, width: float, depth: float, wall: m.Ground, floor: m.Ground, gloss: float
) -> tuple[list[Mesh], np.ndarray]:
    """Floor, ceiling with lamps, side walls and an end wall.

    The end wall has a skirting.
    """
    surface = m.wall_surface(wall)
    ground, mean = ground_plane(floor, gloss=gloss)
    lamps = m.tiles((205, 205, 202), (150, 150, 148), 0.6)
    parts = [ground, box((width, depth, 0.1), (0, depth / 2, 3.05), m.floor_surface(lamps))]
    parts += [box((0.2, depth, 3), (s * (width / 2 + 0.1), depth / 2, 1.5), surface) for s in (-1, 1)]
    parts.append(box((width, 0.2, 3), (0, depth + 0.1, 1.5), surface))
    skirting = m.paint(pick(PLAINS + WOODS, rng))
    parts += [box((0.04, depth, 0.12), (s * width / 2, depth / 2, 0.06), skirting) for s in (-1, 1)]
    parts.append(box((width, 0.04, 0.12), (0, depth, 0.06), skirting))
    return parts, mean


def _indoor_floor(rng: np.random.Generator) -> tuple[m.Ground, float]:
    kinds: list[tuple[m.Ground, float]] = [
        (m.tiles(m.vary((178, 174, 166), rng, 0.15), (130, 126, 120), float(rng.uniform(0.4, 0.8)), 0.04, 0.008), 0.12),
        (m.plaster(m.vary((120, 142, 136), rng, 0.2), 0.02), 0.12),
        (m.dirt(m.vary((134, 128, 122), rng, 0.2)), 0.04),
        (m.bricks(m.vary((160, 124, 88), rng), (120, 92, 66), 0.9, 0.1), 0.1),
        (m.plaster(m.vary((104, 108, 112), rng, 0.2), 0.03), 0.0),
    ]
    return kinds[rng.integers(len(kinds))]


def _along_wall(rng: np.random.Generator, x: float, near: float, far: float) -> list[Mesh]:
    """Doors, notice boards and windows on a side wall at x."""
    parts = []
    inward = -np.sign(x)
    for y in np.arange(near, far, rng.uniform(2.2, 3.2)):
        draw = rng.random()
        if draw < 0.4:
            parts.append(box((0.06, 0.95, 2.1), (x + 0.03 * inward, y, 1.05), m.wood(pick(WOODS, rng), 0.1)))
        elif draw < 0.65:
            board = m.clutter(
                [pick(PLAINS, rng) for _ in range(4)] + [pick(WOODS, rng)], (0.25, 0.33), pick(WOODS, rng)
            )
            parts.append(box((0.04, 1.6, 1.0), (x + 0.02 * inward, y, 1.5), m.wall_surface(board)))
        elif draw < 0.85:
            parts.append(box((0.04, 1.5, 1.5), (x + 0.02 * inward, y, 1.75), m.paint((226, 232, 236), 0.8, 0.01)))
    return parts


def corridor(rng: np.random.Generator) -> Place:
    width, depth = float(rng.uniform(2.8, 4.5)), float(rng.uniform(14, 20))
    floor, gloss = _indoor_floor(rng)
    plain = m.plaster(pick(PLAINS, rng) if rng.random() < 0.3 else m.vary((208, 204, 194), rng, 0.08), 0.04)
    lower = m.tiles(m.vary((170, 178, 172), rng), (130, 132, 130), 0.25) if rng.random() < 0.4 else plain
    wall = m.beside(lower, plain, lambda x, y: y < 1.2)
    parts, mean = room(rng, width, depth, wall, floor, gloss)
    parts += _along_wall(rng, -width / 2, 4, depth) + _along_wall(rng, width / 2, 4, depth)
    return Place(join(parts), True, 3.5, depth - 3, width / 2 - 0.5, mean)


def _furniture_along(rng: np.random.Generator, length: float, goods: list[m.Colour]) -> list[Mesh]:
    """Shelves, desks, cabinets in a row along x, their backs at y = 0, facing -y."""
    parts = []
    for x in np.arange(-length / 2 + 0.8, length / 2 - 0.5, 1.3):
        draw = rng.random()
        if draw < 0.35:
            shelf = m.clutter(goods, (0.07, 0.36), pick(WOODS, rng), 0.8)
            parts.append(box((1.2, 0.35, 2.0), (x, -0.2, 1.0), m.wall_surface(shelf)))
        elif draw < 0.7:
            parts.append(box((1.25, 0.7, 0.04), (x, -0.4, 0.74), m.wood(pick(WOODS, rng), 0.1)))
            parts.append(box((1.2, 0.03, 0.5), (x, -0.2, 0.45), m.wood(pick(WOODS, rng), 0.1)))
            parts.append(box((0.5, 0.05, 0.32), (x + rng.normal(0, 0.2), -0.3, 1.0), m.paint((34, 36, 40), 0.2)))
            parts.append(chair(rng).placed(rng.uniform(0, 6), (x, -1.0, 0)))
        elif draw < 0.9:
            parts.append(box((0.9, 0.45, 1.8), (x, -0.25, 0.9), m.paint(pick(PLAINS, rng), 0.08)))
    return parts


def office(rng: np.random.Generator) -> Place:
    """Desks, shelves and cabinets along white walls."""
    width, depth = float(rng.uniform(8, 12)), float(rng.uniform(9, 13))
    floor, gloss = _indoor_floor(rng)
    parts, mean = room(rng, width, depth, m.plaster(m.vary((212, 210, 204), rng, 0.06), 0.03), floor, gloss)
    books = [m.vary((60, 70, 96), rng), m.vary((120, 60, 52), rng), m.vary((70, 96, 80), rng)]
    goods = [pick(PLAINS, rng) for _ in range(4)] + [pick(WOODS, rng), *books]
    parts += [part.placed(0, (0, depth, 0)) for part in _furniture_along(rng, width, goods)]
    for side in (-1, 1):
        row = _furniture_along(rng, depth - 3, goods)
        parts += [part.placed(-side * np.pi / 2, (side * width / 2, depth / 2 + 1, 0)) for part in row]
    parts += _along_wall(rng, -width / 2, 4, depth) + _along_wall(rng, width / 2, 4, depth)
    return Place(join(parts), True, 3.2, depth - 2.2, width / 2 - 1.7, mean)


def hall(rng: np.random.Generator) -> Place:
    """A wide hall: large tiles, columns, a wall at the end.

    The wall is of glass or panels.
    """
    width, depth = float(rng.uniform(14, 20)), float(rng.uniform(14, 18))
    floor, _ = _indoor_floor(rng)
    glass = m.windows(m.plaster(pick(PLAINS, rng)), (1.6, 3.0), (1.45, 2.0), (120, 122, 124), (150, 168, 176))
    wall = glass if rng.random() < 0.5 else m.tiles(m.vary((188, 180, 166), rng), (140, 134, 124), 0.9)
    parts, mean = room(rng, width, depth, wall, floor, 0.15)
    parts += [pillar(rng).placed(0, (x, depth - rng.uniform(1, 3), 0)) for x in np.arange(-width / 2 + 1, width / 2, 4)]
    furnish = (bench, table, counter, lambda rng: potted_plant(rng, 1.5), litter_bin, railing)
    for x in np.arange(-width / 2 + 1, width / 2 - 0.5, 1.9):
        if rng.random() < 0.7:
            thing = furnish[rng.integers(len(furnish))](rng)
            parts.append(thing.placed(rng.choice([0, np.pi]), (x, depth - rng.uniform(0.6, 2.2), 0)))
    return Place(join(parts), True, 4.0, depth - 4, width / 2 - 2, mean)
