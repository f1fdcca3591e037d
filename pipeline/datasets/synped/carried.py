"""What people carry: backpacks, shoulder bags and things in the hand.

All of it is background in part masks. Reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.datasets.synped.body import Phenotype, group, rest
from pipeline.datasets.synped.cloth import plain_surface
from pipeline.datasets.synped.drape import COLUMNS, DIRECTIONS, radii
from pipeline.datasets.synped.elementary import norm, product
from pipeline.datasets.synped.measures import measure
from pipeline.datasets.synped.mesh import Mesh, Surface, join
from pipeline.datasets.synped.piece import Piece, box, ellipsoid, rigid, strip
from pipeline.datasets.synped.piece_kernels import nearest
from pipeline.datasets.synped.texture import Colour, Palette, draw_accent, draw_colour
from sorn.parts import BACKGROUND


@dataclass(frozen=True)
class Bag:
    """A bag that a person carries.

    kind: "backpack" | "shoulder" (strap across the chest) | "hand" | "tote". size: height in metres. side: the shoulder
    or hand that carries it, "L" or "R".
    """

    kind: str
    colour: Colour
    accent: Colour
    size: float
    side: str


def draw_bag(rng: np.random.Generator, palette: Palette, female: bool) -> Bag | None:
    """None for about half of all people."""
    chances = [0.5, 0.22, 0.12, 0.1, 0.06] if female else [0.55, 0.28, 0.1, 0.03, 0.04]
    kind = str(rng.choice(["", "backpack", "shoulder", "hand", "tote"], p=chances))
    if not kind:
        return None
    colour = (
        draw_colour(rng, palette)
        if rng.uniform() < 0.4
        else draw_colour(rng, palette, ("black", "charcoal", "navy", "brown"))
    )
    size = {"backpack": (0.36, 0.5), "shoulder": (0.18, 0.3), "hand": (0.2, 0.3), "tote": (0.32, 0.4)}[kind]
    return Bag(kind, colour, draw_accent(rng, palette, colour), float(rng.uniform(*size)), str(rng.choice(["L", "R"])))


def worn(bag: Bag, phenotype: Phenotype, ease: float) -> list[Piece]:
    """Pieces of a bag that moves with the torso.

    ease: metres of clothes between the bag and the skin.
    """
    if bag.kind == "backpack":
        return _backpack(bag, phenotype, ease)
    return _shoulder_bag(bag, phenotype, ease) if bag.kind == "shoulder" else []


def _torso(phenotype: Phenotype) -> tuple[np.ndarray, np.ndarray]:
    """-> rest positions [n, 3] and weights [n, S] of the tights without arms."""
    tape = measure(phenotype, "tights")
    rows = tape.armness < 0.6
    return tape.points[rows], group("tights").weights[rows]


def _belt(points: np.ndarray, origin: np.ndarray, first: np.ndarray, second: np.ndarray, gap: float) -> np.ndarray:
    """Closed path [COLUMNS, 3] round points [n, 3] in the plane of two unit vectors, `gap` metres off."""
    flat = np.stack([product(points - origin, first), product(points - origin, second)], axis=1)
    unit = np.stack([np.sin(DIRECTIONS), -np.cos(DIRECTIONS)], axis=1)
    radius = radii(product(flat, unit.T).max(axis=0)[None] + gap)[0]
    ring = radius[:, None] * unit
    path: np.ndarray = (origin + ring[:, :1] * first + ring[:, 1:] * second).astype(np.float32)
    return path


def _strap(path: np.ndarray, origin: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A padded band along a closed path, its edges on the body."""
    closed = np.concatenate([path, path[:1]])
    outward = (closed - origin) / np.linalg.norm(closed - origin, axis=1, keepdims=True)
    return strip(closed - 0.008 * outward, np.tile(half, (COLUMNS + 1, 1)), 0.016 * outward)


def _on_body(strap: Piece, points: np.ndarray, weights: np.ndarray) -> Piece:
    """Give each vertex the skin weights of the nearest body point."""
    return replace(strap, weights=weights[nearest(strap.vertices, points)])


def _backpack(bag: Bag, phenotype: Phenotype, ease: float) -> list[Piece]:
    body, tape = rest(phenotype), measure(phenotype, "tights")
    points, weights = _torso(phenotype)
    top = float(body.joints["joint-neck"][2]) - 0.06
    middle = top - bag.size / 2
    near = (np.abs(points[:, 2] - middle) < bag.size / 2) & (np.abs(points[:, 0]) < 0.12)
    back = float(points[near, 1].max()) + ease
    depth = 0.36 * bag.size
    look, trim = plain_surface(bag.colour, 0.14, 0.03), plain_surface(bag.accent, 0.1)
    pack = rigid(
        *box((0, back + depth / 2, middle), (0.62 * bag.size + 0.06, depth, bag.size), 0.45), BACKGROUND, look, "chest"
    )
    pocket = (0, back + depth, middle - 0.2 * bag.size)
    pieces = [pack, rigid(*box(pocket, (0.42 * bag.size, 0.06, 0.36 * bag.size), 0.4), BACKGROUND, look, "chest")]
    line = (0, back + depth + 0.004, middle + 0.12 * bag.size)
    pieces.append(rigid(*box(line, (0.4 * bag.size, 0.03, 0.014), 0.5), BACKGROUND, trim, "chest"))
    for sign in (1, -1):
        across = sign * 0.115 / tape.scale
        slab = np.abs(points[:, 0] - across) < 0.03
        origin = np.array([across, tape.centre, top - 0.16], dtype=np.float32)
        high = points[slab][points[slab][:, 2] > top - 0.27]
        path = _belt(high, origin, np.array([0, -1.0, 0]), np.array([0, 0, 1.0]), ease + 0.012)
        ribbon, faces = _strap(path, origin, np.array([0.028, 0, 0]))
        pieces.append(_on_body(rigid(ribbon, faces, BACKGROUND, look, "chest"), points, weights))
    return pieces


def _shoulder_bag(bag: Bag, phenotype: Phenotype, ease: float) -> list[Piece]:
    """A strap from one shoulder across the chest to a bag on the other hip."""
    body, tape = rest(phenotype), measure(phenotype, "tights")
    points, weights = _torso(phenotype)
    sign = 1.0 if bag.side == "L" else -1.0
    shoulder = np.array([0.09 * sign, tape.centre, body.joints["joint-neck"][2] - 0.05])
    hip = np.array([-0.17 * sign, tape.centre, tape.hip + 0.05])
    along = (shoulder - hip) / norm(shoulder - hip)
    ahead = np.array([0.0, -1.0, 0.0])
    normal = np.cross(along, ahead)
    origin = 0.5 * (shoulder + hip)
    slab = np.abs(product(points - origin, normal)) < 0.03
    path = _belt(points[slab], origin, ahead, along, ease + 0.012)
    look = plain_surface(bag.colour, 0.12, 0.05)
    ribbon, faces = _strap(path, origin, 0.02 * normal)
    strap = _on_body(rigid(ribbon, faces, BACKGROUND, look, "chest"), points, weights)
    end = path[np.argmin(product(path - origin, along))]
    centre = end + np.array([-0.04 * sign, 0.03, -0.35 * bag.size])
    sack = rigid(*box(centre, (0.1, 1.25 * bag.size, bag.size), 0.4), BACKGROUND, look, "pelvis")
    return [strap, sack]


def held(thing: str, bag: Bag | None, hand: np.ndarray) -> Mesh | None:
    """A thing in the hand at `hand` [3]: "bag", "phone", "bottle".

    None for an empty hand.
    """
    if thing == "bag" and bag is not None:
        wide = 1.3 * bag.size if bag.kind == "hand" else 0.95 * bag.size
        drop = 0.14 if bag.kind == "hand" else 0.3
        centre = hand + np.array([0, 0, -drop - bag.size / 2])
        look = plain_surface(bag.colour, 0.1, 0.06)
        parts = [_solid(*box(centre, (0.12, wide, bag.size), 0.4), look)]
        for side in (-1, 1):
            start = centre + np.array([0, side * 0.3 * wide, bag.size / 2 - 0.02])
            path = np.linspace(start, hand, 5)
            parts.append(_solid(*strip(path, np.tile([0.0, 0.008, 0.0], (5, 1))), look))
        return join(parts)
    if thing == "phone":
        return _solid(
            *box(hand + np.array([0, -0.02, 0.03]), (0.07, 0.012, 0.14), 0.2),
            plain_surface((0.02, 0.02, 0.025), gloss=0.2),
        )
    if thing == "bottle":
        return _solid(
            *ellipsoid(hand + np.array([0, -0.03, 0.02]), (0.034, 0.034, 0.12)),
            plain_surface((0.5, 0.6, 0.65), gloss=0.2),
        )
    return None


def _solid(vertices: np.ndarray, faces: np.ndarray, look: Surface) -> Mesh:
    count = len(faces)
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        part=np.full(count, BACKGROUND, dtype=np.uint8),
        surface=np.zeros(count, dtype=np.int16),
        coords=vertices.astype(np.float32),
        smooth=np.ones(count, dtype=bool),
        surfaces=(look,),
    )
