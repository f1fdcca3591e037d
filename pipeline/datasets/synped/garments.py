"""Garments as geometry: shells from the body's tights, and draped tubes.

The tubes are draped round the posed body. Reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.datasets.synped.body import SIDES, Phenotype, Rest, group, rest
from pipeline.datasets.synped.cloth import LEG_AXIS, Cloth, plain_surface, shoe_surface, stored, surface
from pipeline.datasets.synped.drape import Tube
from pipeline.datasets.synped.elementary import norm, power, product
from pipeline.datasets.synped.measures import Measures, measure
from pipeline.datasets.synped.mesh import Surface
from pipeline.datasets.synped.piece import Piece, clip, compact
from pipeline.datasets.synped.wardrobe import Bottom, Shoes, Top

# Metres above the hip joints, at the armpits: above it a top is a shell, below it hangs as a tube.
TUBE_TOP = 0.36
_OVERLAP = 0.045
_SLEEVELESS = 0.05  # sleeves that end before this, along the arm, are no sleeves


@dataclass(frozen=True)
class Garment:
    """Geometry of one garment.

    pieces: skinned with the body. tubes: draped after posing. covers: [n] bool, vertices of the skin that it hides.
    """

    pieces: tuple[Piece, ...]
    tubes: tuple[Tube, ...]
    covers: np.ndarray


def make_top(top: Top, phenotype: Phenotype, waist: float) -> Garment:
    """Garment for the torso: shell, tube below, collar.

    The shell covers shoulders and sleeves. waist: height of the trousers' edge.
    """
    body, tape = rest(phenotype), measure(phenotype, "tights")
    points = tape.points + (top.ease / tape.scale) * tape.normals
    points = _fill_sleeves(points, body, tape, top)
    neckline = tape.neck - _neck_drop(top, tape)
    keep = np.minimum(neckline, np.abs(tape.around) - top.open)
    lower = np.maximum(top.hem, TUBE_TOP - _OVERLAP)
    armhole = 0.5 - tape.armness
    if top.sleeve <= _SLEEVELESS:
        armhole = np.minimum(armhole, _armhole(top, body, tape))
    torso = _shell(points, stored(garment_coords(tape.points, tape), "torso"), surface(top.cloth, "torso"))
    pieces = [_cut(torso, (keep, tape.up - lower, armhole))]
    if top.sleeve > _SLEEVELESS:
        for _, letter, sign in SIDES:
            coords = stored(_sleeve_coords(body, tape, letter), "sleeve")
            sleeve = _shell(points, coords, surface(top.sleeve_cloth, "sleeve"))
            pieces.append(_cut(sleeve, (sign * tape.points[:, 0], top.sleeve - tape.arm, -armhole)))
    pieces += _collar(top, body, tape, neckline)
    tubes: tuple[Tube, ...] = ()
    if top.hem < TUBE_TOP - 0.03:
        end = waist - 0.015 if top.tucked else top.hem
        tubes = (
            Tube(
                surface=surface(top.cloth, "torso"),
                start=TUBE_TOP,
                end=end,
                ease=top.ease if not top.tucked else min(top.ease, 0.006),
                slope=(1 - top.fall) * 0.55 if not top.tucked else 0.7,
                flare=top.flare,
                waves=top.waves,
                open=top.open,
                seed=top.cloth.seed,
            ),
        )
    skin = measure(phenotype, "skin")
    covers = (skin.neck - _neck_drop(top, skin) > 0.025) & (skin.up > (waist if top.tucked else top.hem) + 0.04)
    if top.sleeve > _SLEEVELESS:
        covers &= skin.arm < top.sleeve - 0.12
    else:
        covers &= (_armhole(top, body, skin) > 0.03) & (skin.armness < 0.3)
    return Garment(tuple(pieces), tubes, covers & (top.open == 0.0))


def make_bottom(bottom: Bottom, phenotype: Phenotype) -> Garment:
    """Trousers, shorts, leggings or a skirt."""
    body, tape, skin = rest(phenotype), measure(phenotype, "tights"), measure(phenotype, "skin")
    if bottom.kind == "skirt":
        end = _height_on_leg(bottom.length, body, tape)
        tube = Tube(
            surface=surface(bottom.cloth, "torso"),
            start=bottom.rise,
            end=end,
            ease=bottom.ease,
            slope=0.5,
            flare=bottom.flare,
            waves=bottom.waves,
            open=0.0,
            seed=bottom.cloth.seed,
        )
        covers = (skin.up < bottom.rise - 0.04) & (skin.up > max(end, -0.1) + 0.05) & (skin.armness < 0.1)
        return Garment((), (tube,), covers)
    points = tape.points + (bottom.ease / tape.scale) * tape.normals
    points = _fill_legs(points, body, tape, bottom)
    trousers = _shell(points, stored(_leg_coords(body, tape), "legs"), surface(bottom.cloth, "legs"))
    off_arm = 0.5 - tape.armness
    pieces = [_cut(trousers, (bottom.rise - tape.up, bottom.length - tape.leg, off_arm))]
    covers = (skin.up < bottom.rise - 0.03) & (skin.leg < bottom.length - 0.1) & (skin.armness < 0.1)
    return Garment(tuple(pieces), (), covers)


def make_shoes(shoes: Shoes, phenotype: Phenotype, bottom: Bottom) -> Garment:
    """Shoes with soles, and socks above them.

    Shafts of boots end beneath long trousers.
    """
    covered = bottom.kind == "trousers" and bottom.length > 1.6 and bottom.hem_width > 0
    height = min(shoes.height, 0.03) if covered else shoes.height
    body, tape = rest(phenotype), measure(phenotype, "tights")
    ankle = float(body.joints["joint-l-ankle"][2])
    above = tape.points[:, 2] - ankle
    pieces = []
    if shoes.sock is not None:
        sock = tape.points + 0.003 * tape.normals
        pieces.append(_cut(_shell(sock, sock, plain_surface(shoes.sock[0], 0.05)), (shoes.sock[1] - above,)))
    thick = 0.004 if shoes.kind == "sandals" else 0.011
    points = tape.points + thick * tape.normals
    low = np.clip(1 - tape.points[:, 2] / 0.035, 0, 1)
    # A sole is flat and stands out a little all round.
    points[:, 2] = np.where(low > 0, points[:, 2] * (1 - low) - shoes.sole * np.minimum(1, 2 * low), points[:, 2])
    points[:, :2] += (0.004 * np.minimum(1, 2 * low))[:, None] * tape.normals[:, :2]
    coords = points - np.array([0, body.joints["joint-l-ankle"][1], 0], dtype=np.float32)
    look = shoe_surface(shoes.upper, shoes.sole_colour, shoes.accent, shoes.kind == "sneakers")
    shell = _shell(points, coords, look)
    # The opening is low at the front and higher at the heel.
    opening = height + 0.3 * np.maximum(0, tape.points[:, 1] - body.joints["joint-l-ankle"][1])
    pieces.append(_cut(shell, (0.012 + opening - above,)))
    bare = shoes.kind == "sandals"
    if bare:
        # Straps only: a band across the toes and the sole.
        ahead = body.joints["joint-l-foot-1"][1] - tape.points[:, 1]
        strap = np.maximum(0.024 - np.abs(ahead + 0.005), 0.012 - tape.points[:, 2])
        pieces[-1] = _cut(shell, (0.012 - above, strap))
    skin = measure(phenotype, "skin")
    covers = (skin.points[:, 2] < ankle) & (skin.armness < 0.1) & (not bare)
    return Garment(tuple(pieces), (), covers)


def garment_coords(points: np.ndarray, tape: Measures) -> np.ndarray:
    """Rest positions [n, 3] -> garment coordinates of the torso and legs."""
    centre = np.array([0, tape.centre, tape.hip], dtype=np.float32)
    return ((points - centre) * tape.scale).astype(np.float32)


def _leg_coords(body: Rest, tape: Measures) -> np.ndarray:
    """Garment coordinates with the legs' axes set upright at LEG_AXIS, so that seams and stripes follow the legs."""
    coords = garment_coords(tape.points, tape)
    joints = [body.joints[f"joint-l-{name}"] for name in ("upper-leg", "knee", "ankle")]
    heights = [joint[2] for joint in reversed(joints)]
    axis_x, axis_y = (np.interp(tape.points[:, 2], heights, [j[k] for j in reversed(joints)]) for k in (0, 1))
    share = _smooth(tape.leg, 0.0, 0.25)
    coords[:, 0] -= np.sign(coords[:, 0]) * share * (axis_x * tape.scale - LEG_AXIS)
    coords[:, 1] -= share * (axis_y - tape.centre) * tape.scale
    return coords


def _shell(points: np.ndarray, coords: np.ndarray, look: Surface) -> Piece:
    suit = group("tights")
    return Piece(
        vertices=points.astype(np.float32),
        weights=suit.weights,
        faces=suit.faces,
        part=suit.part,
        surface=np.zeros(len(suit.faces), dtype=np.int16),
        coords=coords.astype(np.float32),
        surfaces=(look,),
    )


def _cut(piece: Piece, fields: tuple[np.ndarray, ...]) -> Piece:
    """Clip by several fields over the vertices of the tights, one after the other."""
    values = np.stack(fields, axis=1).astype(np.float32)
    for index in range(len(fields)):
        carried = replace(piece, coords=np.concatenate([piece.coords[:, :3], values], axis=1))
        cut = clip(carried, values[:, index])
        piece, values = replace(cut, coords=cut.coords[:, :3]), cut.coords[:, 3:]
    return compact(piece)


def _neck_drop(top: Top, tape: Measures) -> np.ndarray:
    front = np.clip(np.cos(tape.around), 0, 1)
    drop: np.ndarray = top.neck * front
    if top.v:
        drop = (top.neck + 0.09) * np.clip(1 - np.abs(tape.around) / 0.55, 0, 1)
    return drop


def _armhole(top: Top, body: Rest, tape: Measures) -> np.ndarray:
    """Metres inside the upright cut across the shoulder of a sleeveless top, [n]."""
    across = float(body.joints["joint-l-shoulder"][0]) + 0.06 * top.sleeve / tape.scale - np.abs(tape.points[:, 0])
    metres: np.ndarray = np.maximum(across, TUBE_TOP - 0.02 - tape.up)
    return metres


def _smooth(values: np.ndarray, low: float, high: float) -> np.ndarray:
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _push_out(
    points: np.ndarray, start: np.ndarray, end: np.ndarray, radius: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Points moved to at least `radius` [n] from the line start-end, weighted by `share` [n] in [0, 1]."""
    axis = (end - start) / norm(end - start)
    away = points - start
    away = away - product(away, axis)[:, None] * axis
    distance = np.linalg.norm(away, axis=1)
    grow = share * np.maximum(0, radius - distance) / np.maximum(distance, 1e-6)
    moved: np.ndarray = points + away * grow[:, None]
    return moved


def _fill_sleeves(points: np.ndarray, body: Rest, tape: Measures, top: Top) -> np.ndarray:
    """Cloth is a tube round the arm: at least as wide everywhere as the armhole lets it hang."""
    if top.sleeve <= _SLEEVELESS:
        return points
    for _, letter, sign in SIDES:
        shoulder, elbow, wrist = (body.joints[f"joint-{letter}-{name}"] for name in ("shoulder", "elbow", "hand"))
        mine = (np.sign(points[:, 0]) == sign) & (tape.armness > 0)
        radius = (0.043 + top.ease + top.width - 0.011 * np.clip(tape.arm - 0.6, 0, 2)) / tape.scale
        share = mine * _smooth(tape.arm, 0.0, 0.5)
        points = _push_out(points, shoulder, elbow, radius, share * (1 - _smooth(tape.arm, 0.85, 1.15)))
        points = _push_out(points, elbow, wrist, radius, share * _smooth(tape.arm, 0.85, 1.15))
    return points


def _fill_legs(points: np.ndarray, body: Rest, tape: Measures, bottom: Bottom) -> np.ndarray:
    """Trouser legs run straight from the thigh to their hem instead of following the calf."""
    if bottom.hem_width <= 0:
        return points
    for _, letter, sign in SIDES:
        hip, knee, ankle = (body.joints[f"joint-{letter}-{name}"] for name in ("upper-leg", "knee", "ankle"))
        mine = (np.sign(points[:, 0]) == sign) & (tape.armness < 0.1)
        thigh = 0.074 + bottom.ease
        radius = np.interp(tape.leg, [0.3, bottom.length], [thigh, bottom.hem_width]) / tape.scale
        share = mine * _smooth(tape.leg, 0.2, 0.5)
        points = _push_out(points, hip, knee, radius, share * (1 - _smooth(tape.leg, 0.9, 1.1)))
        points = _push_out(points, knee, ankle, radius, share * _smooth(tape.leg, 0.9, 1.1))
    return points


def _sleeve_coords(body: Rest, tape: Measures, letter: str) -> np.ndarray:
    """[V, 3]: across the arm (outward, forward negative) and minus the way from the shoulder, metres."""
    shoulder, elbow, wrist = (body.joints[f"joint-{letter}-{name}"] for name in ("shoulder", "elbow", "hand"))
    result = np.zeros_like(tape.points)
    upper, lower = (shoulder, elbow, tape.arm < 1, 0.0), (elbow, wrist, tape.arm >= 1, norm(elbow - shoulder))
    for start, end, rows, way in (upper, lower):
        axis = (end - start) / norm(end - start)
        ahead = np.array([0.0, -1.0, 0.0]) - axis * -axis[1]
        ahead /= norm(ahead)
        outward = np.cross(ahead, axis)
        away = tape.points[rows] - start
        place = [product(away, outward), -product(away, ahead), -(product(away, axis) + way)]
        result[rows] = np.stack(place, axis=1) * tape.scale
    return result


def _collar(top: Top, body: Rest, tape: Measures, neckline: np.ndarray) -> list[Piece]:
    """What stands or lies round the neck."""
    if not top.collar:
        return []
    behind = _smooth(np.abs(tape.around), 0.8, 2.6)
    bulge = np.full_like(behind, 0.014)
    high: float
    low: float | np.ndarray
    if top.collar == "shirt":
        high, low = 0.03, 0.03
    elif top.collar == "high":
        bulge, high, low = bulge + 0.006, 0.055, 0.02
    elif top.collar == "hood":
        bulge, high, low = 0.02 + 0.06 * behind, 0.05, 0.04 + 0.05 * behind
    else:  # scarf
        bulge, high, low = 0.04 + 0.008 * np.sin(5 * tape.around), 0.06, 0.04
    # Fullest in the middle; the lower edge lies on the garment, the upper one stands off the neck.
    place = np.clip((neckline + high) / (low + high), 0, 1)
    full = power(np.where(place < 0.5, 0.45 + 1.1 * place, 4 * place * (1 - place)), 0.7)
    points = tape.points + ((top.ease + 0.002 + bulge * full) / tape.scale)[:, None] * tape.normals
    cloth = Cloth(replace(top.cloth.fabric, kind="plain", colours=(top.collar_colour,)), seed=top.cloth.seed, bump=0.2)
    look = surface(top.cloth if top.collar == "hood" else cloth, "torso")
    shell = _shell(points, stored(garment_coords(tape.points, tape), "torso"), look)
    gap = np.abs(tape.around) - (0.12 if top.collar in ("shirt", "high") else -1.0)
    return [_cut(shell, (neckline + high, low - neckline, gap, 0.4 - tape.armness))]


def _height_on_leg(length: float, body: Rest, tape: Measures) -> float:
    """Leg units -> metres above the hip joints on the body garments are cut for."""
    heights = [float(body.joints[f"joint-l-{name}"][2]) for name in ("upper-leg", "knee", "ankle")]
    return (float(np.interp(length, [0, 1, 2], heights)) - tape.hip) * tape.scale
