"""Place: what stands still around a camera, and the ground under it.

Reads and writes nothing. The camera stands at the origin and looks along +y; people walk in a wedge in front of it,
which a place leaves free. What surrounds them begins behind and beside that wedge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped.materials import Ground, floor_surface
from pipeline.datasets.synped.mesh import Mesh
from pipeline.datasets.synped.solids import box

SIDE = 0.75  # tangent of the wedge's half angle


@dataclass(frozen=True)
class Place:
    """One place, as a camera sees it.

    mesh: everything fixed. indoor: which light. near, far: distances from the camera at which people walk, metres.
    half_width: how far aside. ground: mean albedo of the ground [3], the light that comes back from it.
    """

    mesh: Mesh
    indoor: bool
    near: float
    far: float
    half_width: float
    ground: np.ndarray


def ground_plane(texture: Ground, gloss: float = 0.0, bump: float = 0.0) -> tuple[Mesh, np.ndarray]:
    """The ground, 160 m wide, and its mean albedo [3] where people walk."""
    floor = box((160, 160, 0.2), (0, 40, -0.1), floor_surface(texture, bump=bump, gloss=gloss))
    x, y = np.meshgrid(np.linspace(-4, 4, 40, dtype=np.float32), np.linspace(4, 14, 40, dtype=np.float32))
    return floor, texture(x.ravel(), y.ravel()).mean(axis=0)
