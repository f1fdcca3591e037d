"""Places of the style "abroad", as functions that build their meshes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.datasets.synped import materials as m
from pipeline.datasets.synped.abroad_things import (
    GREYS,
    WARES,
    bollards,
    column,
    machine,
    pallet,
    sacks,
    sign,
    stacked_crates,
)
from pipeline.datasets.synped.furniture import STEEL, bench, pick
from pipeline.datasets.synped.greenery import BARK, crown
from pipeline.datasets.synped.interiors import room
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.noise import fractal
from pipeline.datasets.synped.place import SIDE, Place, ground_plane
from pipeline.datasets.synped.solids import box, extrude, lathe, tube
from pipeline.datasets.synped.vehicles import car

SNOW: m.Colour = (208, 211, 216)
SAND: m.Colour = (182, 166, 134)


def garage(rng: np.random.Generator) -> Place:
    """An underground car park: marked bays, cars, columns, stained concrete."""
    aisle, depth = float(rng.uniform(2.8, 3.8)), float(rng.uniform(15, 20))
    concrete = m.dirt(m.vary((132, 130, 126), rng, 0.1))
    marks = m.plaster((196, 192, 176), 0.3)
    floor = m.beside(
        marks, concrete, lambda x, y: (np.abs(np.abs(x) - aisle) < 0.06) | ((np.abs(x) > aisle) & (y % 2.6 < 0.12))
    )
    ground, mean = ground_plane(floor, gloss=0.08)
    band, grey = m.plaster(pick(WARES, rng)), m.plaster(m.vary((172, 170, 164), rng, 0.08), 0.2)
    wall = m.wall_surface(m.beside(band, grey, lambda x, y: np.abs(y - 1.15) < 0.25))
    half = aisle + 5.2
    parts = [ground, box((2 * half, depth + 8, 0.2), (0, depth / 2, 2.85), m.floor_surface(grey))]
    parts += [box((0.2, depth + 8, 2.8), (s * half, depth / 2, 1.4), wall) for s in (-1, 1)]
    parts.append(box((2 * half, 0.2, 2.8), (0, depth, 1.4), wall))
    for side in (-1, 1):
        parts += [box((0.45, 0.45, 2.8), (side * (aisle + 0.6), y, 1.4), wall) for y in np.arange(2.6, depth, 5.2)]
        for y in np.arange(3.9, depth - 1, 2.6):
            if rng.random() < 0.7:
                where = (side * (aisle + 2.7), y, 0)
                parts.append(car(rng).placed(np.pi / 2 + np.pi * rng.integers(2) + rng.normal(0, 0.02), where))
    parts += [tube([(x, 0, 2.6), (x, depth, 2.6)], 0.07, m.paint(pick(GREYS, rng))) for x in (-1.4, -1.1, 2.0)]
    parts.append(box((0.95, 0.05, 2.05), (rng.uniform(-2, 2), depth - 0.12, 1.02), m.paint(pick(GREYS, rng), 0.05)))
    return Place(join(parts), True, 3.8, depth - 3, aisle - 0.6, mean)


def platform(rng: np.random.Generator) -> Place:
    """A railway platform with a train and a roof, seen lengthwise."""
    depth, side = float(rng.uniform(18, 24)), float(rng.choice([-1, 1]))
    edge = float(rng.uniform(2.6, 3.4))
    slabs = m.tiles(m.vary((150, 148, 146), rng, 0.1), (104, 102, 100), float(rng.uniform(0.5, 1.2)), 0.08, 0.012)
    yellow = m.plaster(m.vary((196, 168, 86), rng, 0.06), 0.2)
    floor = m.beside(yellow, slabs, lambda x, y: np.abs(side * x - edge + 0.8) < 0.2)
    bed = m.dirt(m.vary((92, 86, 82), rng))
    ground, mean = ground_plane(m.beside(floor, bed, lambda x, y: side * x < edge))
    parts = [ground]
    coat, stripe = m.plaster(pick(GREYS[:4], rng), 0.1), m.plaster(pick(WARES, rng))
    body = m.windows(coat, (2.3, 5.0), (1.7, 0.95), (60, 62, 64), (58, 70, 78))
    train = m.wall_surface(m.beside(stripe, body, lambda x, y: y < 0.55), gloss=0.1)
    if rng.random() < 0.75:
        parts.append(box((2.8, 60, 3.4), (side * (edge + 1.6), 26, 1.7), train))
    roof, post = m.paint(pick(GREYS, rng)), m.paint(pick(GREYS + WARES[3:5], rng))
    away = -side * (edge + 0.6)
    parts.append(box((3.4, 50, 0.15), (away - side * 1.2, 24, 4.4), roof))
    parts += [tube([(away, y, 0), (away, y, 4.4)], 0.11, post, 8) for y in np.arange(5.5, 40, 5.5)]
    back = m.tiles(m.vary((196, 190, 178), rng), (140, 136, 128), 0.3)
    parts.append(box((0.3, 60, 3.4), (away - side * 2.6, 26, 1.7), m.wall_surface(back)))
    furnish = (bench, machine, sign, column)
    for y in np.arange(6, depth + 8, 3.4):
        thing = furnish[rng.integers(len(furnish))](rng)
        parts.append(thing.placed(side * np.pi / 2, (away - side * rng.uniform(1.0, 1.6), y, 0)))
    beyond = m.wall_surface(m.windows(m.plaster(pick(GREYS, rng)), (1.5, 2.8), (1.1, 1.6), (80, 80, 82), (84, 96, 104)))
    parts.append(box((40, 1, 12), (0, depth + 22, 6), beyond))
    return Place(join(parts), False, 4.0, depth - 6, edge - 1.0, mean)


def _shelf(rng: np.random.Generator, length: float) -> Mesh:
    """A shop's shelf along x, goods on both sides, standing at the origin."""
    height, back = rng.uniform(1.5, 2.1), pick(GREYS, rng)
    goods = m.clutter([pick(WARES if rng.random() < 0.5 else GREYS, rng) for _ in range(7)], (0.11, 0.36), back, 0.92)
    parts = [box((length, 0.6, height), (0, 0, height / 2), m.wall_surface(goods))]
    parts += [box((length, 0.72, 0.03), (0, 0, z), m.paint(back)) for z in np.arange(0.12, height, 0.36)]
    return join(parts)


def shop(rng: np.random.Generator) -> Place:
    """An aisle between shelves, closed by a cabinet or wall of goods."""
    depth, aisle = float(rng.uniform(12, 16)), float(rng.uniform(1.7, 2.6))
    kinds = [
        m.tiles(m.vary((180, 176, 168), rng, 0.08), (140, 136, 130), 0.3, 0.03, 0.006),
        m.plaster(m.vary((148, 152, 150), rng, 0.1), 0.06),
    ]
    plain = m.plaster(m.vary((220, 216, 206), rng, 0.05), 0.03)
    parts, mean = room(rng, 13.0, depth, plain, kinds[rng.integers(len(kinds))], 0.15)
    for side in (-1, 1):
        for row in range(2):
            x = side * (aisle + 0.35 + 2.2 * row)
            parts.append(_shelf(rng, depth - 6).placed(np.pi / 2, (x, depth / 2 + 0.4, 0)))
    parts.append(_shelf(rng, 11.0).placed(0, (0, depth - 0.5, 0)))
    for x in np.arange(-aisle, aisle, 1.3):
        if rng.random() < 0.5:
            thing = (pallet, stacked_crates)[rng.integers(2)](rng)
            parts.append(thing.placed(rng.normal(0, 0.1), (x, depth - rng.uniform(1.3, 1.8), 0)))
    boards = m.clutter([pick(WARES, rng) for _ in range(4)], (0.9, 0.5), (206, 206, 200), 0.6)
    parts.append(box((6, 0.05, 0.5), (0, depth * 0.7, 2.75), m.wall_surface(boards)))
    return Place(join(parts), True, 3.2, depth - 3, aisle - 0.6, mean)


def _palm(rng: np.random.Generator) -> Mesh:
    height = float(rng.uniform(3.5, 6))
    stem = tube([(0, 0, 0), (0.15, 0, height * 0.5), (0.1, 0.1, height)], 0.13, m.bark((128, 112, 92)), 8)
    top = crown(rng, (1.6, 1.6, 0.9), (0.1, 0.1, height), m.vary((88, 104, 62), rng), 0.5, 500, 9)
    return join([stem, top])


def promenade(rng: np.random.Generator) -> Place:
    """Planks or slabs above a beach with parapet, palms and kiosks."""
    far = float(rng.uniform(10, 14))
    planks = m.tiles(m.vary((168, 150, 126), rng, 0.1), (104, 90, 74), float(rng.uniform(0.14, 0.2)), 0.12, 0.012)
    slabs = m.tiles(m.vary((178, 168, 150), rng, 0.08), (146, 138, 124), float(rng.uniform(0.8, 1.5)), 0.05, 0.01)
    walk = planks if rng.random() < 0.4 else slabs
    sand, foam = m.dirt(m.vary(SAND, rng, 0.06)), float(rng.uniform(8, 20))
    water = m.dirt(m.vary((92, 116, 124), rng, 0.1))
    edge = far + 1.8
    beyond = m.beside(sand, water, lambda x, y: y < edge + foam + 0.8 * fractal(x, 0 * x, 8.0))
    ground, mean = ground_plane(m.beside(walk, beyond, lambda x, y: y < edge))
    parts = [ground]
    rail = m.paint(pick(((230, 230, 226), (70, 92, 104), (120, 124, 124)), rng), gloss=0.1)
    if rng.random() < 0.5:
        parts.append(box((60, 0.35, 0.75), (0, edge, 0.37), m.wall_surface(m.plaster(m.vary((214, 204, 184), rng)))))
    else:
        parts += [tube([(-30, edge, z), (30, edge, z)], 0.03, rail) for z in (0.5, 0.8, 1.1)]
        parts += [tube([(x, edge, 0), (x, edge, 1.1)], 0.04, rail) for x in np.arange(-24, 24, 2.0)]
    for x in np.arange(-21, 21, rng.uniform(4, 7)):
        parts.append(_palm(rng).placed(rng.uniform(0, 6), (x + rng.normal(0, 0.5), edge + rng.uniform(0.8, 4), 0)))
    for y in np.arange(6, far, 3.2):
        side = float(rng.choice([-1, 1]))
        thing = (bench, bollards, sign, stacked_crates)[rng.integers(4)](rng)
        parts.append(thing.placed(rng.uniform(0, 6), (side * (SIDE * y + 1.6 + rng.uniform(0, 2)), y, 0)))
    for x in rng.uniform(-14, 14, 3):
        cabin = m.tiles(
            pick(((214, 210, 198), (150, 170, 172), (206, 186, 150)), rng), (236, 232, 222), 0.14, 0.02, 0.05
        )
        parts.append(box((2.6, 2.2, 2.4), (x, edge + rng.uniform(3, 7), 1.2), m.wall_surface(cabin)))
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def _bare_tree(rng: np.random.Generator) -> Mesh:
    """A trunk and boughs without leaves."""
    height, coat = float(rng.uniform(4, 8)), m.bark(BARK)
    parts = [tube([(0, 0, 0), (0, 0.05, height)], float(rng.uniform(0.1, 0.2)), coat, 8)]
    for _ in range(26):
        start = rng.uniform(0.35, 0.95) * height
        reach = rng.normal(0, 1, 2) * (height - start * 0.75) * 0.4
        middle = (reach[0] * 0.5, reach[1] * 0.5, start + 0.5)
        parts.append(tube([(0, 0, start), middle, (reach[0], reach[1], start + rng.uniform(0.8, 1.8))], 0.03, coat, 5))
    return join(parts)


def _fir(rng: np.random.Generator) -> Mesh:
    """A conifer with snow on its tiers."""
    height, parts = float(rng.uniform(3, 7)), []
    for share in np.linspace(0.08, 0.85, 6):
        radius, base = 0.28 * height * (1 - share) + 0.15, share * height
        needles = m.leaf(m.vary((56, 72, 60), rng))
        parts.append(
            lathe([(radius, base), (radius * 0.45, base + 0.14 * height), (0.01, base + 0.24 * height)], needles, 11)
        )
        if rng.random() < 0.8:
            cap = [
                (radius * 0.8, base + 0.06 * height),
                (radius * 0.4, base + 0.16 * height),
                (0.01, base + 0.25 * height),
            ]
            parts.append(lathe(cap, m.paint(SNOW), 9))
    return join(parts)


def winter_park(rng: np.random.Generator) -> Place:
    """A snowy park with a path, bare trees, firs, a wooden fence."""
    far = float(rng.uniform(11, 15))
    start, angle, width = rng.normal(0, 1.0), rng.normal(0, 0.2), rng.uniform(1.2, 2.6)
    trodden, snow = m.dirt(m.vary((186, 184, 182), rng, 0.06)), m.plaster(m.vary(SNOW, rng, 0.03), 0.25)
    ground, mean = ground_plane(
        m.beside(trodden, snow, lambda x, y: np.abs(x - start - angle * (y - 8) + 0.15 * fractal(x, y, 1.0)) < width)
    )
    parts = [ground]
    for x in np.arange(-22, 22, rng.uniform(2.2, 3.6)):
        kind = _fir if rng.random() < 0.5 else _bare_tree
        parts.append(kind(rng).placed(rng.uniform(0, 6), (x + rng.normal(0, 0.8), far + rng.uniform(2, 10), 0)))
    for y in np.arange(6, far, 2.6):
        side, kind = float(rng.choice([-1, 1])), (_fir, _bare_tree, bench, _heap)[rng.integers(4)]
        parts.append(kind(rng).placed(rng.uniform(0, 6), (side * (SIDE * y + 2.2 + rng.uniform(0, 3)), y, 0)))
    if rng.random() < 0.6:
        slats = m.wood(pick(((120, 92, 66), (98, 84, 72), (150, 128, 100)), rng), 0.0)
        parts += [box((50, 0.04, 0.12), (0, far + 1.6, z), slats) for z in (0.35, 0.65, 0.95)]
        parts += [box((0.1, 0.1, 1.15), (x, far + 1.65, 0.57), slats) for x in np.arange(-24, 24, 2.0)]
    planks = m.tiles(
        m.vary(((122, 74, 62), (168, 150, 116), (104, 116, 118))[rng.integers(3)], rng), (84, 70, 60), 0.2, 0.05
    )
    house = m.windows(planks, (3.0, 3.0), (1.1, 1.3), (224, 222, 216), (84, 90, 94))
    parts.append(box((rng.uniform(10, 30), 8, 6), (rng.normal(0, 8), far + 22, 3), m.wall_surface(house)))
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def _heap(rng: np.random.Generator) -> Mesh:
    """Shovelled snow."""
    height = float(rng.uniform(0.4, 0.9))
    return lathe([(1.1, 0), (0.9, height * 0.5), (0.4, height * 0.95), (0.001, height)], m.paint(SNOW, wear=0.25), 11)


def steps(rng: np.random.Generator) -> Place:
    """Broad steps with ramps behind a granite space; glass on top."""
    far = float(rng.uniform(9, 13))
    slabs = m.tiles(m.vary((138, 136, 138), rng, 0.12), (112, 110, 112), float(rng.uniform(0.4, 0.7)), 0.06, 0.008)
    setts = m.bricks(m.vary((124, 120, 118), rng, 0.1), (92, 88, 86), 0.1, 0.1)
    ground, mean = ground_plane(slabs if rng.random() < 0.6 else setts)
    stone = m.wall_surface(m.plaster(m.vary((164, 160, 154), rng, 0.1), 0.15))
    parts, count = [ground], int(rng.integers(6, 14))
    foot, wide = far + 1.2, float(rng.uniform(10, 26))
    for k in range(count):
        rise, run = 0.15, 0.34
        parts.append(box((wide, run, rise * (k + 1)), (0, foot + k * run, rise * (k + 1) / 2), stone))
        parts.append(box((wide, 0.02, 0.03), (0, foot + k * run - run / 2, rise * (k + 1)), m.paint((88, 86, 84))))
    top, back = 0.15 * count, foot + 0.34 * count
    for side in (-1, 1):
        ramp = [(foot - 0.4, 0.0), (back, 0.0), (back, top + 0.7), (foot - 0.4, 0.7)]
        parts.append(extrude(ramp, 0.5, stone).placed(0, (side * (wide / 2 + 0.25), 0, 0)))
        parts.append(box((24, 8, top), (side * (wide / 2 + 12.5), back + 2, top / 2), stone))
    bars = m.paint(STEEL, gloss=0.2)
    parts += [tube([(x, foot - 0.2, 0.95), (x, back, top + 0.95)], 0.025, bars) for x in (-wide / 6, wide / 6)]
    parts.append(box((60, 12, top), (0, back + 6, top / 2), stone))
    frame, glass = m.vary((96, 98, 102), rng), m.vary((112, 132, 142), rng, 0.1)
    front = m.windows(m.plaster(pick(GREYS, rng)), (1.9, 3.6), (1.75, 2.6), frame, glass)
    parts.append(box((70, 1, 14), (0, back + rng.uniform(4, 10), 7), m.wall_surface(front, gloss=0.15)))
    return Place(join(parts), False, 4.0, far, 8.0, mean)


def _stall(rng: np.random.Generator) -> Mesh:
    """A table of crates below an awning, its front towards -y."""
    wide, cloth = rng.uniform(2.2, 3.2), pick(WARES, rng)
    bars, table = m.paint(STEEL), m.wall_surface(m.plaster(pick(WARES + GREYS, rng), 0.15))
    parts = [box((wide, 1.0, 0.75), (0, 0, 0.37), table)]
    parts += [stacked_crates(rng).placed(0, (x, -0.1, 0.75)) for x in np.arange(-wide / 2 + 0.4, wide / 2, 0.9)]
    parts += [
        tube([(sx * wide / 2, sy * 0.7, 0), (sx * wide / 2, sy * 0.7, 2.4)], 0.03, bars)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    share = 0.3 if rng.random() < 0.5 else 0.6  # of each 0.6 m; the rest is white
    bands = m.beside(m.plaster(cloth), m.plaster((222, 218, 206)), lambda x, y: x % 0.6 < share)
    parts.append(box((wide + 0.5, 2.0, 0.05), (0, 0, 2.45), m.floor_surface(bands)))
    parts.append(box((wide + 0.5, 0.03, 0.3), (0, -1.0, 2.32), m.wall_surface(bands)))
    return join(parts)


def market(rng: np.random.Generator) -> Place:
    """Stalls with awnings on setts, behind and beside the people."""
    far = float(rng.uniform(10, 14))
    setts = m.bricks(m.vary((128, 120, 112), rng, 0.1), (88, 82, 76), float(rng.uniform(0.1, 0.16)), 0.1)
    ground, mean = ground_plane(setts)
    parts = [ground]
    for x in np.arange(-15, 15, 3.8):
        if rng.random() < 0.85:
            parts.append(_stall(rng).placed(rng.normal(0, 0.05), (x, far + 2.2 + rng.normal(0, 0.2), 0)))
    for y in np.arange(5, far, 3.6):
        side = float(rng.choice([-1, 1]))
        where = (side * (SIDE * y + 2.4 + rng.uniform(0, 1.5)), y, 0)
        thing = (_stall, pallet, sacks, column)[rng.integers(4)](rng)
        parts.append(thing.placed(-side * np.pi / 2, where))
    walls = ((206, 184, 142), (186, 140, 112), (202, 196, 180), (164, 150, 134))
    for k, x in enumerate(np.arange(-24, 24, 8.0)):
        plain = m.plaster(pick(walls, rng), 0.12)
        house = m.windows(plain, (2.4, 3.2), (1.0, 1.6), (rng.uniform(90, 220),) * 3, (70, 76, 78))
        parts.append(box((8, 1, rng.uniform(8, 12)), (x, far + 9 + 0.3 * (k % 2), 5), m.wall_surface(house)))
    return Place(join(parts), False, 4.0, far, 8.0, mean)


PLACES: dict[str, Callable[[np.random.Generator], Place]] = {
    "garage": garage,
    "promenade": promenade,
    "platform": platform,
    "winter park": winter_park,
    "shop": shop,
    "steps": steps,
    "market": market,
}
