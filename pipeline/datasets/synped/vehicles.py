"""Cars, vans, bicycles, scooters, prams and carts as meshes, pointing along y.

Reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.datasets.synped.elementary import product
from pipeline.datasets.synped.materials import Colour, paint, vary
from pipeline.datasets.synped.mesh import Mesh, Surface, join
from pipeline.datasets.synped.solids import box, extrude, hoop, lathe, panel, tube

CAR_COLOURS: tuple[Colour, ...] = (
    (222, 222, 220),
    (186, 188, 190),
    (128, 130, 134),
    (64, 66, 70),
    (28, 28, 32),
    (40, 54, 88),
    (120, 34, 34),
    (150, 140, 120),
)
BIKE_COLOURS: tuple[Colour, ...] = (
    (40, 40, 42),
    (190, 190, 188),
    (60, 84, 120),
    (150, 50, 44),
    (60, 96, 70),
    (210, 206, 190),
)
RUBBER: Colour = (30, 30, 30)
STEEL: Colour = (150, 152, 154)
GLASS: Colour = (38, 44, 48)


def _wheel(x: float, y: float, radius: float, width: float) -> Mesh:
    tyre = lathe([(radius, -width / 2), (radius, width / 2), (0.001, width / 2)], paint(RUBBER), 16, smooth=False)
    rim = lathe(
        [(radius * 0.62, width / 2 + 0.005), (0.001, width / 2 + 0.005)], paint(STEEL, gloss=0.2), 16, smooth=False
    )
    wheel = join([tyre, rim])
    flip = 1.0 if x > 0 else -1.0
    upright = np.array([[0, 0, flip], [0, 1, 0], [-flip, 0, 0]], dtype=np.float32)  # axle along x, hub outside
    turned = replace(wheel, vertices=product(wheel.vertices, upright.T))
    return turned.placed(0.0, (x, y, radius))


def car(rng: np.random.Generator) -> Mesh:
    """A saloon, hatchback or SUV, front at +y.

    It is 3.8-4.7 m long and 1.4-1.75 m high.
    """
    length, width, height = rng.uniform(3.8, 4.7), rng.uniform(1.68, 1.85), rng.uniform(1.4, 1.75)
    half, belt, floor = length / 2, height * rng.uniform(0.54, 0.6), 0.2
    hatch = rng.random() < 0.5
    body = [
        (-half, floor + 0.1),
        (-half + 0.1, floor),
        (half - 0.1, floor),
        (half, floor + 0.15),
        (half, belt * 0.72),
        (half - 0.12, belt * 0.84),
        (half * 0.45, belt),
        (-half * (0.97 if hatch else 0.6), belt),
        (-half, belt * 0.92),
    ]
    back = -half * (0.93 if hatch else 0.62)
    cabin = [(back, belt), (half * 0.48, belt), (half * 0.14, height), (back + (0.18 if hatch else 0.45), height)]
    colour = vary(CAR_COLOURS[rng.integers(len(CAR_COLOURS))], rng)
    coat = paint(colour, gloss=0.22, wear=0.02)
    dark = paint(GLASS, gloss=0.45, wear=0.0)
    parts = [extrude(body, width, coat, taper=0.96), extrude(cabin, width * 0.95, dark, taper=0.8)]
    parts.append(box((width * 0.72, length * 0.3, 0.04), (0, back / 2 + 0.1, height), coat))
    for y in (half * 0.13, -half * 0.2):
        parts.append(box((width * 0.9, 0.07, height - belt), (0, y, (height + belt) / 2), coat))
    parts += [
        box((width * 0.2, 0.05, 0.12), (s * width * 0.36, half - 0.04, belt * 0.72), paint((225, 225, 220), 0.3))
        for s in (-1, 1)
    ]
    parts += [
        box((width * 0.18, 0.05, 0.14), (s * width * 0.38, -half + 0.03, belt * 0.8), paint((120, 24, 22), 0.3))
        for s in (-1, 1)
    ]
    parts += [box((0.46, 0.03, 0.13), (0, s * half, floor + 0.3), paint((200, 202, 206))) for s in (-1, 1)]
    parts += [_wheel(sx * width * 0.47, sy * half * 0.62, 0.32, 0.2) for sx in (-1, 1) for sy in (-1, 1)]
    return join(parts)


def van(rng: np.random.Generator) -> Mesh:
    """A delivery van, 2-2.3 m high: hides everything but a head."""
    length, width, height = rng.uniform(4.6, 5.4), rng.uniform(1.85, 2.0), rng.uniform(1.95, 2.3)
    half, floor = length / 2, 0.25
    outline = [
        (-half, floor),
        (half, floor),
        (half, 0.95),
        (half - 0.15, 1.1),
        (half - 0.85, height * 0.93),
        (half - 1.1, height),
        (-half, height),
    ]
    coat = paint(vary(((224, 224, 222), (196, 198, 198), (90, 100, 110))[rng.integers(3)], rng), gloss=0.12)
    dark = paint(GLASS, gloss=0.4)
    parts = [extrude(outline, width, coat, taper=0.95)]
    parts += [box((0.03, 0.75, 0.5), (s * width * 0.49, half - 1.35, 1.45), dark) for s in (-1, 1)]
    parts.append(
        panel(
            [(-0.8, half - 0.2, 1.2), (0.8, half - 0.2, 1.2), (0.75, half - 0.78, 1.85), (-0.75, half - 0.78, 1.85)],
            dark,
        )
    )
    parts += [_wheel(sx * width * 0.47, sy * half * 0.62, 0.34, 0.2) for sx in (-1, 1) for sy in (-1, 1)]
    return join(parts)


def bicycle(rng: np.random.Generator) -> Mesh:
    """A city bicycle, with or without a basket; wheels at y = +-0.52."""
    radius = rng.uniform(0.3, 0.34)
    frame = paint(vary(BIKE_COLOURS[rng.integers(len(BIKE_COLOURS))], rng), gloss=0.15)
    steel, rubber = paint(STEEL, gloss=0.2), paint(RUBBER)
    back, front, crank = (0.0, -0.52, radius), (0.0, 0.52, radius), (0.0, -0.08, 0.3)
    seat, head = (0.0, -0.2, 0.82), (0.0, 0.36, 0.86)
    lines = [
        (back, crank),
        (back, (0, -0.17, 0.7)),
        (crank, seat),
        (crank, (0, 0.38, 0.72)),
        ((0, -0.17, 0.72), (0, 0.37, 0.8)),
        (front, head),
    ]
    parts = [tube([a, b], 0.022, frame) for a, b in lines]
    parts += [
        tube([(-0.3, 0.22, 1.02), (-0.1, 0.36, 1.0), (0.1, 0.36, 1.0), (0.3, 0.22, 1.02)], 0.014, steel),
        tube([head, (0, 0.34, 1.0)], 0.015, steel),
    ]
    parts.append(box((0.16, 0.27, 0.06), (0, -0.21, 0.86), rubber))
    arc = np.linspace(0.4, 2.6, 7)
    for centre in (back, front):
        parts.append(hoop(radius, 0.02, rubber).placed(0, centre))
        for angle in np.linspace(0, np.pi, 6, endpoint=False):
            reach = np.array([0, np.cos(angle), np.sin(angle)]) * radius
            parts.append(tube([np.array(centre) - reach, np.array(centre) + reach], 0.004, steel, 3))
        guard = [(0, centre[1] + (radius + 0.04) * np.cos(a), radius + (radius + 0.04) * np.sin(a)) for a in arc]
        parts.append(tube(guard, 0.025, frame))
    if rng.random() < 0.55:
        parts.append(_basket((0, 0.56, 0.86), (0.34, 0.28, 0.22), paint(vary((70, 70, 72), rng))))
    if rng.random() < 0.5:
        parts.append(box((0.12, 0.36, 0.03), (0, -0.5, 0.72), steel))
    return join(parts)


def _basket(centre: tuple[float, float, float], size: tuple[float, float, float], surface: Surface) -> Mesh:
    x, y, z = centre
    a, b, c = (s / 2 for s in size)
    rings = [
        [(x - a, y - b, h), (x + a, y - b, h), (x + a, y + b, h), (x - a, y + b, h), (x - a, y - b, h)]
        for h in np.linspace(z - c, z + c, 5)
    ]
    bars = [[(x + u, y + v, z - c), (x + u, y + v, z + c)] for u in np.linspace(-a, a, 5) for v in (-b, b)]
    return join([tube(path, 0.006, surface, 4) for path in rings + bars])


def scooter(rng: np.random.Generator) -> Mesh:
    """A motor scooter, about 1.8 m long and 1.1 m high."""
    coat = paint(vary(CAR_COLOURS[rng.integers(len(CAR_COLOURS))], rng), gloss=0.2)
    dark, steel = paint((36, 36, 38), gloss=0.1), paint(STEEL, gloss=0.25)
    tail = [(-0.75, 0.55), (-0.55, 0.36), (-0.1, 0.34), (-0.02, 0.5), (-0.1, 0.74), (-0.8, 0.8)]
    parts = [
        extrude(tail, 0.34, coat),
        box((0.3, 0.72, 0.1), (0, -0.42, 0.82), dark),
        box((0.3, 0.5, 0.12), (0, 0.12, 0.3), coat),
    ]
    parts.append(
        extrude([(0.28, 0.3), (0.4, 0.28), (0.5, 0.75), (0.52, 1.0), (0.42, 1.02), (0.36, 0.7)], 0.4, coat, taper=0.7)
    )
    parts += [
        tube([(0, 0.62, 0.28), (0, 0.46, 0.95)], 0.04, steel),
        tube([(-0.34, 0.3, 1.06), (0, 0.45, 1.05), (0.34, 0.3, 1.06)], 0.018, dark),
    ]
    parts += [
        lathe([(0.001, -0.06), (0.08, -0.02), (0.08, 0.03)], paint((220, 220, 216), 0.3), 10).placed(0, (0, 0.56, 0.9))
    ]
    parts += [_wheel(0.06, y, 0.24, 0.12) for y in (-0.62, 0.66)]
    parts += [tube([(s * 0.3, 0.34, 1.06), (s * 0.36, 0.36, 1.22)], 0.008, steel) for s in (-1, 1)]
    if rng.random() < 0.4:
        parts.append(box((0.38, 0.36, 0.3), (0, -0.85, 1.0), dark))
    return join(parts)


def pram(rng: np.random.Generator) -> Mesh:
    cloth = paint(vary(((60, 64, 76), (120, 112, 100), (88, 44, 48), (40, 40, 42))[rng.integers(4)], rng), wear=0.1)
    steel = paint(STEEL, gloss=0.2)
    parts = [extrude([(-0.35, 0.5), (0.35, 0.5), (0.42, 0.8), (-0.42, 0.85)], 0.42, cloth)]
    hood = [(0.42 * np.cos(a), 0.82 + 0.42 * np.sin(a)) for a in np.linspace(np.pi * 0.4, np.pi, 7)]
    parts.append(extrude([(0.02, 0.82), *hood], 0.42, cloth))
    parts += [
        tube([(s * 0.24, -0.4, 0.12), (s * 0.24, 0.5, 0.95), (s * 0.24, 0.72, 1.05)], 0.014, steel) for s in (-1, 1)
    ]
    parts += [tube([(s * 0.24, 0.4, 0.12), (s * 0.24, -0.3, 0.6)], 0.014, steel) for s in (-1, 1)]
    parts.append(tube([(-0.24, 0.72, 1.05), (0.24, 0.72, 1.05)], 0.018, paint(RUBBER)))
    parts += [_wheel(s * 0.27, y, 0.13, 0.05) for s in (-1, 1) for y in (-0.4, 0.4)]
    return join(parts)


def cart(rng: np.random.Generator) -> Mesh:
    """A platform trolley loaded with boxes."""
    steel = paint(STEEL, gloss=0.1)
    cardboard: Colour = (168, 134, 98)
    parts = [box((0.6, 0.95, 0.05), (0, 0, 0.2), paint((70, 76, 84)))]
    parts.append(tube([(-0.27, -0.46, 0.2), (-0.27, -0.5, 0.98), (0.27, -0.5, 0.98), (0.27, -0.46, 0.2)], 0.016, steel))
    top = 0.23
    for _ in range(int(rng.integers(1, 4))):
        size = (rng.uniform(0.4, 0.58), rng.uniform(0.5, 0.85), rng.uniform(0.22, 0.42))
        parts.append(box(size, (rng.normal(0, 0.03), 0.03, top + size[2] / 2), paint(vary(cardboard, rng), wear=0.05)))
        top += size[2]
    parts += [_wheel(s * 0.24, y, 0.08, 0.04) for s in (-1, 1) for y in (-0.38, 0.38)]
    return join(parts)
