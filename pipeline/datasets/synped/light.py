"""Light: sun or lamps, sky, and the radiance of ray hits.

Reads and writes nothing. Sun and sky are visible or hidden per ray hit (one ray each, then averaged over neighbours of
the same layer). This gives soft shadows, darker folds and the shadow under the shoes that connects a person to the
ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped.elementary import power, product
from pipeline.datasets.synped.noise import CELLS, smooth_table
from pipeline.datasets.synped.raycast import NOTHING, Hits, Scene, blocked
from pipeline.datasets.synped.shade_kernels import (
    face_viewer,
    interpolated,
    lighten,
    neighbours_mean,
    normalise,
    off_surface,
    scatter,
    sorted_by_surface,
    tilt,
)
from pipeline.datasets.synped.sky_kernels import sky_rays, sky_seen, spread_out
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
        radiance = np.empty((len(directions), 3), np.float32)
        sky_seen(np.ascontiguousarray(directions), np.stack([self.sky, self.haze, self.ground * 0.6]), radiance)
        return radiance


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
    light: Light,
    rng: np.random.Generator,
) -> Shaded:
    """Radiance of every ray."""
    rays, directions = hits.rays, hits.rays.directions
    found = np.flatnonzero(hits.layer != NOTHING)
    points = _surface_points(scenes, hits, directions, found)
    position = off_surface(rays.view.eye, hits.distance, directions, points.flat, found, OFFSET)
    sun_free, sky_free = _visibility(scenes, hits, found, position, points, light, rays.shape, rng)
    mirror = np.zeros_like(points.albedo)
    shiny = np.flatnonzero(points.gloss > 0)
    if len(shiny):
        mirror[shiny] = _mirror(points, directions[found[shiny]], shiny, light, sky_free, sun_free)
    radiance = np.empty((len(directions), 3), np.float32)
    irradiance = np.ones(len(directions), np.float32)
    side = 1 + light.side_share * product(points.normals, light.side)
    facing = product(points.normals, light.sun)
    fade = np.exp(-hits.distance[found] / light.haze_length)
    colours = np.stack([light.sky, light.ground, light.sun_colour, light.haze])
    lighten(
        found,
        points.albedo,
        points.normals,
        side,
        sky_free,
        facing,
        fade,
        sun_free,
        mirror,
        colours,
        radiance,
        irradiance,
    )
    missed = np.flatnonzero(hits.layer == NOTHING)
    radiance[missed] = light.environment(directions[missed])
    return Shaded(radiance, irradiance)


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
        order, starts = sorted_by_surface(scene.mesh.surface, hits.face[found[here]], len(scene.mesh.surfaces))
        here = here[order]
        made = scene.prepared
        of_faces, of_vertices = made.normals
        mesh = (made.faces, scene.mesh.smooth, of_vertices, of_faces, made.coords)
        normal, even, place = interpolated(found[here], hits.face, hits.u, hits.v, *mesh)
        albedo, points.gloss[here] = _surfaces(scene, starts, place, normal)
        scatter(here, scene.turned(normal), scene.turned(even), albedo, points.normals, points.flat, points.albedo)
    for vectors in (points.normals, points.flat):
        face_viewer(vectors, directions, found)
    return points


def _surfaces(scene: Scene, starts: np.ndarray, place: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Albedo and gloss of hits that are sorted by surface, each surface evaluated once; `normal` is tilted in place.

    starts: where the hits of each surface begin, [surfaces + 1].
    """
    albedo, gloss = np.empty_like(place), np.zeros(len(place), np.float32)
    for number in np.flatnonzero(np.diff(starts)):
        look, own = scene.mesh.surfaces[number], slice(starts[number], starts[number + 1])
        albedo[own] = look.albedo(place[own])
        gloss[own] = look.gloss
        if look.bump > 0:
            tilt(normal[own], place[own], 0.5 * look.bump, CELLS / look.bump_scale, smooth_table())
    normalise(normal)
    return albedo, gloss


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
    columns = grid[1]
    chosen = np.flatnonzero((found // columns + found % columns) % 2 == 0)
    first, second = spread_out(found[chosen], columns, rng.random(), rng.random())
    angle = 2 * np.pi * first
    origins, towards_sky = sky_rays(chosen, position, points.flat, np.cos(angle), np.sin(angle), 1 - 2 * second)
    dark = blocked(scenes, origins, towards_sky, light.sky_reach)
    sky_free = neighbours_mean(dark, found[chosen], found, hits.layer, columns, 3)
    sun_free = np.ones(len(found), np.float32)
    if light.sun_colour.max() > 0.02:
        hard = light.spread < 0.1
        ask = np.arange(len(found)) if hard else chosen
        lit = ask[product(points.flat[ask], light.sun) > 0]
        jitter = rng.random((len(lit), 3), dtype=np.float32) * 2 - 1
        towards_sun = light.sun + np.float32(light.spread) * jitter
        normalise(towards_sun)
        shaded = np.zeros(len(found), bool)
        shaded[lit] = blocked(scenes, position[lit], towards_sun, light.sun_reach)
        if light.spread > SHARP:
            sun_free = neighbours_mean(shaded[ask], found[ask], found, hits.layer, columns, 2 if hard else 3)
        else:
            sun_free[shaded] = 0
    return sun_free, sky_free


def _mirror(
    points: _Points, view: np.ndarray, shiny: np.ndarray, light: Light, sky_free: np.ndarray, sun_free: np.ndarray
) -> np.ndarray:
    normal = points.normals[shiny]
    cos = np.einsum("ij,ij->i", normal, view)
    mirrored = view - 2 * cos[:, None] * normal
    grazing = ((1 - np.clip(-cos, 0, 1)) ** 2) ** 2
    share = points.gloss[shiny] * (0.35 + 0.65 * grazing)
    spot = power(np.clip(product(mirrored, light.sun), 0, None), 60) * sun_free[shiny] * 3
    mirrored_light: np.ndarray = share[:, None] * (
        light.environment(mirrored) * (0.4 + 0.6 * sky_free[shiny, None]) + light.sun_colour * spot[:, None]
    )
    return mirrored_light
