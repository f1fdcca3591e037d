"""People: identities, poses, and the mesh of a person in a pose.

Reads the assets through `body`. Everything is a function of the given generator; the same draws give the same bytes in
any process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pipeline.datasets.synped import carried, garments
from pipeline.datasets.synped.body import SEGMENT, Phenotype, group, rest
from pipeline.datasets.synped.carried import Bag, draw_bag
from pipeline.datasets.synped.drape import Frame, Tube, drape
from pipeline.datasets.synped.elementary import product
from pipeline.datasets.synped.fashion import Fashion
from pipeline.datasets.synped.gesture import draw_gesture
from pipeline.datasets.synped.hair import (
    Face,
    Hair,
    Hat,
    draw_face,
    draw_hair,
    draw_hat,
    head_coords,
    make_hair,
    make_hat,
    skin_surface,
)
from pipeline.datasets.synped.measures import Measures, measure
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.piece import Piece, compact
from pipeline.datasets.synped.pose import Pose, Skinned, bind, skin, transforms
from pipeline.datasets.synped.wardrobe import Outfit, draw_outfit, draw_shoes, draw_top

__all__ = ["Identity", "Person", "Pose", "build", "draw_identity", "draw_pose", "look_alike"]

# COCO keypoints: joints of the rig, or (head coordinates) for nose, eyes and ears.
_COCO_HEAD = ((0.0, -0.125, -0.03), (0.031, -0.1, 0.0), (-0.031, -0.1, 0.0), (0.075, 0.0, -0.01), (-0.075, 0.0, -0.01))
_COCO_LIMBS = ("shoulder", "elbow", "hand", "upper-leg", "knee", "ankle")
_COCO_SEGMENTS = ("upperarm", "lowerarm", "hand", "upperleg", "lowerleg", "foot")


@dataclass(frozen=True)
class Identity:
    """Everything that stays the same for a person id."""

    phenotype: Phenotype
    face: Face
    hair: Hair
    hat: Hat | None
    outfit: Outfit
    bag: Bag | None


@dataclass(frozen=True)
class Person:
    """Mesh and joints of one person.

    mesh: standing on z = 0 at the origin, looking along -y. joints: [17, 3] float32, COCO keypoint order, metres.
    """

    mesh: Mesh
    joints: np.ndarray


def draw_identity(rng: np.random.Generator, fashion: Fashion) -> Identity:
    """Identity drawn with the fashion of a place."""
    female = bool(rng.uniform() < 0.47)
    phenotype = _draw_phenotype(rng, female)
    hair = draw_hair(rng, female, phenotype.age)
    face = draw_face(rng, fashion.palette, female, hair)
    hat = draw_hat(rng, fashion.palette) if rng.uniform() < 0.09 else None
    return Identity(
        phenotype, face, hair, hat, draw_outfit(rng, fashion, female), draw_bag(rng, fashion.palette, female)
    )


def look_alike(identity: Identity, rng: np.random.Generator, fashion: Fashion) -> Identity:
    """Identity that is easily taken for `identity`.

    It has most of the clothes, another body, and one more visible thing changed.
    """
    female = identity.phenotype.female
    phenotype = _draw_phenotype(rng, female)
    hair = replace(draw_hair(rng, female, phenotype.age), colour=identity.hair.colour)
    other = draw_outfit(rng, fashion, female)
    outfit = identity.outfit
    change = rng.choice(["bottom", "top", "print", "shoes and bag"])
    bag = identity.bag
    if change == "bottom":
        kinds = [
            bottom
            for bottom in (draw_outfit(rng, fashion, female).bottom for _ in range(8))
            if bottom.kind == outfit.bottom.kind
        ]
        outfit = replace(outfit, bottom=kinds[0] if kinds else other.bottom)
    elif change == "top":
        top = draw_top(rng, fashion, outfit.tops[-1].kind)
        outfit = replace(
            outfit, tops=(*outfit.tops[:-1], replace(top, hem=outfit.tops[-1].hem, sleeve=outfit.tops[-1].sleeve))
        )
    elif change == "print":
        last = outfit.tops[-1]
        cloth = replace(draw_top(rng, fashion, last.kind).cloth, fabric=last.cloth.fabric)
        outfit = replace(outfit, tops=(*outfit.tops[:-1], replace(last, cloth=cloth)))
    else:
        outfit = replace(outfit, shoes=draw_shoes(rng, fashion.palette, "mild", female))
        bag = draw_bag(rng, fashion.palette, female)
    return Identity(phenotype, draw_face(rng, fashion.palette, female, hair), hair, identity.hat, outfit, bag)


def _draw_phenotype(rng: np.random.Generator, female: bool) -> Phenotype:
    """Adults and some teenagers. MakeHuman's height runs from dwarf to giant: the middle third is people."""
    asian, african, _ = rng.dirichlet([0.6, 0.4, 0.6])
    age = float(np.clip(rng.normal(0.53, 0.13), 0.36, 0.95))
    return Phenotype(
        female=female,
        age=age,
        muscle=float(np.clip(rng.normal(0.42 if female else 0.52, 0.16), 0.05, 0.95)),
        weight=float(np.clip(rng.normal(0.48, 0.18), 0.08, 0.98)),
        height=float(np.clip(rng.normal(0.355, 0.055), 0.22, 0.5)),
        proportions=float(rng.uniform(0.3, 0.9)),
        cup=float(rng.uniform(0.2, 0.8)),
        asian=float(asian),
        african=float(african),
    )


def draw_pose(rng: np.random.Generator, identity: Identity) -> Pose:
    """Pose of a person who walks or stands.

    The arms are as people hold them, with the identity's bag in its hand.
    """
    bag = identity.bag
    in_hand = bag is not None and bag.kind in ("hand", "tote")
    return draw_gesture(
        rng, bag.side if bag is not None and in_hand else "", bag is not None and bag.kind == "backpack"
    )


@dataclass(frozen=True)
class _Dressed:
    """An identity in the rest pose. mesh: all pieces. skinned: its vertices. core: the body that tubes must go round.
    legs: how many of the first vertices are trousers, which tubes must go round, too."""

    mesh: Mesh
    skinned: Skinned
    tubes: tuple[Tube, ...]
    core: Skinned
    legs: int


@lru_cache(maxsize=32)
def _dress(identity: Identity) -> _Dressed:
    phenotype, outfit = identity.phenotype, identity.outfit
    tape = measure(phenotype, "tights")
    bottom = garments.make_bottom(outfit.bottom, phenotype)
    tops = [garments.make_top(top, phenotype, outfit.bottom.rise) for top in outfit.tops]
    shoes = garments.make_shoes(outfit.shoes, phenotype, outfit.bottom)
    worn = [bottom, *tops, shoes]
    hidden = np.any([garment.covers for garment in worn], axis=0)
    pieces = [*bottom.pieces, _skin(identity, hidden)]
    pieces += [piece for garment in (*tops, shoes) for piece in garment.pieces]
    on_shoulders = outfit.tops[-1].ease + (0.03 if outfit.tops[-1].collar else 0.0)
    pieces += make_hair(identity.hair, phenotype, identity.hat is not None, on_shoulders)
    if identity.hat is not None:
        pieces += make_hat(identity.hat, phenotype)
    if identity.bag is not None:
        pieces += carried.worn(identity.bag, phenotype, outfit.tops[-1].ease)
    tubes = tuple(tube for garment in (bottom, *tops) for tube in garment.tubes)
    core = (tape.armness < 0.35) & (tape.points[:, 2] > 0.12)
    mesh = join([piece.as_mesh() for piece in pieces])
    return _Dressed(
        mesh=mesh,
        skinned=bind(mesh.vertices, np.concatenate([piece.weights for piece in pieces])),
        tubes=tubes,
        core=bind(tape.points[core], group("tights").weights[core]),
        legs=sum(len(piece.vertices) for piece in bottom.pieces),
    )


def _skin(identity: Identity, hidden: np.ndarray) -> Piece:
    body, mesh = rest(identity.phenotype), group("skin")
    points = body.vertices[mesh.rows]
    bare = ~hidden[mesh.faces].all(axis=1)
    return compact(
        Piece(
            vertices=points,
            weights=mesh.weights,
            faces=mesh.faces[bare],
            part=mesh.part[bare],
            surface=np.zeros(bare.sum(), dtype=np.int16),
            coords=head_coords(points, body),
            surfaces=(skin_surface(identity.face, identity.hair),),
        )
    )


def build(identity: Identity, pose: Pose) -> Person:
    """One person in one pose.

    The person stands on z = 0 at the origin and looks along -y.
    """
    dressed = _dress(identity)
    body, tape = rest(identity.phenotype), measure(identity.phenotype, "tights")
    segments = transforms(body, pose)
    meshes = [replace(dressed.mesh, vertices=skin(dressed.skinned, segments))]
    if dressed.tubes:
        around = np.concatenate([skin(dressed.core, segments), meshes[0].vertices[: dressed.legs]])
        frame = _frame(segments, body.joints, tape, pose)
        for tube in dressed.tubes:
            meshes.append(drape(tube, around, frame))
            around = np.concatenate([around, meshes[-1].vertices])  # the next one goes over this one
    for side, letter in (("L", "l"), ("R", "r")):
        hand = _moved(segments, f"hand.{side}", body.joints[f"joint-{letter}-finger-3-2"])
        thing = carried.held(pose.held(side), identity.bag, hand)
        if thing is not None:
            meshes.append(thing)
    mesh = join(meshes)
    joints = _joints(identity, segments)
    origin = _moved(segments, "pelvis", body.joints["joint-pelvis"])
    lowest = meshes[0].vertices[:, 2].min()
    shift = np.array([origin[0], origin[1], lowest], dtype=np.float32)
    return Person(replace(mesh, vertices=mesh.vertices - shift), (joints - shift).astype(np.float32))


def _frame(segments: np.ndarray, joints: dict[str, np.ndarray], tape: Measures, pose: Pose) -> Frame:
    return Frame(
        hips=segments[SEGMENT["pelvis"]],
        centre=tape.centre,
        hip=tape.hip,
        knee=float(joints["joint-l-knee"][2]),
        scale=tape.scale,
        twist=pose.twist,
    )


def _moved(segments: np.ndarray, segment: str, point: np.ndarray) -> np.ndarray:
    transform = segments[SEGMENT[segment]]
    moved: np.ndarray = product(transform[:, :3], point) + transform[:, 3]
    return moved


def _joints(identity: Identity, segments: np.ndarray) -> np.ndarray:
    """[17, 3]: nose, eyes, ears, then shoulders to ankles, left before right."""
    body = rest(identity.phenotype)
    eyes = 0.5 * (body.joints["joint-l-eye"] + body.joints["joint-r-eye"])
    origin = np.array([0.0, body.joints["joint-head"][1], eyes[2]])
    points = [_moved(segments, "head", origin + np.array(offset)) for offset in _COCO_HEAD]
    for joint, segment in zip(_COCO_LIMBS, _COCO_SEGMENTS, strict=True):
        for side, letter in (("L", "l"), ("R", "r")):
            points.append(_moved(segments, f"{segment}.{side}", body.joints[f"joint-{letter}-{joint}"]))
    return np.array(points, dtype=np.float32)
