"""The labeler `torchvision` and the pose finder `keypoint_rcnn`, with random weights that see people, or nobody.

torchvision's own forward pass is the second reader: it must find the same boxes, silhouettes and joints.
"""

from __future__ import annotations

import dataclasses
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.labelers import keypoints, rcnn
from pipeline.labelers.base import Source
from pipeline.labelers.rcnn import KEYPOINT, MASK
from pipeline.runs.config import Runtime
from sorn.parts import CLASSES
from sorn.sample import Status

SOURCE = Source(Manifest("mine", "Mine"), Path())
RUNTIME = Runtime(0, "cpu")
OLD_NAMES = (  # torchvision published its weights under older names than it gives its tensors now
    ("rpn.head.conv.0.0.", "rpn.head.conv."),
    ("blocks.0.0.", "blocks.0."),
    ("blocks.1.0.", "blocks.1."),
    ("blocks.2.0.", "blocks.2."),
    ("blocks.3.0.", "blocks.3."),
    *((f"mask_head.{i}.0.", f"mask_head.mask_fcn{i + 1}.") for i in range(4)),
)


def random_weights(kind: rcnn.Published, seed: int) -> dict[str, torch.Tensor]:
    """Under the published names; every proposal is a person of score 0.95. bfloat16: half the file."""
    torch.manual_seed(seed)
    network = rcnn.build(kind, 64, 0.5)
    with torch.no_grad():
        bias = network.roi_heads.box_predictor.cls_score.bias
        bias.zero_()[1] = np.log(0.95 / 0.05 * (len(bias) - 1))
        network.roi_heads.box_predictor.cls_score.weight.mul_(0.01)
    renamed = {}
    for name, tensor in network.state_dict().items():
        for new, old in OLD_NAMES:
            name = name.replace(new, old)
        renamed[name] = tensor.to(torch.bfloat16)
    return renamed


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("weights")
    paths = {kind.network: folder / f"{kind.network}.pth" for kind in (MASK, KEYPOINT)}
    for seed, kind in enumerate((MASK, KEYPOINT)):
        torch.save(random_weights(kind, seed), paths[kind.network])
    yield {network: str(path) for network, path in paths.items()}
    for path in paths.values():  # 200 MB
        path.unlink()


def create(files: dict[str, str], **options: Any) -> labelers.Labeler:
    weights = {"mask_weights": files["mask_rcnn"], "keypoint_weights": files["keypoint_rcnn"]}
    return labelers.create("torchvision", {**weights, "min_size": 64, "joint_confidence": 0.0, **options}, SOURCE)


def images(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size, 3), np.uint8) for size in sizes]


def records(count: int) -> list[ImageRecord]:
    return [ImageRecord(f"train/{i}.jpg", Path(f"{i}.jpg"), 1, 1, "train") for i in range(count)]


@pytest.fixture(scope="module")
def prepared(files: dict[str, str]) -> Any:
    labeler = create(files)
    labeler.prepare([], RUNTIME)
    return labeler


def label(labeler: Any, items: list[np.ndarray]) -> list[Any]:
    return labeler.label(records(len(items)), items)


def test_torchvisions_own_forward_pass_finds_the_same(prepared: Any) -> None:
    (image,) = images((100, 50))
    network = prepared.mask_network
    network.network.roi_heads.detections_per_img = 1  # its best, which has then no rival
    pixels = [torch.tensor(image).permute(2, 0, 1) / 255]
    try:
        with torch.inference_mode():
            expected = network.network(pixels)[0]
            seen = network.see([image])
            (choice,) = network.choose_people(seen)
            (silhouette,) = network.silhouettes(seen, [choice.box])
            keypoint = prepared.keypoint_network
            own = keypoint.network(pixels)[0]
            box = tuple((own["boxes"][0] / torch.tensor([50, 100, 50, 100])).tolist())
            (joints,) = keypoint.joints(keypoint.see([image]), [box])
    finally:
        network.network.roi_heads.detections_per_img = rcnn.DETECTIONS
    assert np.allclose(np.multiply(choice.box, (50, 100, 50, 100)), expected["boxes"][0].numpy(), atol=1e-3)
    assert choice.score == pytest.approx(float(expected["scores"][0]), abs=1e-6)
    assert (silhouette == (expected["masks"][0, 0].numpy() >= 0.5)).mean() > 0.999
    assert np.allclose(joints[:, :2] * (50, 100), own["keypoints"][0, :, :2].numpy(), atol=0.05)


def test_masks_have_the_image_size_and_say_how_many_people_there_were(prepared: Any) -> None:
    items = images((100, 50), (40, 20), (100, 50), (1, 1))
    found = label(prepared, items)
    for image, labeled in zip(items, found, strict=True):
        assert labeled.mask.shape == image.shape[:2] and labeled.mask.dtype == np.uint8
        assert labeled.mask.max() < len(CLASSES) and labeled.people >= 1
        assert 0 <= labeled.box[0] < labeled.box[2] <= 1 and 0 <= labeled.box[1] < labeled.box[3] <= 1
        assert labeled.score == pytest.approx(0.95, abs=0.04)
    assert found[0].status == (Status.SEVERAL_PEOPLE if found[0].people > 1 else Status.OK)
    assert found[0].mask.any() and found[1].status == Status.LOW_RESOLUTION


def test_a_label_does_not_depend_on_the_other_images_of_the_batch(prepared: Any) -> None:
    items = images((100, 50), (60, 60), (100, 50))
    together, alone = label(prepared, items), [label(prepared, [image])[0] for image in items]
    for a, b in zip(together, alone, strict=True):
        assert a.box == pytest.approx(b.box, abs=1e-4) and (a.mask == b.mask).mean() > 0.999


def test_a_first_image_of_one_row_does_not_mislead_the_network() -> None:
    network: Any = rcnn.build(MASK, 64, 0.5)
    with torch.inference_mode():
        network([torch.zeros(3, 1, 300)])
    for pooler in (network.roi_heads.box_roi_pool, network.roi_heads.mask_roi_pool):
        assert pooler.scales == [1 / 4, 1 / 8, 1 / 16, 1 / 32]


def test_where_nobody_is_sure_enough_the_mask_is_empty_and_says_so(files: dict[str, str]) -> None:
    labeler = create(files, person_score=1.0)
    labeler.prepare([], RUNTIME)
    (found,) = label(labeler, images((80, 40)))
    assert (found.status, found.people, found.score) == (Status.EMPTY, 0, -1) and not found.mask.any()


def test_a_person_without_sure_joints_has_no_parts(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "options", dataclasses.replace(prepared.options, joint_confidence=1.0))
    (found,) = label(prepared, images((80, 40)))
    assert found.status == Status.EMPTY and found.people >= 1 and not found.mask.any()


def test_the_pose_finder(files: dict[str, str]) -> None:
    items = images((100, 50), (90, 60))
    for score, someone in ((0.5, True), (1.0, False)):
        options = {"weights": files["keypoint_rcnn"], "min_size": 64, "person_score": score}
        finder = keypoints.create("keypoint_rcnn", options, SOURCE)
        assert finder is not None
        finder.prepare([], RUNTIME)
        found = np.stack(finder.find(records(2), items))
        assert found.shape == (2, 17, 3) and found.dtype == np.float32 and found.any() == someone
        assert (found[..., 2] >= 0).all() and (found[..., 2] <= 1).all()


def test_confidence_is_the_probability_near_the_peak() -> None:
    logits = torch.zeros(1, 3, 56, 56)  # no idea: one of 3136 cells is as likely as another
    logits[0, 1, 20, 30] = 30  # certain
    logits[0, 2, 0, 0] = np.log(3135)  # half of all at the peak, in a corner; 8 of its neighbours are in the map
    found = rcnn.peak_probability(logits)[0].tolist()
    assert found == pytest.approx([9 / 3136, 1, (3135 + 8) / (2 * 3135)], abs=1e-4)


def test_describe_knows_weights_by_their_content(files: dict[str, str], tmp_path: Path) -> None:
    described = create(files).describe()
    assert described["weights"].count(",") == 1 and len(described["weights"]) == 130
    assert described["options"].keys() == {"person_score", "joint_confidence", "min_size", "low_resolution"}
    (tmp_path / "moved.pth").symlink_to(files["mask_rcnn"])
    assert create(files, mask_weights=str(tmp_path / "moved.pth")).describe() == described
    assert create(files, batch=3).describe() == described != create(files, min_size=96).describe()
    published = labelers.create("torchvision", {}, SOURCE).describe()["weights"]
    assert published == (
        "MaskRCNN_ResNet50_FPN_Weights.COCO_V1 bf2d0c1e, KeypointRCNN_ResNet50_FPN_Weights.COCO_V1 fc266e95"
    )


def test_published_weights_are_those_of_torchvision() -> None:
    for published in (MASK, KEYPOINT):
        kind, _, member = published.enum.partition(".")
        assert getattr(getattr(torchvision.models.detection, kind), member).url == published.url


def test_every_tensor_of_torchvisions_network_has_its_place(files: dict[str, str]) -> None:
    """Its own builder, without weights, has batch norms that count; the published files have none of those counts."""
    for published, builder in ((MASK, "maskrcnn_resnet50_fpn"), (KEYPOINT, "keypointrcnn_resnet50_fpn")):
        theirs = getattr(torchvision.models.detection, builder)(weights=None, weights_backbone=None).state_dict()
        ours = rcnn.build(published, 64, 0.5).state_dict()
        shapes = {name: tensor.shape for name, tensor in theirs.items() if not name.endswith("num_batches_tracked")}
        assert shapes == {name: tensor.shape for name, tensor in ours.items()}


def test_weights_that_do_not_fit_are_refused(files: dict[str, str], tmp_path: Path) -> None:
    swapped = create({"mask_rcnn": files["keypoint_rcnn"], "keypoint_rcnn": files["mask_rcnn"]})
    with pytest.raises(
        UserError, match=r"keypoint_rcnn\.pth does not fit mask_rcnn \(\d+ differences\): .*maskrcnn_resnet50.*bf2d0c1e"
    ):
        swapped.prepare([], RUNTIME)
    few = tmp_path / "few.pth"
    torch.save({"x": torch.zeros(1)}, few)
    with pytest.raises(UserError, match=r"few\.pth does not fit mask_rcnn .*backbone\.body\.conv1\.weight is missing"):
        create(files, mask_weights=str(few)).prepare([], RUNTIME)
    few.write_bytes(b"not a zip")
    with pytest.raises(UserError, match=r"few\.pth cannot be read"):
        create(files, mask_weights=str(few)).prepare([], RUNTIME)
    with pytest.raises(UserError, match=r"no weights file nowhere\.pth\. .*--set masks\.options\.mask_weights=FILE"):
        create(files, mask_weights="nowhere.pth").describe()


def test_without_a_network_the_url_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(url: str, path: str, digits: str) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        UserError,
        match=r"https://download\.pytorch\.org/models/maskrcnn\S+bf2d0c1e\.pth could not be downloaded.*no route"
        r".*--set masks\.options\.mask_weights=FILE",
    ):
        labelers.create("torchvision", {}, SOURCE).prepare([], RUNTIME)
    kept = tmp_path / "checkpoints" / MASK.file
    kept.write_bytes(b"half of it")
    with pytest.raises(UserError, match=r"bf2d0c1e\.pth is damaged: its sha256 is not bf2d0c1e"):
        labelers.create("torchvision", {}, SOURCE).prepare([], RUNTIME)


@pytest.mark.parametrize(
    ("option", "value"),
    [("person_score", 1.5), ("joint_confidence", -0.1), ("min_size", 8), ("batch", 0), ("mask_weights", "")],
)
def test_options_out_of_range(option: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"labeler torchvision: {option} = "):
        labelers.create("torchvision", {option: value}, SOURCE)
