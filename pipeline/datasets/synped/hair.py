"""Hair and hats as geometry on the head, and the painted face.

Reads and writes nothing. Head coordinates: origin between the eyes' height and the neck's axis, metres on a head of
average size, z up, -y ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.datasets.synped.body import SEGMENT, SEGMENTS, Phenotype, Rest, group, rest, template
from pipeline.datasets.synped.cloth import plain_surface
from pipeline.datasets.synped.drape import COLUMNS, DIRECTIONS, outlines, radii
from pipeline.datasets.synped.elementary import arctan2, power
from pipeline.datasets.synped.mesh import Surface
from pipeline.datasets.synped.piece import Piece, clip, ellipsoid, grid_faces, rigid
from pipeline.datasets.synped.texture import Colour, Palette, draw_colour, from_oklch, waves
from sorn.parts import HEAD

_CROWN = 0.113  # metres from the eyes to the top of an average head
# Angle from the front in radians -> height of the hairline in head coordinates: forehead, temple, sideburn, over the
# ear, nape.
_LINE = (
    (0.0, 0.5, 0.85, 1.1, 1.35, 1.6, 1.8, 2.1, 3.15),
    (0.066, 0.062, 0.05, 0.03, -0.02, 0.012, 0.01, -0.05, -0.085),
)


@dataclass(frozen=True)
class Hair:
    """A hair style.

    kind: "bald" | "buzz" | "short" | "bob" | "long" | "ponytail" | "bun". volume: thickness in metres. fringe: how far
    it comes down the forehead, 0 to 1. length: metres below the eyes, bob and long only. seed: of strands.
    """

    kind: str
    colour: Colour
    volume: float = 0.018
    fringe: float = 0.0
    length: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Hat:
    """A hat. kind: "cap" | "beanie" | "brim"."""

    kind: str
    colour: Colour


@dataclass(frozen=True)
class Face:
    """Appearance of a face: skin, glasses, beard, lips.

    glasses: frame colour or None. beard: 0 to 1. lips: redness 0 to 1. seed: of blotches.
    """

    skin: Colour
    brows: Colour
    glasses: Colour | None = None
    beard: float = 0.0
    lips: float = 0.3
    seed: int = 0


def draw_hair(rng: np.random.Generator, female: bool, age: float) -> Hair:
    """Hair style, mostly black or brown; mostly short on men."""
    kinds = ["bald", "buzz", "short", "bob", "long", "ponytail", "bun"]
    chances = [0.0, 0.01, 0.13, 0.2, 0.36, 0.22, 0.08] if female else [0.05, 0.14, 0.72, 0.04, 0.03, 0.01, 0.01]
    grey = rng.uniform() < 0.06 + 0.9 * max(0.0, age - 0.62)
    tone = rng.choice(["black", "brown", "fair", "red"], p=[0.6, 0.26, 0.11, 0.03])
    if grey:
        colour = from_oklch(rng.uniform(0.5, 0.8), 0.01, 80)
    elif tone == "black":
        colour = from_oklch(rng.uniform(0.1, 0.2), rng.uniform(0, 0.015), 50)
    elif tone == "brown":
        colour = from_oklch(rng.uniform(0.2, 0.38), rng.uniform(0.02, 0.05), rng.uniform(45, 70))
    elif tone == "fair":
        colour = from_oklch(rng.uniform(0.45, 0.72), rng.uniform(0.04, 0.09), rng.uniform(70, 85))
    else:
        colour = from_oklch(rng.uniform(0.33, 0.48), rng.uniform(0.07, 0.11), rng.uniform(40, 55))
    kind = str(rng.choice(kinds, p=np.array(chances) / sum(chances)))
    length = float(rng.uniform(0.1, 0.19)) if kind == "bob" else float(rng.uniform(0.22, 0.55))
    volume = float(rng.uniform(0.008, 0.03))
    return Hair(kind, colour, volume, float(rng.uniform(0, 1)), length, int(rng.integers(1 << 31)))


def draw_hat(rng: np.random.Generator, palette: Palette) -> Hat:
    return Hat(str(rng.choice(["cap", "beanie", "brim"], p=[0.6, 0.25, 0.15])), draw_colour(rng, palette))


def draw_face(rng: np.random.Generator, palette: Palette, female: bool, hair: Hair) -> Face:
    """Face with skin between pale and deep brown, on one curve."""
    depth = float(rng.beta(1.4, 2.2))
    skin = from_oklch(0.8 - 0.45 * depth, 0.045 + 0.05 * depth * (1.4 - depth), 58 - 8 * depth + rng.uniform(-5, 8))
    glasses = draw_colour(rng, palette, ("black", "black", "brown", "grey")) if rng.uniform() < 0.25 else None
    beard = 0.0 if female or rng.uniform() < 0.6 else float(rng.uniform(0.1, 0.9))
    return Face(
        skin, hair.colour, glasses, beard, float(rng.uniform(0.3, 0.9) if female else 0.2), int(rng.integers(1 << 31))
    )


def head_coords(points: np.ndarray, body: Rest) -> np.ndarray:
    """Rest positions [n, 3] -> head coordinates."""
    origin, scale = _head_frame(body)
    coords: np.ndarray = ((points - origin) / scale).astype(np.float32)
    return coords


def _head_frame(body: Rest) -> tuple[np.ndarray, float]:
    eyes = 0.5 * (body.joints["joint-l-eye"] + body.joints["joint-r-eye"])
    origin = np.array([0.0, body.joints["joint-head"][1], eyes[2]], dtype=np.float32)
    return origin, float(body.joints["joint-head-2"][2] - eyes[2]) / _CROWN


def skin_surface(face: Face, hair: Hair) -> Surface:
    """Skin with the features of a face that are visible from afar."""
    return Surface(partial(_skin_albedo, face, hair), 0.02, 0.03, 0.02)


def _skin_albedo(face: Face, hair: Hair, coords: np.ndarray) -> np.ndarray:
    skin = np.asarray(face.skin, dtype=np.float32)
    albedo = skin * (1 + 0.05 * waves(coords, 0.05, face.seed))[:, None]
    x, y, z = np.abs(coords[:, 0]), coords[:, 1], coords[:, 2]
    ahead = (y < -0.045) & (z > -0.13) & (z < 0.1)
    cheek = ahead * np.exp(-(((x - 0.035) / 0.018) ** 2 + ((z + 0.035) / 0.02) ** 2))
    albedo *= 1 - cheek[:, None] * np.array([0.0, 0.12, 0.12], dtype=np.float32)
    if face.beard:
        chin = ahead & (z < -0.045) & (z > -0.12) & ~((x < 0.022) & (np.abs(z + 0.07) < 0.006))
        albedo[chin] = albedo[chin] * (1 - 0.75 * face.beard) + np.asarray(face.brows) * 0.75 * face.beard
    mouth = ahead & (x < 0.023) & (np.abs(z + 0.07) < 0.0075)
    lip = skin * np.array([0.95 - 0.2 * face.lips, 0.62 - 0.25 * face.lips, 0.6 - 0.2 * face.lips])
    albedo[mouth] = lip
    albedo[mouth & (np.abs(z + 0.07) < 0.0016)] *= 0.45
    brow = ahead & (np.abs(z - 0.021 + 4 * (x - 0.03) ** 2) < 0.0045) & (x > 0.013) & (x < 0.048)
    albedo[brow] = 0.75 * np.asarray(face.brows) + 0.25 * skin
    eye = ahead & (((x - 0.031) / 0.015) ** 2 + (z / 0.0065) ** 2 < 1)
    albedo[eye] = 0.35
    albedo[eye & ((np.abs(x - 0.031) < 0.0065) | (z > 0.0035))] = 0.025
    albedo[ahead & ~eye & (((x - 0.031) / 0.02) ** 2 + (z / 0.013) ** 2 < 1)] *= 0.75
    if face.glasses is not None:
        ring = np.abs(np.maximum(np.abs(x - 0.032) / 0.026, np.abs(z + 0.003) / 0.018) - 0.92) < 0.1
        bridge = (x < 0.01) & (np.abs(z - 0.004) < 0.0025)
        temple = (np.abs(z - 0.004) < 0.003) & (y > -0.1) & (y < 0.02) & (x > 0.055) & (x < 0.1)
        albedo[(ahead & (ring | bridge)) | temple] = face.glasses
    if hair.kind == "buzz":
        scalp = np.clip(_above_line(coords, 0.0) / 0.008, 0, 1)[:, None] * 0.85
        scalp = scalp * ((z > -0.1) & (z < 0.16) & (x < 0.11))[:, None]
        albedo = albedo * (1 - scalp) + np.asarray(hair.colour) * scalp
    return np.clip(albedo, 0, 1).astype(np.float32)


def _above_line(local: np.ndarray, fringe: float) -> np.ndarray:
    """Metres above the hairline, [n]."""
    angle = np.abs(arctan2(local[:, 0], -local[:, 1]))
    line = np.interp(angle, *_LINE) - 0.04 * fringe * np.clip(1.1 - angle, 0, 1)
    metres: np.ndarray = (local[:, 2] - line).astype(np.float32)
    return metres


def _hair_albedo(hair: Hair, coords: np.ndarray) -> np.ndarray:
    """Strands run down and back; lighter and darker locks."""
    angle = arctan2(coords[:, 0], -coords[:, 1])
    strands = np.sin(angle * 61 + 4 * waves(coords, 0.05, hair.seed)) * np.sin(angle * 143 + coords[:, 2] * 25)
    tone = 1 + 0.28 * strands + 0.18 * waves(coords, 0.04, hair.seed + 1)
    colours: np.ndarray = np.clip(np.asarray(hair.colour) * np.clip(tone, 0.4, 1.8)[:, None], 0, 1).astype(np.float32)
    return colours


def make_hair(hair: Hair, phenotype: Phenotype, covered: bool, clothes: float) -> list[Piece]:
    """Pieces of a hair style; `covered` by a hat; `clothes` in metres."""
    if hair.kind in ("bald", "buzz"):
        return []
    body = rest(phenotype)
    look = Surface(partial(_hair_albedo, hair), 0.12, 0.012, 0.04)
    volume = 0.004 if covered else hair.volume
    pieces = [_cap(body, look, hair, volume)]
    origin, scale = _head_frame(body)
    if hair.kind in ("bob", "long"):
        pieces.append(_curtain(body, look, hair, clothes))
    elif hair.kind == "bun":
        vertices, faces = ellipsoid((0, 0.1, 0.045), (0.042, 0.036, 0.04))
        pieces.append(rigid(vertices * scale + origin, faces, HEAD, look, "head"))
    elif hair.kind == "ponytail":
        pieces.append(_tail(body, look, hair))
    return pieces


def _cap(body: Rest, look: Surface, hair: Hair, volume: float) -> Piece:
    """The scalp, lifted: thickest on top, thin at the hairline."""
    skin = group("skin")
    points = body.vertices[skin.rows]
    origin, scale = _head_frame(body)
    local = head_coords(points, body)
    above = _above_line(local, hair.fringe if hair.kind != "ponytail" else 0.0)
    direction = local / np.maximum(np.linalg.norm(local, axis=1, keepdims=True), 1e-6)
    rough = 1 + 0.25 * waves(direction, 0.5, hair.seed)
    lift = (0.004 + volume * power(np.clip(above / 0.07, 0, 1), 0.7) * rough)[:, None]
    scalp = (points[skin.faces, 2] > origin[2] - 0.12 * scale).all(axis=1) & (skin.part == HEAD)
    piece = Piece(
        vertices=(origin + (local + direction * lift) * scale).astype(np.float32),
        weights=skin.weights,
        faces=skin.faces[scalp],
        part=skin.part[scalp],
        surface=np.zeros(scalp.sum(), dtype=np.int16),
        coords=local,
        surfaces=(look,),
    )
    # The ears and the inside of the mouth are part of the head's surface, but no hair grows there.
    inside = np.linalg.norm(local, axis=1) - 0.07
    return clip(piece, np.minimum(above, inside).astype(np.float32))


def _curtain(body: Rest, look: Surface, hair: Hair, clothes: float) -> Piece:
    """Hair that falls to the jaw, the shoulders or down the back, with a gap for the face."""
    base = template()
    origin, scale = _head_frame(body)
    solid = np.concatenate([group("skin").rows, group("tights").rows])
    arms = base.weights[
        :, [i for n, i in SEGMENT.items() if n.split(".")[0] in ("upperarm", "lowerarm", "hand", "shoulder")]
    ]
    solid = solid[arms.sum(axis=1)[solid] < 0.3]
    local = head_coords(body.vertices[solid], body)
    heights = np.linspace(0.085, -hair.length, 14, dtype=np.float32)
    support = outlines(local * np.array([0.93, 1, 1], dtype=np.float32), heights) + 0.008 + 0.5 * hair.volume
    support += clothes * np.clip((-0.09 - heights) / 0.05, 0, 1)[:, None]
    for row in range(1, len(heights)):
        fall = heights[row - 1] - heights[row]
        support[row] = np.maximum(support[row], support[row - 1] - (0.12 if heights[row] > -0.08 else 0.35) * fall)
    radius = radii(support)
    locks = np.sin(9 * DIRECTIONS + hair.seed % 7) + np.sin(14 * DIRECTIONS + hair.seed % 11)
    radius = radius * (1 + 0.02 * np.clip(-heights / 0.1, 0, 1)[:, None] * locks[None])
    # Hair lies on the shoulders; it is not carried by them like a cape.
    angle = np.minimum(DIRECTIONS, 2 * np.pi - DIRECTIONS)
    widest = np.where(np.sin(angle) > 0, 0.1 / np.maximum(np.sin(angle), 0.2), 9.0)
    radius = np.where(heights[:, None] < -0.12, np.minimum(radius, widest[None]), radius)
    points = np.concatenate(
        [
            np.stack([radius * np.sin(DIRECTIONS), -radius * np.cos(DIRECTIONS)], axis=2),
            np.repeat(heights[:, None, None], COLUMNS, axis=1),
        ],
        axis=2,
    ).reshape(-1, 3)
    weights = np.zeros((len(points), len(SEGMENTS)), dtype=np.float32)
    on_chest = np.clip((-0.14 - points[:, 2]) / 0.12, 0, 1)
    weights[:, SEGMENT["head"]], weights[:, SEGMENT["chest"]] = 1 - on_chest, on_chest
    faces = grid_faces(len(heights), COLUMNS, closed=True)
    piece = Piece(
        vertices=(points * scale + origin).astype(np.float32),
        weights=weights,
        faces=faces,
        part=np.full(len(faces), HEAD, dtype=np.uint8),
        surface=np.zeros(len(faces), dtype=np.int16),
        coords=points.astype(np.float32),
        surfaces=(look,),
    )
    around = np.abs(arctan2(points[:, 0], -points[:, 1]))
    rng = np.random.default_rng(hair.seed)
    opening = np.interp(points[:, 2], [-0.2, -0.1, 0.0, 0.06], [rng.uniform(1.4, 2.2), 1.35, 1.15, 1.1])
    # Tips end unevenly.
    tips = points[:, 2] + hair.length - 0.02 - 0.015 * (np.sin(23 * around) + np.sin(11 * points[:, 0] / 0.05))
    return clip(piece, (np.minimum(around - opening, tips)).astype(np.float32))


def _tail(body: Rest, look: Surface, hair: Hair) -> Piece:
    """A ponytail: a tapering tube from the back of the head down."""
    origin, scale = _head_frame(body)
    steps = np.linspace(0, 1, 9)
    length = 0.12 + 0.4 * hair.length
    back, down = 0.085 + 0.06 * np.sin(np.pi * np.minimum(1, 1.6 * steps)), 0.05 - length * power(steps, 1.3)
    path = np.stack([0 * steps, back, down], axis=1)
    thick = 0.026 * (0.55 + 1.4 * steps) * (1.02 - steps) + 0.006
    angle = np.arange(10) * 2 * np.pi / 10
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    vertices = (path[:, None] + thick[:, None, None] * ring[None]).reshape(-1, 3)
    return rigid(vertices * scale + origin, grid_faces(9, 10, closed=True), HEAD, look, "head")


def make_hat(hat: Hat, phenotype: Phenotype) -> list[Piece]:
    """The crown from the scalp, and a peak or brim."""

    body = rest(phenotype)
    origin, scale = _head_frame(body)
    look = plain_surface(hat.colour, 0.1)
    crown = _cap(body, look, Hair("short", hat.colour, 0.022, 0.0, 0.0, 3), 0.02)
    local = head_coords(crown.vertices, body)
    pieces = [clip(crown, (local[:, 2] - (0.03 if hat.kind != "beanie" else 0.015)).astype(np.float32))]
    angle = np.linspace(-1.1, 1.1, 13) if hat.kind == "cap" else np.linspace(-np.pi, np.pi, 33)
    if hat.kind != "beanie":
        reach = 0.075 * np.sqrt(np.cos(angle / 1.1 * np.pi / 2)) if hat.kind == "cap" else 0.065 + 0 * angle
        inner = np.stack([0.08 * np.sin(angle), -0.1 * np.cos(angle), 0.048 + 0 * angle], axis=1)
        outer = inner + np.stack([reach * np.sin(angle), -reach * np.cos(angle), -0.25 * reach], axis=1)
        rim = np.concatenate([inner, outer])
        pieces.append(rigid(rim * scale + origin, grid_faces(2, len(angle)), HEAD, look, "head"))
    return pieces
