"""Obstacles: kinds, and positions that hide part of a person.

Reads and writes nothing. The style defines which splits have which kinds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped import abroad_things, furniture, greenery, structures, vehicles
from pipeline.datasets.synped.elementary import product
from pipeline.datasets.synped.mesh import Mesh, join
from pipeline.datasets.synped.raycast import Scene

NEAREST = 0.8  # metres in front of the camera that stay free

Stranger = Callable[[], Scene]  # another rendered person, background, at the origin


@dataclass(frozen=True)
class Kind:
    """Kind of obstacle.

    build: rng, stranger -> a thing around the origin. gap: metres in front of the person. stance: "low" stands before
    the legs, "side" hides one side, "held" hangs before the body at `heights` (metres).
    """

    build: Callable[[np.random.Generator, Stranger], Scene]
    stance: str
    gap: tuple[float, float]
    heights: tuple[float, float] = (0.0, 0.0)
    turn: float = 3.2
    # Largest turn away from facing the camera, radians; a board or railing must not be seen edge on.
    stays: bool = True
    # Where it is, in picture after picture; people walk on.


def _thing(build: Callable[[np.random.Generator], Mesh]) -> Callable[[np.random.Generator, Stranger], Scene]:
    return lambda rng, stranger: Scene(build(rng))


def _hedge(rng: np.random.Generator) -> Mesh:
    return greenery.hedge(rng, rng.uniform(1.6, 3), rng.uniform(0.7, 1.35), rng.uniform(0.5, 0.9), 0.055, 5200)


def _bush(rng: np.random.Generator) -> Mesh:
    return greenery.bush(rng, rng.uniform(0.9, 1.8), rng.uniform(0.9, 1.6), 0.07, 3000)


def _branch(rng: np.random.Generator) -> Mesh:
    return greenery.branch(rng, rng.uniform(0.6, 1.1))


def _cyclist(rng: np.random.Generator, stranger: Stranger) -> Scene:
    """A person who pushes a bicycle."""
    side = float(rng.choice([-1, 1]))
    return Scene(
        join([vehicles.bicycle(rng).placed(np.pi, (0, 0, 0)), stranger().mesh.placed(0, (side * 0.34, 0.1, 0))])
    )


def _porter(rng: np.random.Generator, stranger: Stranger) -> Scene:
    """A person behind a loaded trolley."""
    return Scene(join([vehicles.cart(rng), stranger().mesh.placed(np.pi, (0, -0.85, 0))]))


def _foliage(rng: np.random.Generator) -> Mesh:
    return greenery.foliage(rng, rng.uniform(0.6, 1.3), rng.uniform(0.6, 1.5))


def _carrier(rng: np.random.Generator, stranger: Stranger) -> Scene:
    """A person who carries a crate before the chest."""
    crate = abroad_things.crate(rng).placed(rng.normal(0, 0.1), (0, -0.42, rng.uniform(0.85, 1.1)))
    return Scene(join([stranger().mesh, crate]))


def _couple(rng: np.random.Generator, stranger: Stranger) -> Scene:
    """Two people close together."""
    beside = (rng.uniform(0.35, 0.6), rng.uniform(-0.25, 0.25), 0)
    turns = rng.uniform(0, 2 * np.pi, size=2)
    return Scene(join([stranger().mesh.placed(turns[0], (0, 0, 0)), stranger().mesh.placed(turns[1], beside)]))


KINDS: dict[str, Kind] = {
    # training
    "car": Kind(_thing(vehicles.car), "low", (0.9, 2.5)),
    "hedge": Kind(_thing(_hedge), "low", (0.5, 2.0), turn=0.4),
    "bin": Kind(_thing(furniture.litter_bin), "low", (0.3, 1.5)),
    "railing": Kind(_thing(structures.railing), "low", (0.3, 1.5), turn=0.4),
    "pillar": Kind(_thing(structures.pillar), "side", (0.5, 2.5), turn=0.3),
    "pole": Kind(_thing(structures.pole), "side", (0.4, 2.5), turn=0.5),
    "chair": Kind(_thing(furniture.chair), "low", (0.3, 1.2), turn=0.7),
    "umbrella": Kind(_thing(furniture.umbrella), "held", (0.4, 1.2), (0.5, 1.75), turn=0.5, stays=False),
    "suitcase": Kind(_thing(furniture.suitcase), "low", (0.3, 1.2), turn=0.8, stays=False),
    "low wall": Kind(_thing(structures.low_wall), "low", (0.4, 2.0), turn=0.4),
    "person": Kind(lambda rng, stranger: stranger(), "side", (0.4, 1.8), stays=False),
    # test
    "bicycle": Kind(_thing(vehicles.bicycle), "low", (0.4, 1.2), turn=1.9),
    "scooter": Kind(_thing(vehicles.scooter), "low", (0.4, 1.5)),
    "van": Kind(_thing(vehicles.van), "side", (1.2, 3.0)),
    "bench": Kind(_thing(furniture.bench), "low", (0.4, 1.5), turn=0.5),
    "table": Kind(_thing(furniture.table), "low", (0.4, 1.5), turn=0.4),
    "board": Kind(_thing(furniture.board), "held", (0.3, 0.8), (0.5, 1.6), turn=0.4, stays=False),
    "tree": Kind(_thing(structures.tree_trunk), "side", (0.4, 2.5)),
    "bush": Kind(_thing(_bush), "low", (0.5, 2.0)),
    "crates": Kind(_thing(furniture.crates), "low", (0.3, 1.2), turn=0.5),
    "branch": Kind(_thing(_branch), "held", (0.4, 1.5), (0.9, 1.8)),
    "cyclist": Kind(_cyclist, "side", (0.6, 1.8), stays=False),
    # labeler and validation
    "pram": Kind(_thing(vehicles.pram), "low", (0.4, 1.2)),
    "door": Kind(_thing(structures.door), "side", (0.4, 1.5), turn=0.6),
    "counter": Kind(_thing(furniture.counter), "low", (0.4, 1.2), turn=0.3),
    "cabinet": Kind(_thing(furniture.cabinet), "low", (0.4, 1.5), turn=0.4),
    "planter": Kind(_thing(structures.planter), "low", (0.4, 1.5), turn=0.4),
    "barrier": Kind(_thing(structures.barrier), "low", (0.4, 1.5), turn=0.4),
    "potted plant": Kind(_thing(greenery.tall_plant), "low", (0.3, 1.2)),
    "porter": Kind(_porter, "side", (0.8, 1.8), stays=False),
    "couple": Kind(_couple, "side", (0.5, 2.0), stays=False),
    "parcel": Kind(_thing(furniture.parcel), "held", (0.25, 0.6), (0.9, 1.75), turn=0.5, stays=False),
    "foliage": Kind(_thing(_foliage), "held", (0.4, 1.5), (0.5, 1.8)),
    # abroad
    "trolley": Kind(_thing(abroad_things.trolley), "low", (0.3, 1.5)),
    "bollards": Kind(_thing(abroad_things.bollards), "low", (0.4, 1.5), turn=0.5),
    "machine": Kind(_thing(abroad_things.machine), "side", (0.4, 2.0), turn=0.6),
    "clothes rail": Kind(_thing(abroad_things.clothes_rail), "low", (0.3, 1.5), turn=0.5),
    "sacks": Kind(_thing(abroad_things.sacks), "low", (0.3, 1.5)),
    "sign": Kind(_thing(abroad_things.sign), "low", (0.3, 1.5), turn=0.5),
    "barrels": Kind(_thing(abroad_things.barrels), "low", (0.4, 1.5), turn=0.5),
    "pallet": Kind(_thing(abroad_things.pallet), "low", (0.4, 1.8), turn=0.7),
    "column": Kind(_thing(abroad_things.column), "side", (0.4, 2.5)),
    "banner": Kind(_thing(abroad_things.banner), "held", (0.4, 1.2), (0.4, 1.7), turn=0.4),
    "carrier": Kind(_carrier, "side", (0.4, 1.8), stays=False),
}


def place(kind: Kind, thing: Scene, eye: np.ndarray, feet: np.ndarray, rng: np.random.Generator) -> Scene:
    """Obstacle moved between camera and person.

    It was built around the origin. eye: [3], the camera. feet: [3], the person.
    """
    distance, view, right = _line_of_sight(eye, feet)
    gap = min(float(rng.uniform(*kind.gap)), 0.6 * distance)
    nearer = (distance - gap) / distance  # what is nearer looks larger: offsets shrink towards the camera
    facing = math.atan2(view[1], view[0]) - math.pi / 2
    yaw = facing + float(rng.uniform(-kind.turn, kind.turn))
    outline = _outline(thing, yaw)
    if np.ptp(product(outline, view)) > distance - gap - NEAREST:  # a car would reach the camera: show its side
        yaw = facing + np.pi / 2 + float(rng.uniform(-0.25, 0.25))
        outline = _outline(thing, yaw)
    across, along = product(outline, right), product(outline, view)
    aside = float(rng.normal(0, 0.2)) * nearer
    if kind.stance == "side":
        edge = float(rng.uniform(-0.22, 0.12)) * nearer  # where the person's axis is cut
        aside = edge - float(across.min()) if rng.random() < 0.5 else -edge - float(across.max())
    elif kind.stance == "low" and np.ptp(across) > 1.4:
        aside = float(rng.uniform(0.25, 0.75)) * float(np.ptp(across)) * float(rng.choice([-1, 1])) * 0.5
    height = 0.0
    if kind.stance == "held":
        height = float(eye[2]) + (float(rng.uniform(*kind.heights)) - float(eye[2])) * nearer
    back = -gap - (float(along.max()) if kind.stance != "held" else 0.0)
    where = feet[:2] + view * back + right * aside
    return thing.placed(yaw, (where[0], where[1], height))


def _outline(thing: Scene, yaw: float) -> np.ndarray:
    """The thing's vertices seen from above, turned by yaw: [V, 2]."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    turned: np.ndarray = product(thing.mesh.vertices[:, :2], np.array([[cos, sin], [-sin, cos]]))
    return turned


def _line_of_sight(eye: np.ndarray, feet: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Distance on the ground, unit vector from the camera to the person, unit vector to the right of it."""
    view = (feet - eye)[:2]
    distance = float(np.hypot(*view))
    view = view / distance
    return distance, view, np.array([view[1], -view[0]])


def behind(
    eye: np.ndarray, feet: np.ndarray, rng: np.random.Generator, reach: tuple[float, float]
) -> tuple[float, tuple[float, float, float]]:
    """Turn and position behind the person, near the line of sight.

    reach: metres behind the person.
    """
    distance, view, right = _line_of_sight(eye, feet)
    away = float(rng.uniform(*reach))
    aside = float(rng.uniform(-0.55, 0.55)) * (distance + away) / distance
    where = feet[:2] + view * away + right * aside
    return float(rng.uniform(0, 2 * np.pi)), (float(where[0]), float(where[1]), 0.0)
