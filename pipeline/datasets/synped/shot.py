"""Composition of one picture: positions, obstacles and crop.

Reads and writes no files. Costly shared things (a camera's place, the pool of passers-by) are drawn from random streams
of their own and kept per process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pipeline.datasets.synped import obstacles, people
from pipeline.datasets.synped.camera import Box, Camera, View, box_around, cut, draw_camera, jitter, look_at
from pipeline.datasets.synped.obstacles import Kind
from pipeline.datasets.synped.people import Identity, Person
from pipeline.datasets.synped.place import SIDE, Place
from pipeline.datasets.synped.plan import (
    CAMERA_STREAM,
    IDENTITY_STREAM,
    OBSTACLE_STREAM,
    STRANGER_STREAM,
    DatasetPlan,
    ImageSpec,
)
from pipeline.datasets.synped.raycast import Hits, Scene, covered, trace
from pipeline.datasets.synped.simplify import simplified
from pipeline.datasets.synped.style import STYLES
from sorn.parts import BACKGROUND

HIDDEN = (0.15, 0.75)  # share of the body that an obstacle hides in an `occluded` picture
WANTED = (0.25, 0.7)  # the share that is aimed at
WANTED_IN_GALLERY = (0.15, 0.4)  # as where the most occluded pictures were taken out of the gallery to be the queries
CLEAR = 0.05  # largest share that anything may hide in any other picture
STANDS = 6  # spots tried until the view is clear
TRIES = 16  # obstacles tried; a new kind after every fourth
STANDING = 2  # obstacles that stand before a camera for good, of the kinds of each split
STANDING_TURN = 0.15  # radians that they are turned from picture to picture, as people walk past
STANDING_SHARE = 0.75  # chance that they are tried first
CELL = 0.007  # metres a camera need not resolve: about half a pixel
TARGET = 0  # the target's place in Shot.scenes

# Chances, so that they can be read in one place.
FACING = ((0.0, 0.5), (np.pi, 0.3), (0.5 * np.pi, 0.1), (-0.5 * np.pi, 0.1))  # turn away from the main direction
PASSERS_BY = (0.62, 0.28, 0.1)  # none, one, two behind the person
THINGS = (0.5, 0.35, 0.15)
CUT_BOX = 0.1  # a clear picture whose box misses legs or head
VISIBLE_BOX = 0.12  # an occluded picture whose box surrounds only what is visible


@dataclass(frozen=True)
class Shot:
    """Scenes of one picture, ready for rendering.

    scenes: the target first. joints: [17, 3] float32 metres. hidden: hidden share of the body in the full box.
    """

    view: View
    box: Box
    scenes: tuple[Scene, ...]
    joints: np.ndarray
    hidden: float


@dataclass(frozen=True)
class _Stand:
    """A person in front of a camera. eye, feet: [3] metres."""

    eye: np.ndarray
    feet: np.ndarray
    view: View
    box: Box
    target: Scene
    joints: np.ndarray


def compose(plan: DatasetPlan, spec: ImageSpec, rng: np.random.Generator) -> Shot:
    """The shot of one picture of the plan."""
    camera, place, still = camera_of(plan, spec.camid)
    who = identity(plan, spec.pid)
    person = people.build(who, people.draw_pose(rng, who))
    upright = Scene(simplified(person.mesh, CELL))
    for _ in range(STANDS):
        stand = _stand(camera, place, person, upright, rng)
        others = _surroundings(plan, spec, place, stand, rng)
        hidden = hidden_share(stand.target, [still, *others], stand.view, stand.box)
        if hidden <= CLEAR:
            break
    box = stand.box
    if spec.occluded:
        obstacle, hidden = _obstacle(plan, spec, stand, rng)
        others.append(obstacle)
        if rng.random() < VISIBLE_BOX:
            box = _around_visible(stand, obstacle)
    elif rng.random() < CUT_BOX:
        head, legs = (0.0, rng.uniform(0.12, 0.5)) if rng.random() < 0.75 else (rng.uniform(0.08, 0.4), 0.0)
        box = cut(box, rng, head, legs)
    return Shot(stand.view, box, (stand.target, still, *others), stand.joints, hidden)


def camera_of(plan: DatasetPlan, camid: int) -> tuple[Camera, Place, Scene]:
    """A camera, its place, and the place prepared for rays."""
    return _camera(plan.style, plan.seed, camid)


@lru_cache(maxsize=64)
def _camera(style: str, seed: int, camid: int) -> tuple[Camera, Place, Scene]:
    rng = np.random.default_rng([seed, CAMERA_STREAM, camid])
    camera = draw_camera(rng, camid, STYLES[style])
    place = STYLES[style].places[camera.place](rng)
    return camera, place, Scene(place.mesh, lasting=True)


@lru_cache(maxsize=64)
def identity(plan: DatasetPlan, pid: int) -> Identity:
    """The person `pid`: drawn, or a look-alike of another one."""
    rng, fashion = np.random.default_rng([plan.seed, IDENTITY_STREAM, pid]), STYLES[plan.style].fashion
    if pid in plan.look_alike:
        return people.look_alike(identity(plan, plan.look_alike[pid]), rng, fashion)
    return people.draw_identity(rng, fashion)


def _stranger(plan: DatasetPlan, spec: ImageSpec, rng: np.random.Generator) -> Scene:
    """A passer-by: another identity of the picture's group, which has pictures there."""
    pids = passers_by(plan, plan.groups[spec.pid])
    first = int(rng.integers(len(pids)))
    others = [pid for pid in (*pids[first:], *pids[:first]) if pid != spec.pid]
    return _walking(plan, others[0] if others else pids[0])


@lru_cache(maxsize=8)
def passers_by(plan: DatasetPlan, group: str) -> tuple[int, ...]:
    """Pids that appear in pictures of other identities of the group.

    Distractors belong to the group of the test.
    """
    merged = ("test", "distractor") if group in ("test", "distractor") else (group,)
    members = [pid for pid, name in plan.groups.items() if name in merged]
    count = STYLES[plan.style].strangers
    return tuple(members[:: max(1, len(members) // count)][:count])


@lru_cache(maxsize=512)
def _walking(plan: DatasetPlan, pid: int) -> Scene:
    rng = np.random.default_rng([plan.seed, STRANGER_STREAM, pid])
    passer = identity(plan, pid)
    mesh = people.build(passer, people.draw_pose(rng, passer)).mesh
    return Scene(simplified(mesh.as_background(), CELL), lasting=True)


def _stand(camera: Camera, place: Place, person: Person, upright: Scene, rng: np.random.Generator) -> _Stand:
    """Put the person, prepared as `upright`, before the camera. People stand nearer more often than at the far end."""
    distance = place.near + rng.beta(1.3, 2.0) * (place.far - place.near)
    aside = min(SIDE * 0.8 * distance, place.half_width)
    feet = np.array([rng.uniform(-aside, aside), distance, 0.0])
    eye = np.array([rng.normal(0, 0.3), rng.normal(0, 0.3), camera.height * rng.normal(1, 0.03)])
    towards = math.atan2(eye[1] - feet[1], eye[0] - feet[0]) + math.pi / 2  # yaw that looks into the camera
    turns, chances = zip(*FACING, strict=True)
    yaw = float(towards + camera.heading + rng.choice(turns, p=chances) + rng.normal(0, 0.45))
    target = upright.placed(yaw, feet.tolist())
    aim = np.array([feet[0], feet[1], 0.9]) + rng.normal(0, [0.5, 0, 0.25])
    view = look_at(eye, aim, float(rng.normal(0, 0.012)))
    box = jitter(box_around(view.project(target.to_world(person.mesh.vertices))), rng)
    return _Stand(eye, feet, view, box, target, target.to_world(person.joints))


def _surroundings(
    plan: DatasetPlan, spec: ImageSpec, place: Place, stand: _Stand, rng: np.random.Generator
) -> list[Scene]:
    """Passers-by and parked things behind the person."""
    parts = []
    for _ in range(int(rng.choice(len(PASSERS_BY), p=PASSERS_BY))):
        yaw, where = obstacles.behind(stand.eye, stand.feet, rng, (0.9, 7.0))
        parts.append(_stranger(plan, spec, rng).placed(yaw, where))
    style = STYLES[plan.style]
    things = style.indoor if place.indoor else style.outdoor
    for _ in range(int(rng.choice(len(THINGS), p=THINGS))):
        yaw, where = obstacles.behind(stand.eye, stand.feet, rng, (2.6, 8.0))
        parts.append(Scene(things[rng.integers(len(things))](rng)).placed(yaw, where))
    return parts


def _obstacle(plan: DatasetPlan, spec: ImageSpec, stand: _Stand, rng: np.random.Generator) -> tuple[Scene, float]:
    """An obstacle that hides about a wanted share of the body, within HIDDEN; the nearest of TRIES. And its share."""
    wanted = float(rng.uniform(*(WANTED_IN_GALLERY if spec.split in ("gallery", "val_gallery") else WANTED)))
    candidates = _candidates(plan, spec, rng)
    look = _look(stand.target, stand.view, stand.box)
    best: tuple[float, Scene, float] | None = None
    for attempt in range(TRIES):
        if attempt % 4 == 0:
            kind, thing = next(candidates)
        placed = obstacles.place(kind, thing, stand.eye, stand.feet, rng)
        share = _share(look, [placed])
        outside = not HIDDEN[0] + 0.03 < share < HIDDEN[1] - 0.03
        miss = abs(share - wanted) + outside
        if best is None or miss < best[0]:
            best = (miss, placed, share)
        if miss < 0.1:
            break
    assert best is not None
    return best[1], best[2]


def _candidates(plan: DatasetPlan, spec: ImageSpec, rng: np.random.Generator) -> Iterator[tuple[Kind, Scene]]:
    """What may hide the person: often what stands before this camera in any picture, then whatever comes along."""
    kinds, stances = STYLES[plan.style].obstacles[spec.split], STYLES[plan.style].stances
    if rng.random() < STANDING_SHARE:
        for number in rng.permutation(STANDING):
            yield standing(plan.seed, spec.camid, kinds, stances, int(number))
    while True:
        kind = _kind(kinds, stances, rng)
        yield kind, kind.build(rng, lambda: _stranger(plan, spec, rng))


@lru_cache(maxsize=128)
def standing(
    seed: int, camid: int, kinds: tuple[str, ...], stances: tuple[tuple[str, float], ...], number: int
) -> tuple[Kind, Scene]:
    """An obstacle of a camera, always seen from about the same side."""
    rng = np.random.default_rng([seed, OBSTACLE_STREAM, camid, number])
    kind = _kind(tuple(name for name in kinds if obstacles.KINDS[name].stays), stances, rng)
    mesh = kind.build(rng, _nobody).mesh.placed(float(rng.uniform(-kind.turn, kind.turn)), (0, 0, 0))
    return replace(kind, turn=STANDING_TURN), Scene(mesh, lasting=True)


def _kind(names: tuple[str, ...], stances: tuple[tuple[str, float], ...], rng: np.random.Generator) -> Kind:
    """One of the kinds: first how it hides people, then which."""
    there = {obstacles.KINDS[name].stance for name in names}
    chances = {stance: share for stance, share in stances if stance in there}
    stance = rng.choice(list(chances), p=np.array(list(chances.values())) / sum(chances.values()))
    found = [obstacles.KINDS[name] for name in names if obstacles.KINDS[name].stance == stance]
    return found[rng.integers(len(found))]


def _nobody() -> Scene:
    raise AssertionError("an obstacle that stays contains no person")


def hidden_share(target: Scene, others: Sequence[Scene], view: View, box: Box, rows: int = 72) -> float:
    """Share of the target's body in the box that `others` hide."""
    return _share(_look(target, view, box, rows), others)


@dataclass(frozen=True)
class _Look:
    """Hits of rays on the target alone, and which of them [m] meet its body."""

    hits: Hits
    body: np.ndarray


def _look(target: Scene, view: View, box: Box, rows: int = 72) -> _Look:
    rays = view.rays(*box.centres(rows, max(8, round(rows * box.width / box.height))))
    hits = trace([target], rays)
    return _Look(hits, np.flatnonzero(_body(target, hits)))


def _share(look: _Look, others: Sequence[Scene]) -> float:
    if not len(look.body):
        return 1.0
    return float(covered(look.hits, look.body, others).mean())


def _body(target: Scene, hits: Hits) -> np.ndarray:
    """[n] bool: rays that meet a part of the body, not a bag."""
    found: np.ndarray = hits.layer == TARGET
    found[found] = target.mesh.part[hits.face[found]] != BACKGROUND
    return found


def _around_visible(stand: _Stand, obstacle: Scene) -> Box:
    """The box that a detector draws around what is left of a half-hidden person."""
    rows, columns, box = 72, 28, stand.box
    x, y = box.centres(rows, columns)
    hits = trace([stand.target, obstacle], stand.view.rays(x, y))
    seen = _body(stand.target, hits).reshape(rows, columns)
    if seen.mean() < 0.04:
        return box
    down, across = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    margin = 0.04 * box.height
    return Box(
        max(box.left, float(x[across[0]]) - margin),
        max(box.top, float(y[down[0]]) - margin),
        min(box.right, float(x[across[-1]]) + margin),
        min(box.bottom, float(y[down[-1]]) + margin),
    )
