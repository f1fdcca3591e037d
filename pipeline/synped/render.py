"""Rendering one picture of the plan: plan + index -> photograph, exact part mask, joints. Reads and writes no files.

Picture i depends on (size, seed, i) alone. What is costly and shared - a camera's place, the pool of passers-by - is drawn
from streams of its own and kept per process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.synped import light as lighting
from pipeline.synped import obstacles, people
from pipeline.synped.camera import Box, Camera, View, box_around, cut, draw_camera, jitter, look_at
from pipeline.synped.furniture import litter_bin, suitcase
from pipeline.synped.light import Light
from pipeline.synped.people import Identity, Person
from pipeline.synped.photo import develop
from pipeline.synped.places import PLACES, SIDE, Place
from pipeline.synped.plan import CAMERA_STREAM, IDENTITY_STREAM, STRANGER_STREAM, ImageSpec, Plan
from pipeline.synped.raycast import Hits, Scene, trace
from pipeline.synped.vehicles import bicycle, car, scooter
from sorn.parts import BACKGROUND

HIDDEN = (0.15, 0.75)  # share of the body that an obstacle hides in an `occluded` picture
CLEAR = 0.05  # largest share that may be hidden in any other picture
TRIES = 14  # obstacles tried before the best of them is taken
STRANGERS = 12  # passers-by per group: rendered people are costly to build
SUPERSAMPLING = 2  # rays per pixel and axis

PARKED = (car, bicycle, scooter, litter_bin, suitcase)


@dataclass(frozen=True)
class Rendered:
    """image: uint8 [h, w, 3] RGB. mask: uint8 [h, w], class ids of sorn.parts, of the pixel centres. joints: float32 [17, 3], COCO
    order: x, y in pixels, 1 where visible or else 0. hidden: share of the body in the box that an obstacle hides.
    quality: for JPEG."""

    image: np.ndarray
    mask: np.ndarray
    joints: np.ndarray
    hidden: float
    quality: int


@dataclass(frozen=True)
class Shot:
    """A picture before light: who stands where, what hides them, which crop is taken."""

    view: View
    box: Box
    scenes: tuple[Scene, ...]
    joints: np.ndarray
    hidden: float

    @property
    def target(self) -> int:
        return 0


def render(plan: Plan, index: int) -> Rendered:
    """Picture `index` of the plan."""
    spec = plan.images[index]
    rng = np.random.default_rng([plan.seed, index])
    camera, place, still = _camera(plan.seed, spec.camid)
    shot = _shot(plan, spec, camera, place, still, rng)
    scene_light = _light(camera, place, rng)
    rows = int(np.clip(camera.pixels * shot.box.height / (1.75 / 8) * rng.uniform(0.85, 1.15), 72, 320))
    columns = max(24, round(rows * shot.box.width / shot.box.height))
    radiance, level, far = _picture(shot, scene_light, rows, columns, rng)
    x, y = shot.box.centres(rows, columns)
    hits = trace(shot.scenes, *_rays(shot.view, x, y))
    mask = _mask(shot, hits, rows, columns)
    return Rendered(
        develop(radiance, level, far, camera.response, rng),
        mask,
        _joints(shot, hits, rows, columns),
        shot.hidden,
        int(np.clip(camera.response.quality + rng.integers(-4, 5), 70, 95)),
    )


@lru_cache(maxsize=16)
def _camera(seed: int, camid: int) -> tuple[Camera, Place, Scene]:
    rng = np.random.default_rng([seed, CAMERA_STREAM, camid])
    camera = draw_camera(rng, camid)
    place = PLACES[camera.place](rng)
    return camera, place, Scene(place.mesh)


@lru_cache(maxsize=64)
def identity(plan: Plan, pid: int) -> Identity:
    """The person `pid`: drawn, or a look-alike of another one."""
    rng = np.random.default_rng([plan.seed, IDENTITY_STREAM, pid])
    if pid in plan.look_alike:
        return people.look_alike(identity(plan, plan.look_alike[pid]), rng)
    return people.draw_identity(rng)


@lru_cache(maxsize=STRANGERS * 2)
def _stranger(seed: int, group: int, number: int) -> Scene:
    """A passer-by: nobody's target, and in one group of splits only."""
    rng = np.random.default_rng([seed, STRANGER_STREAM, group, number])
    somebody = people.draw_identity(rng)
    return Scene(people.build(somebody, people.draw_pose(rng, somebody)).mesh.as_background())


def _draw_stranger(plan: Plan, spec: ImageSpec, rng: np.random.Generator) -> Scene:
    group = ("train", "val", "test", "labeler").index(
        {"distractor": "test"}.get(plan.groups[spec.pid], plan.groups[spec.pid])
    )
    return _stranger(plan.seed, group, int(rng.integers(STRANGERS)))


def _shot(plan: Plan, spec: ImageSpec, camera: Camera, place: Place, still: Scene, rng: np.random.Generator) -> Shot:
    who = identity(plan, spec.pid)
    person = people.build(who, people.draw_pose(rng, who))
    eye, feet = _stand(camera, place, rng)
    towards = np.arctan2(eye[1] - feet[1], eye[0] - feet[0]) + np.pi / 2  # yaw that looks into the camera
    turn = (
        camera.heading
        + rng.choice([0.0, np.pi, 0.5 * np.pi, -0.5 * np.pi], p=[0.5, 0.3, 0.1, 0.1])
        + rng.normal(0, 0.45)
    )
    person = _placed(person, towards + turn, feet)
    aim = np.array([feet[0], feet[1], 0.9]) + rng.normal(0, [0.5, 0, 0.25])
    view = look_at(eye, aim, float(rng.normal(0, 0.012)))
    target = Scene(person.mesh)
    tight = box_around(view.project(person.mesh.vertices))
    box = jitter(tight, rng)
    others = _surroundings(plan, spec, eye, feet, rng)
    hidden = 0.0
    if spec.occluded:
        obstacle, hidden = _obstacle(plan, spec, target, view, box, eye, feet, rng)
        others.append(obstacle)
        if rng.random() < 0.12:
            box = _around_visible(box, target, obstacle, view)
    elif rng.random() < 0.07:
        head, legs = (0.0, rng.uniform(0.12, 0.5)) if rng.random() < 0.75 else (rng.uniform(0.08, 0.4), 0.0)
        box = cut(box, rng, float(head), float(legs))
    return Shot(view, box, (target, still, *others), person.joints, hidden)


def _stand(camera: Camera, place: Place, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where the camera and the person are: eye [3], feet [3]. People stand nearer more often than at the far end."""
    share = rng.beta(1.3, 2.0)
    distance = place.near + share * (place.far - place.near)
    aside = min(SIDE * 0.8 * distance, place.half_width)
    feet = np.array([rng.uniform(-aside, aside), distance, 0.0])
    eye = np.array([rng.normal(0, 0.3), rng.normal(0, 0.3), camera.height * rng.normal(1, 0.03)])
    return eye, feet


def _placed(person: Person, yaw: float, feet: np.ndarray) -> Person:
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=np.float32)
    return Person(person.mesh.placed(yaw, feet), (person.joints @ turn.T + feet).astype(np.float32))


def _surroundings(
    plan: Plan, spec: ImageSpec, eye: np.ndarray, feet: np.ndarray, rng: np.random.Generator
) -> list[Scene]:
    """Passers-by and parked things behind the person."""
    parts = []
    for _ in range(int(rng.choice(3, p=[0.62, 0.28, 0.1]))):
        yaw, where = obstacles.behind(eye, feet, rng, (0.9, 7.0))
        parts.append(_draw_stranger(plan, spec, rng).placed(yaw, where))
    if rng.random() < 0.2:
        yaw, where = obstacles.behind(eye, feet, rng, (2.6, 7.0))
        parts.append(Scene(PARKED[rng.integers(len(PARKED))](rng)).placed(yaw, where))
    return parts


def _obstacle(
    plan: Plan,
    spec: ImageSpec,
    target: Scene,
    view: View,
    box: Box,
    eye: np.ndarray,
    feet: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Scene, float]:
    """An obstacle that hides a share within HIDDEN of the body, or the one of TRIES that comes nearest; and its share."""
    wanted = float(rng.uniform(0.2, 0.7))
    kinds = obstacles.KINDS_OF[spec.split]
    best: tuple[float, Scene, float] | None = None
    for attempt in range(TRIES):
        if attempt % 4 == 0:
            kind = obstacles.KINDS[kinds[rng.integers(len(kinds))]]
            thing = kind.build(rng, lambda: _draw_stranger(plan, spec, rng))
        placed = obstacles.place(kind, thing, eye, feet, rng)
        share = hidden_share(target, [placed], view, box)
        if best is None or abs(share - wanted) < best[0]:
            best = (abs(share - wanted), placed, share)
        if HIDDEN[0] + 0.03 < share < HIDDEN[1] - 0.03:
            return placed, share
    assert best is not None
    return best[1], best[2]


def hidden_share(target: Scene, others: Sequence[Scene], view: View, box: Box, rows: int = 72) -> float:
    """Share of the target's pixels in the box that `others` hide."""
    columns = max(8, round(rows * box.width / box.height))
    origins, directions = _rays(view, *box.centres(rows, columns))
    body = _body(target, trace([target], origins, directions))
    if not body.any():
        return 1.0
    seen = trace([target, *others], origins[body], directions[body])
    return float((seen.layer != 0).mean())


def _body(target: Scene, hits: Hits) -> np.ndarray:
    """[n] bool: rays that meet a part of the body, not a bag."""
    found = hits.layer == 0
    found[found] = target.mesh.part[hits.face[found]] != BACKGROUND
    return found


def _around_visible(box: Box, target: Scene, obstacle: Scene, view: View) -> Box:
    """The box that a detector draws around what is left of a half-hidden person."""
    rows, columns = 72, 28
    x, y = box.centres(rows, columns)
    hits = trace([target, obstacle], *_rays(view, x, y))
    seen = _body(target, hits).reshape(rows, columns)
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


def _light(camera: Camera, place: Place, rng: np.random.Generator) -> Light:
    azimuth = camera.azimuth + float(rng.normal(0, 0.5))
    if place.indoor:
        return lighting.indoor(rng, azimuth, place.ground)
    return lighting.outdoor(rng, bool(rng.random() < camera.sunny), azimuth, place.ground)


def _rays(view: View, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    directions = view.rays(x, y)
    return np.broadcast_to(view.eye, directions.shape).astype(np.float32), directions


def _picture(
    shot: Shot, light: Light, rows: int, columns: int, rng: np.random.Generator
) -> tuple[np.ndarray, float, np.ndarray]:
    """Radiance [rows, columns, 3], mean irradiance, and what is far behind the person [rows, columns] bool."""
    grid = (rows * SUPERSAMPLING, columns * SUPERSAMPLING)
    x, y = shot.box.centres(*grid)
    origins, directions = _rays(shot.view, x, y)
    hits = trace(shot.scenes, origins, directions)
    shaded = lighting.shade(shot.scenes, hits, shot.view.eye, directions, light, grid, rng)
    own = hits.layer == shot.target
    depth = float(np.median(hits.distance[own])) if own.any() else 8.0
    level = 0.5 * float(shaded.irradiance.mean()) + 0.5 * float(shaded.irradiance[own].mean() if own.any() else 1.0)
    fine = (rows, SUPERSAMPLING, columns, SUPERSAMPLING)
    radiance = np.minimum(shaded.radiance, 4).reshape(*fine, 3).mean(axis=(1, 3))
    far = (hits.distance > depth + 2.5).reshape(fine).mean(axis=(1, 3)) > 0.5
    return radiance, level, far


def _mask(shot: Shot, hits: Hits, rows: int, columns: int) -> np.ndarray:
    mask = np.zeros(rows * columns, np.uint8)
    own = hits.layer == shot.target
    mask[own] = shot.scenes[shot.target].mesh.part[hits.face[own]]
    return mask.reshape(rows, columns)


def _joints(shot: Shot, hits: Hits, rows: int, columns: int) -> np.ndarray:
    """Joints in pixels; visible where the pixel shows the person."""
    tangents = shot.view.project(shot.joints)
    x = (tangents[:, 0] - shot.box.left) / shot.box.width * columns
    y = (tangents[:, 1] - shot.box.top) / shot.box.height * rows
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    cell = np.clip(y.astype(int), 0, rows - 1) * columns + np.clip(x.astype(int), 0, columns - 1)
    visible = inside & (hits.layer[cell] == shot.target)
    return np.stack([x, y, visible], axis=1).astype(np.float32)
