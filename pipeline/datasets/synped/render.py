"""Rendering of one picture: photograph, ground-truth mask and joints.

Input is the plan and an index. Reads and writes no files. Picture i depends on (size, seed, style, i) alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped import light as lighting
from pipeline.datasets.synped.camera import Camera
from pipeline.datasets.synped.light import Light
from pipeline.datasets.synped.photo import develop
from pipeline.datasets.synped.place import Place
from pipeline.datasets.synped.plan import DatasetPlan
from pipeline.datasets.synped.raycast import NOTHING, Hits, covered, trace
from pipeline.datasets.synped.shot import TARGET, Shot, camera_of, compose
from pipeline.datasets.synped.style import STYLES, Sky

# Two rays per pixel, a quarter of it up and left of its centre and as much down and right: edges of any direction are
# smoothed, for half of what four rays cost.
RAYS = 2
ROWS = (96, 320)  # native heights of crops, pixels
FAR_BEHIND = 2.5  # metres behind the person where a picture may be out of focus
BRIGHTEST = 4.0  # radiance at which a ray saturates, so that one mirror does not light up a whole pixel


@dataclass(frozen=True)
class Rendered:
    """One rendered picture.

    image: uint8 [h, w, 3] RGB. mask: uint8 [h, w], class ids of sorn.parts at the pixel centres. quality: for JPEG.
    joints: float32 [17, 3], COCO order: x, y in pixels, 1 where visible or else 0. hidden: share of the body that an
    obstacle hides, before the box was cut.
    """

    image: np.ndarray
    mask: np.ndarray
    joints: np.ndarray
    hidden: float
    quality: int


def render(plan: DatasetPlan, index: int) -> Rendered:
    """Picture `index` of the plan."""
    spec = plan.images[index]
    rng = np.random.default_rng([plan.seed, index])
    style = STYLES[plan.style]
    camera, place, _ = camera_of(plan, spec.camid)
    shot = compose(plan, spec, rng)
    light = _light(camera, place, style.sky, rng)
    native = camera.pixels * shot.box.height / (1.75 / 8) * rng.uniform(0.85, 1.15)
    rows = int(np.clip(native, *ROWS))
    columns = max(24, round(rows * shot.box.width / shot.box.height))
    radiance, level, far = _picture(shot, light, rows, columns, rng)
    hits = _target_hits(shot, rows, columns)
    return Rendered(
        develop(radiance, level, far, camera.response, rng),
        _mask(shot, hits, rows, columns),
        _joints(shot, hits, rows, columns),
        shot.hidden,
        int(np.clip(camera.response.quality + rng.integers(-4, 5), *style.optics.quality)),
    )


def _light(camera: Camera, place: Place, sky: Sky, rng: np.random.Generator) -> Light:
    azimuth = camera.azimuth + float(rng.normal(0, 0.5))
    if place.indoor:
        return lighting.indoor(rng, azimuth, place.ground, sky)
    return lighting.outdoor(rng, bool(rng.random() < camera.sunny), azimuth, place.ground, sky)


def _picture(
    shot: Shot, light: Light, rows: int, columns: int, rng: np.random.Generator
) -> tuple[np.ndarray, float, np.ndarray]:
    """Radiance [rows, columns, 3], mean irradiance, and what is far behind the person [rows, columns] bool."""
    x, y = shot.box.centres(rows, columns)
    aside, down = (np.array([-0.25, 0.25], np.float32) * np.float32(step) for step in shot.box.steps(rows, columns))
    rays = shot.view.rays(x, (y[:, None] + down).ravel(), np.tile(aside, rows))
    hits = trace(shot.scenes, rays)
    shaded = lighting.shade(shot.scenes, hits, light, rng)
    own = hits.layer == TARGET
    away = float(np.median(hits.distance[own])) if own.any() else 8.0
    whole = float(shaded.irradiance.mean())
    level = 0.5 * (whole + (float(shaded.irradiance[own].mean()) if own.any() else whole))
    fine = (rows, RAYS, columns)
    radiance = np.minimum(shaded.radiance, BRIGHTEST).reshape(*fine, 3).mean(axis=1)
    far = np.min(hits.distance.reshape(fine), axis=1) > away + FAR_BEHIND
    return radiance, level, far


def _target_hits(shot: Shot, rows: int, columns: int) -> Hits:
    """Hits of the pixel centres where the target is seen; no other ray has a hit."""
    rays = shot.view.rays(*shot.box.centres(rows, columns))
    hits = trace([shot.scenes[TARGET]], rays)
    met = np.flatnonzero(hits.layer == TARGET)
    others = [scene for number, scene in enumerate(shot.scenes) if number != TARGET]
    hits.layer[met[covered(hits, met, others)]] = NOTHING
    return hits


def _mask(shot: Shot, hits: Hits, rows: int, columns: int) -> np.ndarray:
    mask = np.zeros(rows * columns, np.uint8)
    own = hits.layer == TARGET
    mask[own] = shot.scenes[TARGET].mesh.part[hits.face[own]]
    return mask.reshape(rows, columns)


def _joints(shot: Shot, hits: Hits, rows: int, columns: int) -> np.ndarray:
    """Joints in pixels; visible where the pixel shows the person."""
    tangents = shot.view.project(shot.joints)
    x = (tangents[:, 0] - shot.box.left) / shot.box.width * columns
    y = (tangents[:, 1] - shot.box.top) / shot.box.height * rows
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    cell = np.clip(y, 0, rows - 1).astype(int) * columns + np.clip(x, 0, columns - 1).astype(int)
    visible = inside & (hits.layer[cell] == TARGET)
    return np.stack([x, y, visible], axis=1).astype(np.float32)
