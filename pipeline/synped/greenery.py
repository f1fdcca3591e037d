"""Plants: hedges, bushes, trees, branches, potted plants, as clouds of leaves around a dark core. Reads and writes nothing."""

from __future__ import annotations

import numpy as np

from pipeline.synped.materials import Colour, bark, leaf, paint, vary
from pipeline.synped.mesh import Mesh, join
from pipeline.synped.solids import box, lathe, leaves, tube

# sRGB of foliage as seen on campus photographs: rather dark, more yellow than a paint box green.
GREENS: tuple[Colour, ...] = ((84, 104, 46), (66, 92, 44), (104, 122, 58), (58, 82, 50), (112, 118, 70), (74, 88, 60))
BARK: Colour = (96, 84, 70)


def green(rng: np.random.Generator) -> Colour:
    return vary(GREENS[rng.integers(len(GREENS))], rng, 0.15)


def _dark(colour: Colour) -> Colour:
    return (colour[0] * 0.45, colour[1] * 0.45, colour[2] * 0.45)


def hedge(
    rng: np.random.Generator, length: float, height: float, depth: float, leaf_size: float = 0.06, count: int = 2600
) -> Mesh:
    """A clipped hedge along x, standing on the ground; `count` leaves on its top and sides."""
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
    return areas / areas.sum()


def crown(
    rng: np.random.Generator,
    radii: tuple[float, float, float],
    centre: tuple[float, float, float],
    colour: Colour,
    leaf_size: float,
    count: int,
    lumps: int = 7,
) -> Mesh:
    """A lumpy cloud of leaves: the crown of a tree, a bush, a branch."""
    bumps = rng.standard_normal((lumps, 3))
    bumps /= np.linalg.norm(bumps, axis=1, keepdims=True)
    bumps = bumps * 0.55
    which = rng.integers(lumps, size=count)
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = bumps[which] + direction * rng.uniform(0.35, 0.6, (count, 1))
    points = points * np.asarray(radii) + np.asarray(centre)
    foliage = leaves(points, leaf_size, leaf(colour, 0.35), rng)
    profile = [(max(np.sin(a), 0.02) * 0.55, -np.cos(a) * 0.55) for a in np.linspace(0, np.pi, 6)]
    core = lathe(profile, paint(_dark(colour), wear=0.4), 8)
    vertices = (core.vertices * np.asarray(radii) + np.asarray(centre)).astype(np.float32)
    return join([foliage, _with_vertices(core, vertices)])


def _with_vertices(mesh: Mesh, vertices: np.ndarray) -> Mesh:
    return Mesh(vertices, mesh.faces, mesh.part, mesh.surface, vertices, mesh.smooth, mesh.surfaces)


def bush(rng: np.random.Generator, width: float, height: float, leaf_size: float = 0.07, count: int = 1800) -> Mesh:
    return crown(rng, (width * 0.5, width * 0.45, height * 0.5), (0, 0, height * 0.48), green(rng), leaf_size, count)


def trunk(rng: np.random.Generator, radius: float, height: float) -> Mesh:
    lean = rng.normal(0, 0.03, 2) * height
    steps = np.linspace(0, 1, 6)
    path = [(lean[0] * s * s, lean[1] * s * s, height * s) for s in steps]
    return tube(path, radius, bark(vary(BARK, rng, 0.2)), segments=10)


def tree(rng: np.random.Generator, height: float, leaf_size: float = 0.16, count: int = 2600) -> Mesh:
    """A tree with its trunk at the origin."""
    spread = height * rng.uniform(0.25, 0.4)
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
    """Hanging twigs and leaves around the origin, without a trunk: what hides a head or a chest from in front."""
    count = int(700 * width * width + 250)
    parts = [crown(rng, (width * 0.5, width * 0.4, width * 0.35), (0, 0, 0), green(rng), 0.09, count, 6)]
    for _ in range(5):
        end = rng.normal(0, 0.35, 3) * width
        parts.append(tube([(0, 0, width * 0.3), end * 0.5, end], 0.012, bark(BARK), 5))
    return join(parts)


def potted_plant(rng: np.random.Generator, height: float) -> Mesh:
    pot_height = height * rng.uniform(0.3, 0.45)
    radius = rng.uniform(0.2, 0.3)
    colour = vary(((150, 92, 66), (190, 186, 178), (92, 92, 94))[rng.integers(3)], rng)
    pot = lathe([(radius * 0.75, 0), (radius, pot_height), (radius * 0.9, pot_height)], paint(colour), 14)
    rest = height - pot_height
    plant = crown(rng, (rest * 0.55, rest * 0.55, rest * 0.6), (0, 0, pot_height + rest * 0.5), green(rng), 0.13, 500)
    return join([pot, plant])
