"""The labeler and the keypoint finder `blazepose`, with stand-ins for the networks.

The last test takes the real networks, where `make weights-blazepose` has fetched them.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blazepose_networks import FIGURE, Scene, install, require_real

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.synped.plan import SIZES, make_plan
from pipeline.datasets.synped.render import render
from pipeline.errors import LostFile, UserError
from pipeline.labelers import blazepose_files, keypoints
from pipeline.labelers.base import Labeled, Source
from pipeline.runs.config import Runtime
from sorn.parts import BACKGROUND, FOOT, HEAD, LOWER_LEG, TORSO, UPPER_LEG
from sorn.sample import JOINTS, NO_SCORE, WHOLE, Status

SOURCE = Source(Manifest("mine", "Mine"), Path())
IMAGE = np.full((200, 100, 3), 128, np.uint8)
# Score, hips, a point on the circle around the body, shoulders: in fractions of the crop's square.
UPRIGHT = (0.9, (0.5, 0.5), (0.5, 0.02), (0.5, 0.3))
BEYOND = (0.9, (0.5, 0.9), (0.5, 0.1), (0.5, 0.5))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return install(tmp_path, monkeypatch)


def create(folder: Path, **options: Any) -> labelers.Labeler:
    labeler = labelers.create("blazepose", {"folder": str(folder), **options}, SOURCE)
    labeler.prepare([], Runtime())
    return labeler


def label(folder: Path, image: np.ndarray = IMAGE, **options: Any) -> Labeled:
    return create(folder, **options).label([], [image])[0]


def at_crop(joint: str, image: np.ndarray = IMAGE) -> tuple[int, int]:
    """Row and column of a joint of the figure, where the region is the crop's square, 1.25 times as large."""
    x, y = FIGURE[JOINTS.index(joint)] - 0.5
    side = 1.25 * max(image.shape[:2])
    return int(image.shape[0] / 2 + y * side), int(image.shape[1] / 2 + x * side)


def test_without_a_detection_the_crop_is_the_region(scene: Scene, tmp_path: Path) -> None:
    found = label(tmp_path)
    assert (found.status, found.people, found.box, found.score) == (Status.OK, 1, WHOLE, NO_SCORE)
    assert found.mask.shape == (200, 100) and found.mask.dtype == np.uint8
    for joint, part in (("nose", HEAD), ("left_ankle", FOOT)):
        row, column = at_crop(joint)
        assert found.mask[row + (3 if part == FOOT else 0), column] == part
    (row, column), (knee, beside) = at_crop("left_hip"), at_crop("right_knee")
    assert found.mask[row + 10, column] == UPPER_LEG and found.mask[knee + 12, beside] == LOWER_LEG
    assert found.mask[80, 50] == TORSO
    (pixels,) = scene.seen["pose_landmark_heavy"]
    filled = pixels[..., 0] > 0
    assert pixels.shape == (256, 256, 3) and pixels.max() <= 1  # the crop is 205 of 256 pixels high, 102 wide
    assert filled.any(axis=1).sum() == pytest.approx(204.8, abs=1.1)
    assert filled.any(axis=0).sum() == pytest.approx(102.4, abs=1.1)


def rows_filled(scene: Scene) -> int:
    """Rows of the pose network's input, of 256, that the crop covers: 204.8 where its own square is the region."""
    (pixels,) = scene.seen["pose_landmark_heavy"]
    return int((pixels[..., 0] > 0).any(axis=1).sum())


def test_a_body_that_reaches_beyond_the_crop_gives_the_region(scene: Scene, tmp_path: Path) -> None:
    scene.people = [BEYOND]
    found = label(tmp_path)
    assert found.people == 1 and found.score == pytest.approx(0.9, abs=1e-6)
    assert found.box == pytest.approx((0, 0.1, 1, 1))
    assert rows_filled(scene) == pytest.approx(
        128, abs=1.1
    )  # the radius is 0.8 of the crop's side, the region's side 2.5 times as long


def test_a_body_within_the_crop_is_counted_and_not_followed(scene: Scene, tmp_path: Path) -> None:
    scene.people = [UPRIGHT]
    found = label(tmp_path)
    assert found.box == pytest.approx((0, 0.02, 1, 0.98), abs=1e-4)  # a circle around the hips, cut by the image
    assert found.people == 1 and rows_filled(scene) == pytest.approx(204.8, abs=1.1)


@pytest.mark.parametrize("shoulders", [(0.5, 0.99), (0.99, 0.8), (0.5, 0.9)])  # upside down, lying, without a torso
def test_a_detection_that_is_not_upright_is_counted_and_not_followed(
    scene: Scene, tmp_path: Path, shoulders: tuple[float, float]
) -> None:
    scene.people = [(*BEYOND[:3], shoulders)]
    found = label(tmp_path)
    assert (found.status, found.people) == (Status.OK, 1) and rows_filled(scene) == pytest.approx(204.8, abs=1.1)


def test_nobody(scene: Scene, tmp_path: Path) -> None:
    scene.score = 0.4
    found = label(tmp_path)
    assert (found.status, found.people) == (Status.EMPTY, 0) and not found.mask.any()
    scene.people = [BEYOND]
    found = label(tmp_path)
    assert (found.status, found.people) == (Status.EMPTY, 1) and not found.mask.any()
    assert len(scene.seen["pose_landmark_heavy"]) == 3  # the detector's region, then the crop
    assert label(tmp_path, min_score=0.3).status == Status.OK


def test_a_pose_that_stands_on_its_head_is_nobody(scene: Scene, tmp_path: Path) -> None:
    scene.joints[:, 1] = 1 - scene.joints[:, 1]
    found = label(tmp_path)
    assert found.status == Status.EMPTY and not found.mask.any()


def test_several_people_are_those_of_the_detector(scene: Scene, tmp_path: Path) -> None:
    beside = (0.8, (0.3, 0.5), (0.3, 0.1), (0.3, 0.3))
    again = (0.7, (0.54, 0.5), (0.54, 0.02), (0.54, 0.3))  # overlaps the first: the same person
    unsure = (0.4, (0.7, 0.5), (0.7, 0.1), (0.7, 0.3))
    scene.people = [UPRIGHT, beside, again, unsure]
    found = label(tmp_path)
    assert (found.status, found.people) == (Status.SEVERAL_PEOPLE, 2)
    assert label(tmp_path, person_score=0.85).status == Status.OK


def test_low_resolution(scene: Scene, tmp_path: Path) -> None:
    found = label(tmp_path, IMAGE[:40, :20])
    assert found.status == Status.LOW_RESOLUTION and found.mask.any()
    assert label(tmp_path, IMAGE[:40, :20], low_resolution=40).status == Status.OK


def test_a_hidden_limb_takes_its_pixels_away(scene: Scene, tmp_path: Path) -> None:
    whole = label(tmp_path).mask
    for joint in ("left_knee", "left_ankle"):
        scene.visible[JOINTS.index(joint)] = -5
    mask = label(tmp_path, visible=0.5).mask
    lower = whole == LOWER_LEG
    assert (mask[lower & (mask > 0)] == LOWER_LEG).all()  # nothing else is painted there
    (knee, left), (_, right) = at_crop("left_knee"), at_crop("right_knee")
    assert mask[knee + 10, left] == BACKGROUND and mask[knee + 10, right] == LOWER_LEG
    hip = at_crop("left_hip")[0]
    # From the visible hip to the hidden knee: the upper half of the thigh is seen.
    assert mask[hip + (knee - hip) // 4, left] == UPPER_LEG and mask[knee - 5, left] == BACKGROUND
    assert (mask[whole != mask] == BACKGROUND).all()
    assert np.array_equal(label(tmp_path, visible=0.0).mask, whole)


def test_an_obstacle_in_the_silhouette_of_selfie_segmentation(scene: Scene, tmp_path: Path) -> None:
    scene.selfie[128:] = 0
    mask = label(tmp_path, silhouette="selfie").mask
    assert mask[:99].any() and not mask[101:].any()


def test_the_silhouette_falls_back_where_too_little_remains(scene: Scene, tmp_path: Path) -> None:
    scene.selfie[:] = 0
    by_pose = label(tmp_path, silhouette="pose").mask
    assert np.array_equal(by_pose, label(tmp_path, silhouette="selfie").mask)
    scene.silhouette = -5.0
    limbs = label(tmp_path, silhouette="selfie").mask
    assert limbs.any() and (by_pose[limbs > 0] == limbs[limbs > 0]).all() and (limbs > 0).sum() < (by_pose > 0).sum()
    assert np.array_equal(label(tmp_path, silhouette="pose").mask, limbs)
    scene.selfie[:] = 1
    assert not np.array_equal(label(tmp_path, silhouette="selfie").mask, limbs)


def test_without_any_visible_limb_the_image_is_empty(scene: Scene, tmp_path: Path) -> None:
    scene.visible[:] = -5
    found = label(tmp_path)
    assert (found.status, found.people) == (Status.EMPTY, 1) and not found.mask.any()


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (1200, 900)])
def test_images_of_any_shape(scene: Scene, tmp_path: Path, size: tuple[int, int]) -> None:
    scene.people = [BEYOND]
    assert label(tmp_path, np.zeros((*size, 3), np.uint8)).mask.shape == size


def test_several_threads_have_networks_of_their_own(scene: Scene, tmp_path: Path) -> None:
    labeler, both = create(tmp_path, silhouette="selfie"), threading.Barrier(2)
    answer = scene.answer

    def wait(network: str, pixels: np.ndarray) -> list[np.ndarray]:
        if network == "selfie_segmentation":
            both.wait(timeout=20)  # passes only if two threads are at work at the same time
        return answer(network, pixels)

    scene.answer = wait  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: labeler.label([], [IMAGE])[0], range(2))
    assert np.array_equal(one.mask, two.mask)
    module: Any = sys.modules["ai_edge_litert.interpreter"]
    assert set(module.Interpreter.threads) == {1} and len(module.Interpreter.threads) == 6


def test_the_keypoint_finder(scene: Scene, tmp_path: Path) -> None:
    finder = keypoints.create("blazepose", {"folder": str(tmp_path)}, SOURCE)
    assert finder is not None
    finder.prepare([], Runtime())
    scene.joints[JOINTS.index("left_ankle")] = (0.5, 0.99)  # below the image: the crop ends at 0.9 of the region
    (found,) = finder.find([], [IMAGE])
    assert found.dtype == np.float32 and found.shape == (17, 3)
    nose = found[JOINTS.index("nose")]
    assert nose == pytest.approx((0.5, 0.5 + 1.25 * (0.15 - 0.5), 1 / (1 + np.exp(-5))), abs=1e-5)
    assert found[JOINTS.index("left_ankle"), 1] > 1 and found[JOINTS.index("left_ankle"), 2] == 0
    scene.score = 0.1
    assert not finder.find([], [IMAGE])[0].any()
    assert "selfie_segmentation" not in scene.seen


def test_describe_knows_the_networks_by_content_and_needs_none(tmp_path: Path) -> None:
    described = labelers.create("blazepose", {}, SOURCE).describe()
    assert described == labelers.create("blazepose", {"folder": str(tmp_path)}, SOURCE).describe()
    heavy, detector = str(described["weights"]).split(", ")
    assert heavy == blazepose_files.POSE["heavy"].sha256 and detector == blazepose_files.DETECTOR.sha256
    assert labelers.create("blazepose", {"model": "lite"}, SOURCE).describe()["weights"] != described["weights"]
    by_selfie = labelers.create("blazepose", {"silhouette": "selfie"}, SOURCE).describe()
    assert by_selfie["weights"] == f"{heavy}, {detector}, {blazepose_files.SELFIE.sha256}"


def test_networks_that_are_not_there_or_damaged(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "pose_landmark_heavy.tflite"
    path.write_bytes(b"half of it")
    with pytest.raises(
        UserError, match=r"pose_landmark_heavy\.tflite is damaged .*Fetch it again: sorn weights blazep"
    ):
        create(tmp_path)
    path.unlink()
    with pytest.raises(LostFile, match=r"heavy\.tflite does not exist\. Fetch it: sorn weights blazepose"):
        create(tmp_path)
    create(tmp_path, model="lite")


def test_without_litert_the_command_that_installs_it(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match=r"needs the package ai-edge-litert.* -m pip install 'ai-edge-litert>="):
        create(tmp_path)


@pytest.mark.parametrize(
    ("option", "value"),
    [("model", "huge"), ("min_score", 2), ("person_score", 0), ("visible", -1), ("silhouette", "none"), ("share", 2),
     ("low_resolution", -1)],
)  # fmt: skip
def test_options_out_of_range(option: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"labeler blazepose: {option} = "):
        labelers.create("blazepose", {option: value}, SOURCE)


@pytest.mark.slow
def test_the_real_networks(rendered: list[np.ndarray]) -> None:
    """Equal masks from networks that were used before, from new ones, and from two threads."""
    labeler = labelers.create("blazepose", {"folder": str(require_real())}, SOURCE)
    labeler.prepare([], Runtime())
    found = labeler.label([], rendered)
    again = labeler.label([], rendered[::-1])[::-1]
    with ThreadPoolExecutor(2) as pool:
        threads = list(pool.map(lambda image: labeler.label([], [image])[0], rendered))
    labeler.prepare([], Runtime())
    new = labeler.label([], rendered)
    for others in (again, threads, new):
        assert all(np.array_equal(one.mask, other.mask) for one, other in zip(found, others, strict=True))
    assert sum(one.status == Status.OK for one in found) >= len(found) - 1
    head, foot = (np.mean([np.nonzero(one.mask == part)[0].mean() for one in found]) for part in (HEAD, LOWER_LEG))
    assert head < foot


@pytest.fixture
def rendered() -> list[np.ndarray]:
    """A few pictures of SynPed's people whom nothing hides."""
    plan = make_plan(SIZES["demo"], 0)
    chosen = [spec.index for spec in plan.images if spec.split == "train" and not spec.occluded][:4]
    return [render(plan, index).image for index in chosen]
