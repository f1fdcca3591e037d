"""Places: what stands still around a camera - lawns, streets, squares, corridors, offices. Reads and writes nothing.

The camera stands at the origin and looks along +y; people walk in a wedge in front of it, which a place leaves free. What
surrounds them begins behind and beside that wedge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.synped import materials as m
from pipeline.synped.furniture import PLAINS, STEEL, WOODS, bench, litter_bin, pick, pillar, railing
from pipeline.synped.greenery import GREENS, bush, hedge, potted_plant, tree
from pipeline.synped.mesh import Mesh, join
from pipeline.synped.solids import box, tube
from pipeline.synped.vehicles import bicycle, car

SIDE = 0.75  # tangent of the wedge's half angle


@dataclass(frozen=True)
class Place:
    """mesh: everything fixed. indoor: which light. near, far: distances from the camera at which people walk, metres.
    half_width: how far aside. ground: mean albedo of the ground [3], the light that comes back from it."""

    mesh: Mesh
    indoor: bool
    near: float
    far: float
    half_width: float
    ground: np.ndarray


def _ground(texture: m.Ground, gloss: float = 0.0, bump: float = 0.0) -> tuple[Mesh, np.ndarray]:
    floor = box((160, 160, 0.2), (0, 40, -0.1), m.floor_surface(texture, bump=bump, gloss=gloss))
    x, y = np.meshgrid(np.linspace(-4, 4, 40, dtype=np.float32), np.linspace(4, 14, 40, dtype=np.float32))
    return floor, texture(x.ravel(), y.ravel()).mean(axis=0)


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
    """A line of trees, bushes and hedges across the view from distance y on."""
    parts = []
    if rng.random() < 0.7:
        parts.append(hedge(rng, 40, rng.uniform(0.7, 1.8), 1.0, 0.16, 9000).placed(0, (0, y, 0)))
    for x in np.arange(-18, 18, rng.uniform(2.5, 5)):
        where = (x + rng.normal(0, 1), y + rng.uniform(1, 8), 0)
        if rng.random() < 0.65:
            parts.append(tree(rng, rng.uniform(5, 10), 0.26, 1700).placed(rng.uniform(0, 6), where))
        else:
            parts.append(
                bush(rng, rng.uniform(1.5, 3), rng.uniform(1.2, 2.5), 0.16, 900).placed(rng.uniform(0, 6), where)
            )
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
    floor, mean = _ground(_path(rng, _hard_ground(rng), _lawn_texture(rng)))
    parts = [floor, _facade(rng, far + rng.uniform(22, 40)), *_greens_behind(rng, far + 2), *_green_walls(rng, 5, far)]
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def street(rng: np.random.Generator) -> Place:
    """Pavement, kerb and road across the view, parked cars behind, a facade or trees beyond."""
    far = float(rng.uniform(9, 13))
    pavement, road = _hard_ground(rng), m.asphalt(m.vary((104, 104, 106), rng, 0.2))
    kerb = m.tiles((176, 174, 168), (120, 118, 114), 0.8)
    edge = far - rng.uniform(0, 2.5)
    texture = m.beside(pavement, m.beside(kerb, road, lambda x, y: y < edge + 0.14), lambda x, y: y < edge)
    floor, mean = _ground(texture)
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
    floor, mean = _ground(_hard_ground(rng))
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
    floor, mean = _ground(_hard_ground(rng))
    parts = [floor, *_greens_behind(rng, far + 4), railing(rng).placed(0, (0, far + 3, 0))]
    for x in np.arange(-9, 9, 0.62):
        if rng.random() < 0.75:
            parts.append(bicycle(rng).placed(rng.normal(0.2, 0.12), (x, far + 1.4 + rng.normal(0, 0.1), 0)))
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def alley(rng: np.random.Generator) -> Place:
    """Between a wall and a hedge."""
    far = float(rng.uniform(12, 17))
    floor, mean = _ground(_path(rng, _hard_ground(rng), _lawn_texture(rng)))
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


def _room(
    rng: np.random.Generator, width: float, depth: float, wall: m.Ground, floor: m.Ground, gloss: float
) -> tuple[list[Mesh], np.ndarray]:
    """Floor, ceiling with lamps, side walls and an end wall with a skirting."""
    surface = m.wall_surface(wall)
    ground, mean = _ground(floor, gloss=gloss)
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
        (m.plaster(m.vary((120, 142, 136), rng, 0.2), 0.05), 0.12),
        (m.dirt(m.vary((134, 128, 122), rng, 0.2)), 0.04),
        (m.bricks(m.vary((160, 124, 88), rng), (120, 92, 66), 0.9, 0.1), 0.1),
        (m.plaster(m.vary((104, 108, 112), rng, 0.2), 0.08), 0.0),
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
            parts.append(box((0.04, 1.5, 1.5), (x + 0.02 * inward, y, 1.75), m.paint((226, 232, 236), 0.3, 0.01)))
    return parts


def corridor(rng: np.random.Generator) -> Place:
    width, depth = float(rng.uniform(2.8, 4.5)), float(rng.uniform(14, 20))
    floor, gloss = _indoor_floor(rng)
    plain = m.plaster(pick(PLAINS, rng) if rng.random() < 0.3 else m.vary((208, 204, 194), rng, 0.08), 0.04)
    lower = m.tiles(m.vary((170, 178, 172), rng), (130, 132, 130), 0.25) if rng.random() < 0.4 else plain
    wall = m.beside(lower, plain, lambda x, y: y < 1.2)
    parts, mean = _room(rng, width, depth, wall, floor, gloss)
    parts += _along_wall(rng, -width / 2, 4, depth) + _along_wall(rng, width / 2, 4, depth)
    return Place(join(parts), True, 3.5, depth - 3, width / 2 - 0.5, mean)


def office(rng: np.random.Generator) -> Place:
    """Desks, shelves and cabinets along white walls."""
    width, depth = float(rng.uniform(8, 12)), float(rng.uniform(9, 13))
    floor, gloss = _indoor_floor(rng)
    parts, mean = _room(rng, width, depth, m.plaster(m.vary((212, 210, 204), rng, 0.06), 0.03), floor, gloss)
    goods = [pick(PLAINS, rng) for _ in range(4)] + [
        pick(WOODS, rng),
        m.vary((60, 70, 96), rng),
        m.vary((120, 60, 52), rng),
    ]
    for x in np.arange(-width / 2 + 0.8, width / 2 - 0.5, 1.3):
        draw = rng.random()
        if draw < 0.3:
            parts.append(
                box(
                    (1.2, 0.35, 2.0),
                    (x, depth - 0.25, 1.0),
                    m.wall_surface(m.clutter(goods, (0.07, 0.36), pick(WOODS, rng), 0.8)),
                )
            )
        elif draw < 0.65:
            parts.append(box((1.25, 0.7, 0.04), (x, depth - 0.5, 0.74), m.wood(pick(WOODS, rng), 0.1)))
            parts.append(box((1.2, 0.03, 0.5), (x, depth - 0.3, 0.45), m.wood(pick(WOODS, rng), 0.1)))
            parts.append(box((0.5, 0.05, 0.32), (x + rng.normal(0, 0.2), depth - 0.4, 1.0), m.paint((34, 36, 40), 0.2)))
        elif draw < 0.85:
            parts.append(box((0.9, 0.45, 1.8), (x, depth - 0.3, 0.9), m.paint(pick(PLAINS, rng), 0.08)))
    parts += _along_wall(rng, -width / 2, 4, depth) + _along_wall(rng, width / 2, 4, depth)
    return Place(join(parts), True, 3.2, depth - 2.2, width / 2 - 1, mean)


def hall(rng: np.random.Generator) -> Place:
    """A wide hall: large tiles, columns, a wall of glass or panels at the end."""
    width, depth = float(rng.uniform(14, 20)), float(rng.uniform(14, 18))
    floor, _ = _indoor_floor(rng)
    glass = m.windows(m.plaster(pick(PLAINS, rng)), (1.6, 3.0), (1.45, 2.0), (120, 122, 124), (150, 168, 176))
    wall = glass if rng.random() < 0.5 else m.tiles(m.vary((188, 180, 166), rng), (140, 134, 124), 0.9)
    parts, mean = _room(rng, width, depth, wall, floor, 0.15)
    parts += [pillar(rng).placed(0, (x, depth - rng.uniform(1, 3), 0)) for x in np.arange(-width / 2 + 1, width / 2, 4)]
    parts += [potted_plant(rng, 1.5).placed(0, (rng.uniform(-0.45, 0.45) * width, depth - 0.6, 0)) for _ in range(4)]
    return Place(join(parts), True, 4.0, depth - 4, width / 2 - 2, mean)


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
