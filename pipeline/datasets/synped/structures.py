"""What is built or rooted: walls, pillars, doors, poles, railings, trunks, planters.

Reads and writes nothing.
"""

from __future__ import annotations

import numpy as np

from pipeline.datasets.synped.furniture import PLAINS, STEEL, WOODS, pick
from pipeline.datasets.synped.greenery import hedge, trunk
from pipeline.datasets.synped.materials import bricks, paint, plaster, tiles, vary, wall_surface, wood
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.solids import box, extrude, lathe, tube


def wall(rng: np.random.Generator, width: float, height: float, depth: float) -> Mesh:
    """A free-standing piece of wall at the origin.

    It is of brick, plaster, stone or tiles.
    """
    kinds = (
        bricks(vary((150, 88, 70), rng), (160, 150, 140)),
        plaster(pick(PLAINS, rng), 0.12),
        tiles(pick(PLAINS, rng), (110, 108, 104), 0.6),
        plaster(vary((214, 208, 196), rng), 0.06),
        tiles(vary((190, 182, 170), rng), (120, 114, 108), 0.15),
    )
    surface = wall_surface(kinds[rng.integers(len(kinds))], bump=0.06)
    parts = [box((width, depth, height), (0, 0, height / 2), surface)]
    if rng.random() < 0.4:
        parts.append(box((width + 0.06, depth + 0.06, 0.07), (0, 0, height), paint(pick(PLAINS, rng))))
    return join(parts)


def low_wall(rng: np.random.Generator) -> Mesh:
    return wall(rng, rng.uniform(1.6, 3.0), rng.uniform(0.6, 1.2), rng.uniform(0.2, 0.4))


def pillar(rng: np.random.Generator) -> Mesh:
    width = rng.uniform(0.3, 0.8)
    if rng.random() < 0.4:
        return lathe([(width / 2, 0), (width / 2, 3.2)], paint(pick(PLAINS, rng), wear=0.08), 20)
    return wall(rng, width, 3.2, rng.uniform(0.3, 0.6))


def door(rng: np.random.Generator) -> Mesh:
    """A door leaf half open into the picture, with a handle."""
    leaf = box((0.9, 0.05, 2.1), (0, 0, 1.05), wood(pick(WOODS, rng), gloss=0.12))
    steel = paint(STEEL, gloss=0.3)
    handle = tube([(0.36, -0.03, 1.02), (0.36, -0.08, 1.02), (0.24, -0.08, 1.02)], 0.012, steel)
    return join([leaf, handle, box((0.05, 0.06, 0.2), (0.36, 0, 1.02), steel)])


def pole(rng: np.random.Generator) -> Mesh:
    """Two or three posts side by side: one alone hides too little."""
    radius = rng.uniform(0.05, 0.13)
    surface = paint(pick(PLAINS, rng), gloss=0.08)
    gap = rng.uniform(0.18, 0.3)
    return join(
        [tube([(x * gap, 0, 0), (x * gap, 0, 3.2)], radius, surface, 10) for x in range(int(rng.integers(1, 4)))]
    )


def tree_trunk(rng: np.random.Generator) -> Mesh:
    return trunk(rng, rng.uniform(0.16, 0.32), 3.4)


def railing(rng: np.random.Generator) -> Mesh:
    """Bars or panes between posts, 1-1.25 m high, 2.6 m long."""
    height, length = rng.uniform(1.0, 1.25), 2.6
    surface = paint(
        vary(((186, 188, 190), (58, 60, 62), (90, 110, 100), (200, 196, 180))[rng.integers(4)], rng), gloss=0.15
    )
    rails = [tube([(-length / 2, 0, z), (length / 2, 0, z)], 0.028, surface) for z in (0.12, height)]
    if rng.random() < 0.45:
        rails += [
            box((0.62, 0.02, height - 0.3), (x, 0, height * 0.52), paint(pick(PLAINS, rng), gloss=0.2))
            for x in (-0.98, -0.33, 0.33, 0.98)
        ]
    else:
        step = rng.uniform(0.07, 0.12)
        rails += [
            tube([(x, 0, 0.1), (x, 0, height)], 0.013, surface, 5) for x in np.arange(-length / 2, length / 2, step)
        ]
    return join(rails)


def planter(rng: np.random.Generator) -> Mesh:
    """A trough of concrete or wood with a low hedge in it."""
    height = rng.uniform(0.4, 0.6)
    trough = box((1.8, 0.5, height), (0, 0, height / 2), paint(pick(PLAINS, rng), wear=0.12))
    return join([trough, hedge(rng, 1.7, rng.uniform(0.4, 0.7), 0.42, 0.08, 1200).placed(0, (0, 0, height - 0.05))])


def barrier(rng: np.random.Generator) -> Mesh:
    """A plastic or concrete barrier as on building sites."""
    colour = vary(((196, 196, 192), (178, 96, 50), (170, 60, 50))[rng.integers(3)], rng)
    outline = [
        (-0.3, 0.0),
        (0.3, 0.0),
        (0.22, 0.25),
        (0.09, 0.4),
        (0.08, rng.uniform(0.8, 1.05)),
        (-0.08, 0.85),
        (-0.09, 0.4),
        (-0.22, 0.25),
    ]
    return extrude(outline, 2.2, paint(colour, wear=0.12))
