"""Plants as clouds of leaves around a dark core.

Hedges, bushes, trees, branches. Reads and writes nothing.
"""

from __future__ import annotations

import numpy as np

from pipeline.datasets.synped.elementary import power
from pipeline.datasets.synped.materials import Colour, bark, leaf, paint, vary
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.solids import box, lathe, leaves, solid, tube

# sRGB of foliage as seen on campus photographs: rather dark, more yellow than a paint box green.
GREENS: tuple[Colour, ...] = ((92, 114, 50), (74, 102, 48), (114, 132, 62), (66, 92, 56), (122, 126, 76), (84, 98, 66))
BARK: Colour = (96, 84, 70)


def green(rng: np.random.Generator) -> Colour:
    return vary(GREENS[rng.integers(len(GREENS))], rng, 0.15)


def _dark(colour: Colour) -> Colour:
    return (colour[0] * 0.76, colour[1] * 0.78, colour[2] * 0.7)


def hedge(
    rng: np.random.Generator, length: float, height: float, depth: float, leaf_size: float = 0.06, count: int = 2600
) -> Mesh:
    """A clipped hedge along x, standing on the ground.

    `count` leaves are on its top and sides.
    """
    colour = green(rng)
    points = rng.uniform(-0.5, 0.5, (count, 3))
    face = rng.choice(4, count, p=_hedge_shares(length, height, depth))
    points[face == 0, 2] = 0.5
    points[face == 1, 1] = -0.5
    points[face == 2, 1] = 0.5
    points[face == 3, 0] = np.sign(points[face == 3, 0]) * 0.5
    points = points * [length, depth, height] + [0, 0, height / 2]
    swell = 0.05 * np.sin(points[:, :1] * 5.1 + rng.uniform(0, 6)) + 0.04 * np.sin(
        points[:, :1] * 11 + rng.uniform(0, 6)
    )
    points += rng.normal(0, 0.035, (count, 3)) + swell * [0, 0.4, 1] * (points[:, 2:] / height)
    core = box((length * 0.97, depth * 0.86, height * 0.95), (0, 0, height * 0.475), paint(_dark(colour), wear=0.3))
    return join([core, leaves(points, leaf_size, leaf(colour), rng)])


def _hedge_shares(length: float, height: float, depth: float) -> np.ndarray:
    areas = np.array([length * depth, length * height, length * height * 0.3, 2 * depth * height])
    shares: np.ndarray = areas / areas.sum()
    return shares


def clumps(
    rng: np.random.Generator, centres: np.ndarray, radii: np.ndarray, colour: Colour, leaf_size: float, count: int
) -> Mesh:
    """`count` leaves around dark balls.

    The balls have centres [k, 3] and half axes radii [k, 3]; larger balls have more leaves.
    """
    share = power(radii.prod(axis=1), 2 / 3)
    which = rng.choice(len(centres), count, p=share / share.sum())
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = centres[which] + radii[which] * direction * rng.uniform(0.75, 1.08, (count, 1))
    ball = lathe([(max(np.sin(a), 0.02), -np.cos(a)) for a in np.linspace(0, np.pi, 5)], leaf(_dark(colour)), 7)
    vertices = (0.72 * radii[:, None] * ball.vertices + centres[:, None]).reshape(-1, 3)
    faces = (ball.faces + len(ball.vertices) * np.arange(len(centres))[:, None, None]).reshape(-1, 3)
    core = solid(vertices, faces, leaf(_dark(colour), 0.5), coords=rng.random(vertices.shape))
    return join([leaves(points, leaf_size, leaf(colour, 0.35), rng), core])


def crown(
    rng: np.random.Generator,
    radii: tuple[float, float, float],
    centre: tuple[float, float, float],
    colour: Colour,
    leaf_size: float,
    count: int,
    lumps: int = 8,
) -> Mesh:
    """An irregular cloud of leaves: a tree crown, a bush, a branch."""
    bumps = rng.standard_normal((lumps, 3))
    bumps *= rng.uniform(0.35, 0.62, (lumps, 1)) / np.linalg.norm(bumps, axis=1, keepdims=True)
    sizes = rng.uniform(0.36, 0.58, (lumps, 1))
    return clumps(rng, bumps * radii + centre, sizes * radii, colour, leaf_size, count)


def thicket(rng: np.random.Generator, width: float, height: float, leaf_size: float, count: int) -> Mesh:
    """Shrubs and young trees grown together, along x.

    They close most campus pictures.
    """
    number = int(2.2 * width * height / 3)
    centres = rng.uniform([-width / 2, -0.8, 0.2], [width / 2, 1.2, height], (number, 3))
    centres[:, 2] *= rng.uniform(0.5, 1.0, number)
    sizes = rng.uniform(0.5, 1.1, (number, 1)) * [1.2, 1.0, 0.9]
    half = number // 2
    first = clumps(rng, centres[:half], sizes[:half], green(rng), leaf_size, count // 2)
    return join([first, clumps(rng, centres[half:], sizes[half:], green(rng), leaf_size, count // 2)])


def bush(rng: np.random.Generator, width: float, height: float, leaf_size: float = 0.07, count: int = 1800) -> Mesh:
    return crown(rng, (width * 0.5, width * 0.45, height * 0.5), (0, 0, height * 0.42), green(rng), leaf_size, count)


def trunk(rng: np.random.Generator, radius: float, height: float) -> Mesh:
    lean = rng.normal(0, 0.03, 2) * height
    steps = np.linspace(0, 1, 6)
    path = [(lean[0] * s * s, lean[1] * s * s, height * s) for s in steps]
    return tube(path, radius, bark(vary(BARK, rng, 0.2)), segments=10)


def tree(rng: np.random.Generator, height: float, leaf_size: float = 0.2, count: int = 2600) -> Mesh:
    """A tree with its trunk at the origin."""
    spread = height * rng.uniform(0.3, 0.48)
    stem = rng.uniform(0.25, 0.42) * height
    top = crown(
        rng,
        (spread, spread, (height - stem) * 0.62),
        (0, 0, stem + (height - stem) * 0.45),
        green(rng),
        leaf_size,
        count,
        11,
    )
    return join([trunk(rng, height * rng.uniform(0.016, 0.03), height * 0.7), top])


def branch(rng: np.random.Generator, width: float) -> Mesh:
    """Hanging twigs and leaves around the origin, without a trunk.

    They hide a head or a chest from in front.
    """
    count = int(700 * width * width + 250)
    parts = [crown(rng, (width * 0.5, width * 0.4, width * 0.35), (0, 0, 0), green(rng), 0.09, count, 6)]
    for _ in range(5):
        end = rng.normal(0, 0.35, 3) * width
        parts.append(tube([(0, 0, width * 0.3), tuple(end * 0.5), tuple(end)], 0.012, bark(BARK), 5))
    return join(parts)


def foliage(rng: np.random.Generator, width: float, height: float) -> Mesh:
    """A loose screen of leaves around the origin.

    It is a climber or a young tree in front of a person.
    """
    lumps = int(rng.integers(5, 10))
    centres = rng.uniform([-0.5, -0.15, -0.5], [0.5, 0.15, 0.5], (lumps, 3)) * [width, width, height]
    sizes = rng.uniform(0.12, 0.3, (lumps, 1)) * [width, 0.6 * width, width]
    return clumps(rng, centres, sizes, green(rng), rng.uniform(0.05, 0.12), int(900 * width * height + 400))


def potted_plant(rng: np.random.Generator, height: float) -> Mesh:
    pot_height = height * rng.uniform(0.3, 0.45)
    radius = rng.uniform(0.2, 0.3)
    colour = vary(((150, 92, 66), (190, 186, 178), (92, 92, 94))[rng.integers(3)], rng)
    pot = lathe([(radius * 0.75, 0), (radius, pot_height), (radius * 0.9, pot_height)], paint(colour), 14)
    rest = height - pot_height
    plant = crown(rng, (rest * 0.55, rest * 0.55, rest * 0.6), (0, 0, pot_height + rest * 0.5), green(rng), 0.13, 500)
    return join([pot, plant])


def far_hedge(rng: np.random.Generator) -> Mesh:
    return hedge(rng, rng.uniform(2, 5), rng.uniform(0.7, 1.6), 0.8, 0.12, 1500)


def far_bush(rng: np.random.Generator) -> Mesh:
    return bush(rng, rng.uniform(0.9, 2.2), rng.uniform(0.9, 1.8), 0.13, 900)


def tall_plant(rng: np.random.Generator) -> Mesh:
    return potted_plant(rng, rng.uniform(1.0, 1.7))
