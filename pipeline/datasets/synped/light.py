"""Light: sun or lamps, sky, and the radiance of ray hits.

Reads and writes nothing. Sun and sky are visible or hidden per ray hit (one ray each, then averaged over neighbours of
the same layer). This gives soft shadows, darker folds and the shadow under the shoes that connects a person to the
ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped.noise import smooth3
from pipeline.datasets.synped.raycast import NOTHING, Hits, Scene, blocked, unit
from pipeline.datasets.synped.style import Sky

SHARP = 0.015  # radians of the light below which the edge of a shadow needs no smoothing
OFFSET = 0.004  # metres by which shadow rays start off the surface


@dataclass(frozen=True)
class Light:
    """Light of one picture: sun or lamps, sky, ground.

    Colours are linear RGB [3]; a white matt surface that faces `sky` alone has radiance `sky`. sun: unit vector towards
    the sun or the lamps. sun_colour: irradiance at normal incidence, 0 = overcast. spread: radius of the light in
    radians (lamps: large). sun_reach, sky_reach: metres beyond which nothing casts a shadow (ceilings must not).
    ground: light that comes back from below. side, side_share: where the sky is brighter (windows), by how much.
    """

    sun: np.ndarray
    sun_colour: np.ndarray
    spread: float
    sun_reach: float
    sky: np.ndarray
    ground: np.ndarray
    sky_reach: float
    side: np.ndarray
    side_share: float
    haze: np.ndarray
    haze_length: float

    def environment(self, directions: np.ndarray) -> np.ndarray:
        """Radiance along directions [n, 3] without a hit or in a mirror."""
        up = directions[:, 2:]
        sky = self.haze * (1 - np.clip(up * 3, 0, 1)) + self.sky * np.clip(up * 3, 0, 1)
        return np.where(up > 0, sky, self.ground * 0.6).astype(np.float32)

    def ambient(self, normals: np.ndarray) -> np.ndarray:
        """Irradiance from sky and ground for unit normals [n, 3]: [n, 3]."""
        up = 0.5 + 0.5 * normals[:, 2:]
        side = 1 + self.side_share * (normals @ self.side)[:, None]
        irradiance: np.ndarray = ((self.sky * up + self.ground * (1 - up)) * side).astype(np.float32)
        return irradiance


def outdoor(rng: np.random.Generator, sunny: bool, azimuth: float, ground: np.ndarray, look: Sky) -> Light:
    """Daylight. azimuth: of the sun, radians. ground: mean ground albedo [3]."""
    elevation = rng.uniform(*look.elevation)
    sun = np.array(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)], dtype=np.float32
    )
    warmth = rng.uniform(*look.warmth)
    sun_colour = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32) * (
        rng.uniform(0.9, 2.2) if sunny else rng.uniform(0, 0.35)
    )
    cold = rng.uniform(0.0, 0.1) if sunny else rng.uniform(-0.03, 0.03)  # cameras balance an overcast sky away
    sky = np.array([1 - cold, 1, 1 + cold], dtype=np.float32) * rng.uniform(0.8, 1.1)
    below = ground * (sky + sun_colour * sun[2]) * 0.85
    haze = np.array([0.95, 1.0, 1.05], dtype=np.float32) * rng.uniform(0.9, 1.3)
    turn = rng.uniform(0, 2 * np.pi)
    side = np.array([np.cos(turn), np.sin(turn), 0], dtype=np.float32)
    return Light(
        sun,
        sun_colour,
        rng.uniform(0.01, 0.05) if sunny else rng.uniform(0.15, 0.4),
        60.0,
        sky,
        below.astype(np.float32),
        7.0,
        side,
        float(rng.uniform(0.05, 0.35)),
        haze,
        float(rng.uniform(300, 1500)),
    )


def indoor(rng: np.random.Generator, azimuth: float, ground: np.ndarray, look: Sky) -> Light:
    """Light of ceiling lamps and one bright side (windows)."""
    lean = rng.uniform(0.1, 0.7)
    sun = np.array([np.cos(azimuth) * np.sin(lean), np.sin(azimuth) * np.sin(lean), np.cos(lean)], dtype=np.float32)
    warmth = rng.uniform(*look.lamps)
    tint = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    sky = tint * rng.uniform(0.55, 0.8)
    lamps = tint * rng.uniform(0.2, 0.7)
    below = (ground * (sky + lamps * sun[2]) * 0.9 + 0.08).astype(np.float32)
    side = np.array([np.cos(azimuth), np.sin(azimuth), 0], dtype=np.float32)
    return Light(
        sun,
        lamps,
        rng.uniform(0.25, 0.5),
        1.6,
        sky,
        below,
        1.8,
        side,
        float(rng.uniform(0.15, 0.5)),
        (tint * 0.8).astype(np.float32),
        400.0,
    )


@dataclass(frozen=True)
class Shaded:
    """Radiance [n, 3] and its mean irradiance [n], for the exposure; both float32."""

    radiance: np.ndarray
    irradiance: np.ndarray


def shade(
    scenes: Sequence[Scene],
    hits: Hits,
    origin: np.ndarray,
    directions: np.ndarray,
    light: Light,
    grid: tuple[int, int],
    rng: np.random.Generator,
) -> Shaded:
    """Radiance of every ray from `origin` [3]; grid: (rows, columns)."""
    radiance = light.environment(directions)
    found = np.flatnonzero(hits.layer != NOTHING)
    points = _surface_points(scenes, hits, directions, found)
    seen = directions[found]
    position = origin + hits.distance[found, None] * seen + OFFSET * points.flat
    sun_free, sky_free = _visibility(scenes, hits, found, position, points, light, grid, rng)

    facing = np.clip(points.normals @ light.sun, 0, None) * sun_free
    irradiance = light.ambient(points.normals) * (0.22 + 0.78 * sky_free)[:, None] + light.sun_colour * facing[:, None]
    colour = points.albedo * irradiance
    shiny = np.flatnonzero(points.gloss > 0)
    if len(shiny):
        colour[shiny] += _mirror(points, seen, shiny, light, sky_free, sun_free)
    fade = np.exp(-hits.distance[found] / light.haze_length)[:, None]
    radiance[found] = colour * fade + light.haze * (1 - fade)
    total = np.ones(len(directions), dtype=np.float32)
    total[found] = irradiance.mean(axis=1)
    return Shaded(radiance, total)


@dataclass
class _Points:
    """Surface properties at n hits: shading normals, geometric normals (both towards the viewer), albedo, gloss."""

    normals: np.ndarray
    flat: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray


def _surface_points(scenes: Sequence[Scene], hits: Hits, directions: np.ndarray, found: np.ndarray) -> _Points:
    count = len(found)
    normals, flat, colour = (np.empty((count, 3), np.float32) for _ in range(3))
    points = _Points(normals, flat, colour, np.zeros(count, np.float32))
    layers = hits.layer[found]
    for layer, scene in enumerate(scenes):
        here = np.flatnonzero(layers == layer)
        if not len(here):
            continue
        rays = found[here]
        face = hits.face[rays]
        u, v = hits.u[rays], hits.v[rays]
        weights = np.stack([1 - u - v, u, v], axis=1)
        normal = np.einsum("nk,nkc->nc", weights, scene.corner_normals[face])
        place = np.einsum("nk,nkc->nc", weights, scene.corner_coords[face])
        albedo, normal, gloss = _surfaces(scene, scene.mesh.surface[face], place, normal)
        points.normals[here] = normal @ scene.turn.T
        points.flat[here] = scene.face_normals[face] @ scene.turn.T
        points.albedo[here], points.gloss[here] = albedo, gloss
    towards = directions[found]
    for normals in (points.normals, points.flat):
        away = np.einsum("ij,ij->i", normals, towards) > 0
        normals[away] = -normals[away]
    return points


def _surfaces(
    scene: Scene, surface: np.ndarray, place: np.ndarray, normal: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evaluate each surface once, on its own hits only."""
    albedo = np.empty_like(place)
    gloss = np.zeros(len(place), np.float32)
    order = np.argsort(surface, kind="stable")
    bounds = np.flatnonzero(np.diff(surface[order])) + 1
    for group in np.split(order, bounds):
        look = scene.mesh.surfaces[surface[group[0]]]
        albedo[group] = look.albedo(place[group])
        gloss[group] = look.gloss
        if look.bump > 0:
            normal[group] += 0.5 * look.bump * smooth3(place[group], look.bump_scale)
    return albedo, unit(normal), gloss


def _visibility(
    scenes: Sequence[Scene],
    hits: Hits,
    found: np.ndarray,
    position: np.ndarray,
    points: _Points,
    light: Light,
    grid: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Share of the sun and of the sky that reaches each hit, [n] float32 each.

    Both vary slowly where they are soft, so every second hit, chequered, asks and its neighbours share the answer.
    """
    row, column = np.divmod(found, grid[1])
    asks = (row + column) % 2 == 0
    layers = np.full(grid[0] * grid[1], NOTHING, np.int16)
    layers[found] = hits.layer[found]
    chosen = np.flatnonzero(asks)
    first = _spread_out(row[chosen] * 0.7548776662 + column[chosen] * 0.5698402910 + rng.random())
    second = _spread_out(row[chosen] * 0.8191725134 + column[chosen] * 0.6710436067 + rng.random())
    towards_sky = unit(points.flat[chosen] * np.float32(1.001) + _on_ball(first, second))  # cosine distribution
    blocked_sky = blocked(scenes, position[chosen], towards_sky, light.sky_reach)
    sky_free = _averaged(1 - blocked_sky.astype(np.float32), found, chosen, layers, grid, 3)
    sun_free = np.ones(len(found), np.float32)
    if light.sun_colour.max() > 0.02:
        hard = light.spread < 0.1
        ask = np.arange(len(found)) if hard else chosen
        lit = ask[points.flat[ask] @ light.sun > 0]
        jitter = rng.random((len(lit), 3), dtype=np.float32) * 2 - 1
        towards_sun = unit(light.sun + np.float32(light.spread) * jitter)
        sun_free[lit] = 1 - blocked(scenes, position[lit], towards_sun, light.sun_reach).astype(np.float32)
        if light.spread > SHARP:
            sun_free = _averaged(sun_free[ask], found, ask, layers, grid, 2 if hard else 3)
    return sun_free, sky_free


def _spread_out(value: np.ndarray) -> np.ndarray:
    """Multiples of irrational numbers -> [0, 1), float32: neighbours differ, a mean over few is smooth."""
    fraction: np.ndarray = (value - np.floor(value)).astype(np.float32)
    return fraction


def _on_ball(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two uniform numbers per point -> uniform directions [n, 3]."""
    angle, z = 2 * np.pi * first, 1 - 2 * second
    ring = np.sqrt(np.maximum(1 - z * z, 0))
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)


def _averaged(
    values: np.ndarray, found: np.ndarray, chosen: np.ndarray, layers: np.ndarray, grid: tuple[int, int], reach: int
) -> np.ndarray:
    """Values known at found[chosen] -> at every hit the mean over known neighbours of its layer."""
    image = np.zeros(len(layers), np.float32)
    image[found[chosen]] = values
    known = np.zeros(len(layers), np.float32)
    known[found[chosen]] = 1
    result = np.zeros(len(layers), np.float32)
    for layer in range(int(layers.max()) + 1):
        member = layers == layer
        if member.any():
            total = _box_sum((image * member).reshape(grid), reach).ravel()
            weight = _box_sum((known * member).reshape(grid), reach).ravel()
            result[member] = (total / np.maximum(weight, 1))[member]
    averages: np.ndarray = result[found]
    return averages


def _box_sum(image: np.ndarray, reach: int) -> np.ndarray:
    """Sum over the window of 2 reach + 1 around every cell, zero outside."""
    width = 2 * reach + 1
    rows, columns = image.shape
    sums = np.zeros((rows + width, columns + width))
    sums[reach + 1 : reach + 1 + rows, reach + 1 : reach + 1 + columns] = image
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    window: np.ndarray = (
        sums[width:, width:] - sums[:-width, width:] - sums[width:, :-width] + sums[:-width, :-width]
    ).astype(np.float32)
    return window


def _mirror(
    points: _Points, seen: np.ndarray, shiny: np.ndarray, light: Light, sky_free: np.ndarray, sun_free: np.ndarray
) -> np.ndarray:
    normal, view = points.normals[shiny], seen[shiny]
    cos = np.einsum("ij,ij->i", normal, view)
    mirrored = view - 2 * cos[:, None] * normal
    grazing = (1 - np.clip(-cos, 0, 1)) ** 4
    share = points.gloss[shiny] * (0.35 + 0.65 * grazing)
    spot = np.clip(mirrored @ light.sun, 0, None) ** 60 * sun_free[shiny] * 3
    mirrored_light: np.ndarray = share[:, None] * (
        light.environment(mirrored) * (0.4 + 0.6 * sky_free[shiny, None]) + light.sun_colour * spot[:, None]
    )
    return mirrored_light
