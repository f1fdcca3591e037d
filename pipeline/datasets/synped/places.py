"""Outdoor places, and the list of all places.

Lawn, street, square, alley, bicycle racks. Reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.datasets.synped import materials as m
from pipeline.datasets.synped.furniture import PLAINS, STEEL, bench, litter_bin, pick
from pipeline.datasets.synped.greenery import GREENS, bush, hedge, potted_plant, thicket, tree
from pipeline.datasets.synped.interiors import corridor, hall, office
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.place import SIDE, Place, ground_plane
from pipeline.datasets.synped.solids import box, tube
from pipeline.datasets.synped.structures import pillar, railing
from pipeline.datasets.synped.vehicles import bicycle, car


def _hard_ground(rng: np.random.Generator) -> m.Ground:
    grey = m.vary((150, 147, 142), rng, 0.15)
    kinds: list[m.Ground] = [
        m.asphalt(m.vary((112, 112, 112), rng, 0.2)),
        m.tiles(grey, (96, 94, 90), float(rng.uniform(0.35, 0.9)), 0.1, 0.015),
        m.herringbone(m.vary((150, 118, 104), rng), m.vary((126, 112, 104), rng)),
        m.bricks(m.vary((146, 132, 122), rng, 0.15), (108, 104, 98), 0.22, 0.11),
        m.tiles(m.vary((172, 166, 154), rng), (120, 116, 108), float(rng.uniform(1.2, 2.4)), 0.05, 0.02),
        m.dirt(m.vary((148, 132, 112), rng)),
    ]
    return kinds[rng.integers(len(kinds))]


def _lawn_texture(rng: np.random.Generator) -> m.Ground:
    return m.grass(
        m.vary(GREENS[rng.integers(len(GREENS))], rng, 0.12),
        m.vary((140, 128, 92), rng),
        float(rng.uniform(-0.15, 0.3)),
    )


def _path(rng: np.random.Generator, path: m.Ground, around: m.Ground) -> m.Ground:
    """A winding path along y, with edges."""
    width, angle, start = rng.uniform(1.4, 3.5), rng.normal(0, 0.25), rng.normal(0, 1.5)
    bend, wave = rng.uniform(0, 1.2), rng.uniform(0.12, 0.25)
    edge = m.tiles((170, 168, 162), (120, 118, 114), 0.6)

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.abs(x - start - angle * (y - 8) - bend * np.sin(y * wave * 2 * np.pi / 3))

    inner = m.beside(path, edge, lambda x, y: distance(x, y) < width)
    return m.beside(inner, around, lambda x, y: distance(x, y) < width + 0.13)


def _facade(rng: np.random.Generator, y: float, width: float = 70.0, height: float = 14.0) -> Mesh:
    """A building across the view at distance y."""
    walls: list[m.Ground] = [
        m.bricks(m.vary((142, 86, 68), rng, 0.15), (150, 140, 130)),
        m.plaster(pick(PLAINS, rng)),
        m.tiles(pick(PLAINS, rng), (110, 110, 108), 0.12),
        m.plaster(m.vary((206, 196, 176), rng)),
        m.tiles(m.vary((184, 172, 160), rng), (120, 112, 104), 1.2),
    ]
    wall = walls[rng.integers(len(walls))]
    pitch = (float(rng.uniform(1.8, 4)), float(rng.uniform(3, 3.6)))
    opening = (pitch[0] * float(rng.uniform(0.4, 0.8)), float(rng.uniform(1.3, 2.0)))
    frame = m.vary(((210, 210, 208), (90, 92, 92), (120, 84, 60))[rng.integers(3)], rng)
    texture = m.windows(wall, pitch, opening, frame, m.vary((72, 84, 92), rng, 0.2)) if rng.random() < 0.8 else wall
    return box((width, 1.0, height), (0, y + 0.5, height / 2), m.wall_surface(texture))


def _beside_wedge(rng: np.random.Generator, y: float, gap: float = 1.5) -> float:
    return float(rng.choice([-1, 1]) * (SIDE * y + gap + rng.uniform(0, 4)))


def _greens_behind(rng: np.random.Generator, y: float) -> list[Mesh]:
    """What closes the view from distance y on: a hedge, shrubs grown together, trees."""
    parts = []
    if rng.random() < 0.5:
        parts.append(hedge(rng, 40, rng.uniform(0.7, 1.8), 1.0, 0.16, 9000).placed(0, (0, y, 0)))
    if rng.random() < 0.75:
        parts.append(thicket(rng, 44, rng.uniform(1.8, 4.5), 0.24, 9000).placed(0, (0, y + rng.uniform(2, 5), 0)))
    for x in np.arange(-20, 20, rng.uniform(3, 6)):
        where = (x + rng.normal(0, 1), y + rng.uniform(1, 8), 0)
        parts.append(tree(rng, rng.uniform(5, 11), 0.34, 1800).placed(rng.uniform(0, 6), where))
    return parts


def _green_walls(rng: np.random.Generator, near: float, far: float) -> list[Mesh]:
    """Trees, bushes and benches on both sides of the wedge."""
    parts = []
    for y in np.arange(near, far, 2.2):
        where = (_beside_wedge(rng, y), y, 0)
        draw = rng.random()
        if draw < 0.45:
            parts.append(tree(rng, rng.uniform(4, 8), 0.2, 1500).placed(rng.uniform(0, 6), where))
        elif draw < 0.85:
            parts.append(
                bush(rng, rng.uniform(1, 2.4), rng.uniform(0.7, 1.8), 0.12, 1200).placed(rng.uniform(0, 6), where)
            )
        elif draw < 0.95:
            parts.append(bench(rng).placed(rng.uniform(0, 6), where))
    return parts


def lawn(rng: np.random.Generator) -> Place:
    far = float(rng.uniform(11, 16))
    floor, mean = ground_plane(_path(rng, _hard_ground(rng), _lawn_texture(rng)))
    parts = [floor, _facade(rng, far + rng.uniform(22, 40)), *_greens_behind(rng, far + 2), *_green_walls(rng, 5, far)]
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def street(rng: np.random.Generator) -> Place:
    """Pavement, kerb and road across the view.

    Parked cars are behind, a facade or trees beyond.
    """
    far = float(rng.uniform(9, 13))
    pavement, road = _hard_ground(rng), m.asphalt(m.vary((104, 104, 106), rng, 0.2))
    kerb = m.tiles((176, 174, 168), (120, 118, 114), 0.8)
    edge = far - rng.uniform(0, 2.5)
    texture = m.beside(pavement, m.beside(kerb, road, lambda x, y: y < edge + 0.14), lambda x, y: y < edge)
    floor, mean = ground_plane(texture)
    parts = [floor]
    for x in np.arange(-16, 16, 5.3):
        if rng.random() < 0.75:
            parts.append(
                car(rng).placed(
                    np.pi / 2 + np.pi * rng.integers(2) + rng.normal(0, 0.03), (x + rng.normal(0, 0.4), far + 2.4, 0)
                )
            )
    parts += [tube([(x, far + 0.6, 0), (x, far + 0.6, 4)], 0.07, m.paint(STEEL)) for x in (-7.3, 1.8, 9.1)]
    parts += [_facade(rng, far + rng.uniform(8, 14))] if rng.random() < 0.6 else _greens_behind(rng, far + 6)
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def square(rng: np.random.Generator) -> Place:
    """Paved, a building close behind, with columns, bins, bicycles along its foot."""
    far = float(rng.uniform(10, 15))
    floor, mean = ground_plane(_hard_ground(rng))
    wall = far + rng.uniform(2.5, 6)
    parts = [floor, _facade(rng, wall)]
    for x in np.arange(-14, 14, rng.uniform(3, 5)):
        draw, where = rng.random(), (x + rng.normal(0, 0.5), wall - rng.uniform(0.5, 1.5), 0)
        if draw < 0.25:
            parts.append(pillar(rng).placed(0, where))
        elif draw < 0.45:
            parts += [bicycle(rng).placed(rng.normal(0.3, 0.15), (where[0] + 0.5 * k, where[1], 0)) for k in range(4)]
        elif draw < 0.6:
            parts.append(potted_plant(rng, 1.3).placed(0, where))
        elif draw < 0.7:
            parts.append(litter_bin(rng).placed(0, where))
        elif draw < 0.85:
            parts.append(hedge(rng, 2.8, 0.8, 0.7, 0.1, 1500).placed(0, where))
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def racks(rng: np.random.Generator) -> Place:
    """Rows of bicycles and cars, greenery and a wall behind."""
    far = float(rng.uniform(9, 13))
    floor, mean = ground_plane(_hard_ground(rng))
    parts = [floor, *_greens_behind(rng, far + 4), railing(rng).placed(0, (0, far + 3, 0))]
    for x in np.arange(-9, 9, 0.62):
        if rng.random() < 0.75:
            parts.append(bicycle(rng).placed(rng.normal(0.2, 0.12), (x, far + 1.4 + rng.normal(0, 0.1), 0)))
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def alley(rng: np.random.Generator) -> Place:
    """Between a wall and a hedge."""
    far = float(rng.uniform(12, 17))
    floor, mean = ground_plane(_path(rng, _hard_ground(rng), _lawn_texture(rng)))
    wall = m.wall_surface(
        m.bricks(m.vary((150, 100, 82), rng, 0.15), (160, 152, 144))
        if rng.random() < 0.6
        else m.plaster(pick(PLAINS, rng), 0.15)
    )
    side = float(rng.choice([-1, 1]))
    parts = [floor, box((0.4, 40, rng.uniform(2.2, 5)), (side * rng.uniform(2.8, 4), 22, 1.5), wall)]
    parts.append(
        hedge(rng, 34, rng.uniform(0.9, 2.2), 1.0, 0.11, 12000).placed(np.pi / 2, (-side * rng.uniform(2.8, 4), 20, 0))
    )
    parts += _greens_behind(rng, far + 5)
    return Place(join(parts), False, 4.0, far, 2.2, mean)


PLACES: dict[str, Callable[[np.random.Generator], Place]] = {
    "lawn": lawn,
    "street": street,
    "corridor": corridor,
    "square": square,
    "alley": alley,
    "office": office,
    "racks": racks,
    "hall": hall,
}
