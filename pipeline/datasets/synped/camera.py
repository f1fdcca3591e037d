"""Cameras: position, view of a person, and rays.

Reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.datasets.synped.elementary import product
from pipeline.datasets.synped.photo import Response, draw_response
from pipeline.datasets.synped.shade_kernels import view_rays
from pipeline.datasets.synped.style import Style


@dataclass(frozen=True)
class Camera:
    """One camera of SynPed.

    place: a key of Style.places. height: metres above ground. sunny: share of sunny pictures. azimuth: of the sun.
    pixels: native height of a person 1.75 m tall 8 m away. heading: direction in which most people walk, radians; 0 =
    to the camera.
    """

    camid: int
    place: str
    height: float
    sunny: float
    azimuth: float
    pixels: float
    heading: float
    response: Response


def draw_camera(rng: np.random.Generator, camid: int, style: Style) -> Camera:
    """Camera drawn for a camid.

    The places alternate by camid, so that a few cameras see different surroundings.
    """
    names, mounting = list(style.places), style.mounting
    place = names[(camid - 1) % len(names)]
    high = place not in style.low and rng.random() < mounting.high_share
    return Camera(
        camid,
        place,
        height=float(rng.uniform(*(mounting.high if high else mounting.low))),
        sunny=float(rng.uniform(*mounting.sunny)),
        azimuth=float(rng.uniform(0, 2 * np.pi)),
        pixels=float(rng.uniform(*mounting.pixels)),
        heading=float(rng.uniform(-0.9, 0.9)),
        response=draw_response(rng, style.optics),
    )


@dataclass(frozen=True)
class View:
    """A camera looking at one spot.

    eye: [3]; right, up, forward: unit vectors [3].
    """

    eye: np.ndarray
    right: np.ndarray
    up: np.ndarray
    forward: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points [n, 3] in front of the camera -> tangents [n, 2]: to the right, down."""
        offset = points - self.eye
        depth = np.maximum(product(offset, self.forward), 1e-3)
        return np.stack([product(offset, self.right) / depth, -product(offset, self.up) / depth], axis=1)

    @cached_property
    def axes(self) -> np.ndarray:
        """Unit vectors to the right, up and forward, [3, 3] float32."""
        return np.stack([self.right, self.up, self.forward])

    def rays(self, x: np.ndarray, y: np.ndarray, shifts: np.ndarray | None = None) -> Rays:
        """Rays through tangents x (columns) and y (rows), ascending and evenly spaced.

        shifts: added to x in each row.
        """
        if shifts is None:
            shifts = np.zeros(len(y))
        return Rays(self, *(np.ascontiguousarray(values, np.float32) for values in (x, y, shifts)))


@dataclass(frozen=True)
class Rays:
    """Evenly spaced rays of a view, row by row.

    x: [columns], y: [rows], ascending; shifts: [rows], which are added to x in each row; float32 tangents.
    """

    view: View
    x: np.ndarray
    y: np.ndarray
    shifts: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y), len(self.x)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Metres along each ray to a metre along the view's axis, [rows * columns] float32."""
        x = self.x + self.shifts[:, None]
        lengths: np.ndarray = np.sqrt(x * x + (self.y * self.y)[:, None] + np.float32(1)).ravel()
        return lengths

    @cached_property
    def directions(self) -> np.ndarray:
        """Unit vectors [rows * columns, 3] float32."""
        return view_rays(self.x, self.y, self.shifts, self.view.axes)  # type: ignore[no-any-return]


def look_at(eye: np.ndarray, spot: np.ndarray, roll: float) -> View:
    """View from `eye` with `spot` on its axis.

    It is turned around the axis by `roll` radians.
    """
    forward = _unit((spot - eye)[None].astype(np.float32))[0]
    right = _unit(np.array([[forward[1], -forward[0], 0]], np.float32))[0]
    up = np.array([right[i] * forward[j] - right[j] * forward[i] for i, j in ((1, 2), (2, 0), (0, 1))], np.float32)
    cos, sin = np.cos(roll), np.sin(roll)
    return View(
        np.asarray(eye, np.float32),
        (right * cos + up * sin).astype(np.float32),
        (up * cos - right * sin).astype(np.float32),
        forward,
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n, 3] scaled to length 1, float32; zero vectors stay zero."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    scaled: np.ndarray = (vectors / np.maximum(length, 1e-12)[:, None]).astype(np.float32)
    return scaled


@dataclass(frozen=True)
class Box:
    """A crop in tangents: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left

    def centres(self, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Tangents of the pixel centres: x [columns], y [rows]."""
        across, down = self.steps(rows, columns)
        x = self.left + (np.arange(columns, dtype=np.float32) + 0.5) * np.float32(across)
        y = self.top + (np.arange(rows, dtype=np.float32) + 0.5) * np.float32(down)
        return x, y

    def steps(self, rows: int, columns: int) -> tuple[float, float]:
        """Width and height of a pixel, tangents."""
        return self.width / columns, self.height / rows


def box_around(points: np.ndarray) -> Box:
    """The tight box of projected points [n, 2]."""
    x, y = points.T.copy()  # numpy is slow along short rows
    return Box(float(x.min()), float(y.min()), float(x.max()), float(y.max()))


def jitter(tight: Box, rng: np.random.Generator) -> Box:
    """Box with the errors of a detector or of a human annotator.

    The margins differ, and sometimes a little of the head or feet is cut off.
    """
    unit_length = tight.height
    margin = np.clip(rng.normal([0.015, 0.02, 0.015, 0.025], [0.03, 0.025, 0.03, 0.035]), -0.05, 0.14) * unit_length
    left, right = tight.left - margin[0], tight.right + margin[2]
    top, bottom = tight.top - margin[1], tight.bottom + margin[3]
    height = bottom - top
    middle = 0.5 * (left + right) + rng.normal(0, 0.012) * unit_length
    width = np.clip(right - left, rng.uniform(0.26, 0.36) * height, rng.uniform(0.38, 0.5) * height)
    return Box(float(middle - width / 2), float(top), float(middle + width / 2), float(bottom))


def cut(box: Box, rng: np.random.Generator, top: float, bottom: float) -> Box:
    """Box without its upper share `top` and lower share `bottom`.

    It is slightly narrower, as the body is there.
    """
    narrow = rng.uniform(0, 0.12) * box.width
    return Box(box.left + narrow, box.top + top * box.height, box.right - narrow, box.bottom - bottom * box.height)
