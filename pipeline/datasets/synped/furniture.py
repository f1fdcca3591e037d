"""Things people stand behind: bins, benches, tables, chairs, boards, umbrellas.

Reads and writes nothing.
"""

from __future__ import annotations

import numpy as np

from pipeline.datasets.synped.elementary import arctan2
from pipeline.datasets.synped.materials import Colour, clutter, linear, paint, tiles, vary, wall_surface, wood
from pipeline.datasets.synped.mesh import Mesh, Surface, join
from pipeline.datasets.synped.noise import white
from pipeline.datasets.synped.solids import box, lathe, solid, tube

STEEL: Colour = (152, 154, 156)
CLOTHS: tuple[Colour, ...] = (
    (40, 42, 46),
    (46, 54, 78),
    (128, 124, 118),
    (150, 52, 44),
    (196, 120, 50),
    (70, 96, 80),
    (168, 160, 140),
    (96, 60, 88),
    (205, 200, 192),
)
WOODS: tuple[Colour, ...] = ((150, 110, 72), (108, 74, 48), (186, 150, 104), (78, 56, 42), (200, 180, 150))
PLAINS: tuple[Colour, ...] = (
    (206, 206, 202),
    (168, 168, 164),
    (120, 122, 122),
    (84, 92, 96),
    (190, 182, 166),
    (60, 62, 64),
)


def pick(colours: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    return vary(colours[rng.integers(len(colours))], rng)


def litter_bin(rng: np.random.Generator) -> Mesh:
    """A round or square bin of 0.8-1.2 m.

    It has a lid, a band or a sign.
    """
    height, radius = rng.uniform(0.8, 1.2), rng.uniform(0.24, 0.42)
    colour = vary(
        ((60, 100, 80), (70, 74, 78), (44, 60, 90), (130, 132, 130), (90, 70, 54), (50, 52, 52))[rng.integers(6)], rng
    )
    surface = wall_surface(clutter([(214, 214, 208)], (0.3, 0.42), colour, 0.25), gloss=0.06)
    if rng.random() < 0.5:
        body = lathe([(radius * 0.9, 0), (radius, height * 0.85), (radius, height)], surface, 18)
        lid = lathe(
            [(radius * 1.04, height), (radius * 0.8, height + 0.12), (0.001, height + 0.16)],
            paint(pick(PLAINS, rng)),
            18,
        )
        return join([body, lid])
    body = box((radius * 1.9, radius * 1.6, height), (0, 0, height / 2), surface)
    return join([body, box((radius * 2.05, radius * 1.75, 0.08), (0, 0, height + 0.03), paint(pick(PLAINS, rng)))])


def bench(rng: np.random.Generator) -> Mesh:
    """A park bench with a back, seen from its back or front."""
    slat, iron = wood(pick(WOODS, rng)), paint((48, 50, 52))
    parts = [box((1.7, 0.09, 0.035), (0, y, 0.46), slat) for y in (-0.16, -0.04, 0.08, 0.2)]
    parts += [box((1.7, 0.03, 0.1), (0, 0.27, z), slat) for z in (0.58, 0.72, 0.86)]
    for x in (-0.7, 0.7):
        parts += [
            tube([(x, 0.24, 0), (x, 0.27, 0.92)], 0.025, iron),
            tube([(x, -0.2, 0), (x, -0.2, 0.46), (x, 0.25, 0.46)], 0.025, iron),
        ]
    return join(parts)


def table(rng: np.random.Generator) -> Mesh:
    """A table with things on it: a screen, boxes, books."""
    top = wood(pick(WOODS, rng), gloss=0.1) if rng.random() < 0.6 else paint(pick(PLAINS, rng), gloss=0.1)
    width, height = rng.uniform(1.2, 1.8), rng.uniform(0.72, 0.8)
    parts = [box((width, 0.7, 0.04), (0, 0, height), top)]
    parts += [
        box((0.05, 0.05, height), (sx * (width / 2 - 0.06), sy * 0.3, height / 2), paint(STEEL))
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    if rng.random() < 0.7:
        parts.append(box((width * 0.96, 0.02, height * rng.uniform(0.4, 0.9)), (0, -0.3, height * 0.55), top))
    for _ in range(int(rng.integers(1, 4))):
        size = (rng.uniform(0.15, 0.55), rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.42))
        parts.append(
            box(
                size,
                (rng.uniform(-0.5, 0.5) * width * 0.8, rng.uniform(-0.2, 0.2), height + size[2] / 2),
                paint(pick(PLAINS + CLOTHS, rng)),
            )
        )
    return join(parts)


def counter(rng: np.random.Generator) -> Mesh:
    front = (
        wood(pick(WOODS, rng)) if rng.random() < 0.5 else wall_surface(tiles(pick(PLAINS, rng), (120, 120, 118), 0.5))
    )
    height = rng.uniform(0.95, 1.2)
    return join(
        [
            box((2.4, 0.6, height), (0, 0, height / 2), front),
            box((2.5, 0.75, 0.05), (0, -0.03, height), paint(pick(PLAINS, rng), gloss=0.2)),
        ]
    )


def cabinet(rng: np.random.Generator) -> Mesh:
    size = (rng.uniform(0.6, 1.0), 0.45, rng.uniform(0.9, 1.5))
    steel = paint(pick(PLAINS, rng), gloss=0.08)
    parts = [box(size, (0, 0, size[2] / 2), steel)]
    parts += [
        box((size[0] * 0.94, 0.02, 0.012), (0, -0.23, z), paint((50, 50, 52))) for z in np.arange(0.3, size[2], 0.36)
    ]
    return join(parts)


def chair(rng: np.random.Generator) -> Mesh:
    """A chair, its back towards -y: the back hides knees and hips."""
    seat = wood(pick(WOODS, rng)) if rng.random() < 0.6 else paint(pick(CLOTHS, rng))
    frame = paint(STEEL, gloss=0.15)
    height = rng.uniform(0.85, 1.1)
    low = rng.uniform(0.45, 0.6)
    parts = [
        box((0.46, 0.44, 0.04), (0, 0.02, 0.45), seat),
        box((0.44, 0.03, height - low), (0, -0.22, (height + low) / 2), seat),
    ]
    for x in (-0.21, 0.21):
        parts += [
            tube([(x, -0.26, 0), (x, -0.2, 0.45), (x, -0.22, height)], 0.015, frame),
            tube([(x, 0.24, 0), (x, 0.2, 0.45)], 0.015, frame),
        ]
    return join(parts)


def suitcase(rng: np.random.Generator) -> Mesh:
    size = (rng.uniform(0.38, 0.52), 0.26, rng.uniform(0.52, 0.75))
    shell = paint(pick(CLOTHS, rng), gloss=0.12)
    parts = [box(size, (0, 0, size[2] / 2 + 0.06), shell)]
    parts += [
        box((0.012, size[1] + 0.01, size[2]), (x * size[0], 0, size[2] / 2 + 0.06), paint((44, 44, 46)))
        for x in (-0.3, 0, 0.3)
    ]
    top = size[2] + 0.06
    parts.append(
        tube(
            [(-0.12, 0.08, top), (-0.12, 0.08, top + 0.36), (0.12, 0.08, top + 0.36), (0.12, 0.08, top)],
            0.012,
            paint(STEEL),
        )
    )
    return join(parts)


def crates(rng: np.random.Generator) -> Mesh:
    """Cardboard boxes or crates, piled up."""
    top, parts = 0.0, []
    for _ in range(int(rng.integers(1, 4))):
        size = (rng.uniform(0.45, 0.9), rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.6))
        colour = vary((172, 136, 100), rng) if rng.random() < 0.7 else pick(PLAINS, rng)
        stack = join(
            [
                box(size, (0, 0, size[2] / 2), paint(colour, wear=0.06)),
                box((0.06, size[1] + 0.006, size[2] + 0.004), (0, 0, size[2] / 2), paint(vary((190, 164, 126), rng))),
                box((0.16, size[1] + 0.008, 0.1), (size[0] * 0.25, 0, size[2] * 0.6), paint((210, 206, 198))),
            ]
        )
        parts.append(stack.placed(rng.normal(0, 0.15), (rng.normal(0, 0.05), 0, top)))
        top += size[2]
    return join(parts)


def board(rng: np.random.Generator) -> Mesh:
    """A board, blank, wooden or printed; its middle at the origin.

    It is placed as if it were carried or hung in front.
    """
    size = (rng.uniform(0.6, 1.1), 0.02, rng.uniform(0.5, 0.9))
    pick_kind = rng.random()
    if pick_kind < 0.35:
        surface: Surface = wood(pick(WOODS, rng), gloss=0.1)
    elif pick_kind < 0.6:
        surface = paint(pick(PLAINS, rng), wear=0.03)
    else:
        surface = wall_surface(clutter([pick(CLOTHS, rng) for _ in range(3)], (0.11, 0.07), pick(PLAINS, rng), 0.55))
    return box(size, (0, 0, 0), surface)


def parcel(rng: np.random.Generator) -> Mesh:
    """A carton, folder or open book; its middle at the origin.

    It is placed as if it were held before the face or chest.
    """
    size = (rng.uniform(0.25, 0.55), rng.uniform(0.02, 0.3), rng.uniform(0.2, 0.5))
    colour = pick(WOODS if rng.random() < 0.5 else CLOTHS, rng)
    label = wall_surface(clutter([pick(PLAINS, rng), pick(CLOTHS, rng)], (0.13, 0.09), colour, 0.3))
    return box(size, (0, 0, 0), label if rng.random() < 0.6 else paint(colour, wear=0.05))


def umbrella(rng: np.random.Generator) -> Mesh:
    """An open umbrella, its cloth facing -y, its middle at the origin.

    It is held against rain, sun or the camera.
    """
    radius, deep, ribs = rng.uniform(0.46, 0.6), rng.uniform(0.16, 0.26), 8
    colour, second = linear(pick(CLOTHS, rng)), linear(pick(CLOTHS, rng))
    two = rng.random() < 0.25
    seam = 0.8 if rng.random() < 0.7 else 1.0

    def albedo(p: np.ndarray) -> np.ndarray:
        angle = arctan2(p[:, 2], p[:, 0]) * ribs / (2 * np.pi)
        near_rib = np.abs(angle - np.round(angle)) < 0.04
        base = np.where(((np.floor(angle) % 2 == 0) & two)[:, None], second, colour)
        return (
            base * np.where(near_rib, seam, 1 + 0.1 * (white(np.floor(angle), np.floor(angle)) - 0.5))[:, None]
        ).astype(np.float32)

    rings, segments = 6, 32
    vertices = []
    for k in range(rings):
        r = k / (rings - 1)
        for a in np.linspace(0, 2 * np.pi, segments, endpoint=False):
            sag = 1 - 0.07 * r * (1 - np.abs(np.cos(a * ribs / 2)))  # cloth between two ribs is shorter
            vertices.append(
                (radius * max(r, 0.01) * sag * np.cos(a), -deep * (1 - r * r), radius * max(r, 0.01) * sag * np.sin(a))
            )
    faces = [
        (k * segments + s, k * segments + (s + 1) % segments, (k + 1) * segments + s)
        for k in range(rings - 1)
        for s in range(segments)
    ]
    faces += [
        (k * segments + (s + 1) % segments, (k + 1) * segments + (s + 1) % segments, (k + 1) * segments + s)
        for k in range(rings - 1)
        for s in range(segments)
    ]
    cloth = solid(np.array(vertices), np.array(faces), Surface(albedo, bump=0.1, bump_scale=0.15, gloss=0.05))
    return join([cloth, tube([(0, -deep - 0.03, 0), (0, 0.5, 0)], 0.01, paint(STEEL))])
