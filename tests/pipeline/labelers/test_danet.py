"""Labeler `danet`: options, checkpoints that are none, and windows that cover every row of an image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.labelers.base import Source
from pipeline.labelers.danet import DANetLabeler, joined, window_tops
from pipeline.runs.config import Runtime
from sorn.danet import DANet
from sorn.sample import Status

ROOT = Path(__file__).parents[3]

SIZE = (32, 16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random DANet that calls everything torso where it is bright, and background elsewhere: by its last bias."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("danet") / "danet.safetensors"
    made = {"network": "danet", "backbone": "resnet18", "image_size": list(SIZE)}
    checkpoints.save_weights(path, DANet("resnet18").state_dict(), made)
    return path


def create(weights: Path, prepare: bool = True, **options: object) -> DANetLabeler:
    labeler = labelers.create("danet", {"weights": str(weights), **options}, Source(Manifest("m", "M"), Path()))
    if prepare:
        labeler.prepare([], Runtime(workers=0, device="cpu"))
    assert isinstance(labeler, DANetLabeler)
    return labeler


def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = [(120, 50), (64, 64), (32, 16), (300, 20), (1, 1), (47, 10)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def test_a_network_is_made_without_torchs_compiler() -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline import labelers; "
        "from pipeline.runs.config import Runtime; from pipeline.datasets.manifest import Manifest; "
        "from pipeline.labelers.base import Source; source = Source(Manifest('name', 'Name'), Path()); "
        "labelers.create('danet', {'weights': 'starter-danet'}, source).prepare([], Runtime(device='cpu')); "
        "print([name for name in ('torch._dynamo', 'torchvision', 'sympy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_weights_with_narrow_heads_are_read_by_their_metadata(tmp_path: Path) -> None:
    path = tmp_path / "danet.safetensors"
    made = {"network": "danet", "backbone": "resnet18", "image_size": list(SIZE), "width": 16}
    checkpoints.save_weights(path, DANet("resnet18", width=16).state_dict(), made)
    assert create(path).label([], images()[:1])[0].mask.shape == images()[0].shape[:2]


@pytest.mark.parametrize("inference", ["resized", "sliding"])
def test_a_mask_has_its_images_size_and_does_not_depend_on_the_batch(weights: Path, inference: str) -> None:
    together = create(weights, inference=inference, precision="fp32").label([], images())
    alone = [create(weights, inference=inference, precision="fp32", batch=1).label([], [im])[0] for im in images()]
    for image, one, other in zip(images(), together, alone, strict=True):
        assert one.mask.shape == image.shape[:2] and one.mask.dtype == np.uint8 and one.mask.max() < 8
        assert (one.mask == other.mask).mean() > 0.99, "other batches round other last bits"


def test_small_images_are_labelled_and_said_to_be_small(weights: Path) -> None:
    found = create(weights, low_resolution=48).label([], images())
    low = [labeled.status == Status.LOW_RESOLUTION for labeled in found if labeled.mask.any()]
    expected = [image.shape[0] < 48 for image, labeled in zip(images(), found, strict=True) if labeled.mask.any()]
    assert low == expected
    assert all(labeled.status == Status.EMPTY for labeled in found if not labeled.mask.any())


def test_windows_overlap_by_half_and_reach_both_ends() -> None:
    assert window_tops(32, 32) == [0]
    assert window_tops(33, 32) == [0, 1]
    assert window_tops(64, 32) == [0, 16, 32]
    for height in range(32, 200):
        tops = window_tops(height, 32)
        assert tops[0] == 0 and tops[-1] == height - 32 and max(np.diff(tops), default=0) <= 16


def test_windows_are_averaged_where_they_overlap() -> None:
    upper, lower = torch.zeros(1, 4, 1), torch.ones(1, 4, 1)
    assert joined([upper, lower], 6).flatten().tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert joined([upper], 3).shape == (1, 3, 1)


def test_the_description_is_of_the_weights_and_not_of_their_place(weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(weights.read_bytes())
    assert create(copy, prepare=False).describe() == create(weights, prepare=False).describe()
    assert create(weights, prepare=False, batch=7).describe() == create(weights, prepare=False).describe()
    assert create(weights, prepare=False, flip=False).describe() != create(weights, prepare=False).describe()


def test_files_that_are_no_danet(weights: Path, tmp_path: Path) -> None:
    missing = create(tmp_path / "none.safetensors", prepare=False)
    with pytest.raises(UserError, match=r"none\.safetensors does not exist.*make labeler"):
        missing.describe()
    other, cut = tmp_path / "other.safetensors", tmp_path / "cut.safetensors"
    checkpoints.save_weights(other, {"a": torch.zeros(1)}, {})
    with pytest.raises(UserError, match=r"other\.safetensors holds no DANet"):
        create(other)
    cut.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"cut\.safetensors is truncated or no safetensors file"):
        create(cut)
    another = {"network": "danet", "backbone": "resnet34", "image_size": list(SIZE)}
    checkpoints.save_weights(other, checkpoints.read_weights(weights), another)
    with pytest.raises(UserError, match=r"does not fit the configured network"):
        create(other)


def test_options_out_of_range(weights: Path) -> None:
    for options, message in (
        ({"inference": "tiled"}, "inference = 'tiled': expected one of resized, sliding"),
        ({"batch": 0}, "batch = 0: expected 1 or more"),
        ({"flip": 1}, "flip = 1: expected true or false"),
    ):
        with pytest.raises(UserError, match=message):
            create(weights, prepare=False, **options)
