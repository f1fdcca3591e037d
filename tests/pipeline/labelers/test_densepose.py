"""Labeler densepose: its options and files; what its networks do is in test_densepose_networks.py."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.labelers import densepose_zoo
from pipeline.labelers.base import Source
from pipeline.labelers.densepose import DensePose
from pipeline.runs.config import Runtime

ON_CPU = Runtime(device="cpu")
MODEL = "densepose_rcnn_R_50_FPN_s1x"


def create(root: Path, **options: Any) -> DensePose:
    found = labelers.create("densepose", options, Source(Manifest("mine", "Mine"), root))
    assert isinstance(found, DensePose)
    return found


def test_missing_weights_are_named_with_where_to_fetch_them(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"labeler densepose needs the weights of densepose_rcnn_R_50_FPN_s1x\. Fetch https://dl\.fbaipublicfiles"
        r"\.com/densepose/densepose_rcnn_R_50_FPN_s1x/165712039/model_final_162be9\.pkl and name the file: "
        r"--set masks\.options\.weights=FILE",
    ):
        create(tmp_path)
    with pytest.raises(
        UserError, match=r"there is no file gone\.pkl with the weights of .*R_101.*165712116/model_fina"
    ):
        create(tmp_path, weights="gone.pkl", model="densepose_rcnn_R_101_FPN_DL_s1x")
    with pytest.raises(UserError, match=r"there is no configuration mine\.yaml"):
        create(tmp_path, weights="gone.pkl", model="mine.yaml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "densepose_rcnn_R_50_FPN_soft_s1x"},
            r"model = 'densepose_rcnn_R_50_FPN_soft_s1x': expected a \.yaml or",
        ),
        ({"mode": "union"}, "mode = 'union': expected one of given_box, detector"),
        ({"collapse": "max"}, "collapse = 'max': expected one of soft, hard"),
        ({"hands": "head"}, "hands = 'head': expected one of lower_arm, background"),
        ({"min_size": 250}, r"min_size = 250: expected a multiple of 32"),
        ({"margin": -0.1}, r"margin = -0\.1: expected a number in \[0, 1\]"),
        ({"min_score": 1.0}, r"min_score = 1\.0: expected a number in \(0, 1\)"),
        ({"low_resolution": -1}, "low_resolution = -1"),
        ({"batch": 0}, "batch = 0: expected 1 or more"),
        ({"precision": "int8"}, "precision = 'int8': expected one of auto, fp32"),
    ],
)
def test_options_out_of_range(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"labeler densepose: {message}"):
        create(tmp_path, **options)


def test_the_description_knows_the_weights_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"1")
    (tmp_path / "b.pkl").write_bytes(b"1")
    first = create(tmp_path, weights=str(tmp_path / "a.pkl"), batch=2).describe()
    assert first == create(tmp_path, weights=str(tmp_path / "b.pkl"), batch=3).describe()
    assert first["weights"] == hashlib.sha256(b"1").hexdigest() and first["options"]["model"] == MODEL
    (tmp_path / "b.pkl").write_bytes(b"2")
    assert first != create(tmp_path, weights=str(tmp_path / "b.pkl")).describe()
    assert first != create(tmp_path, weights=str(tmp_path / "a.pkl"), collapse="hard").describe()


def test_the_content_of_an_own_configuration_is_an_input(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(b"")
    own = tmp_path / "own.yaml"
    own.write_text("VERSION: 2\n")
    labeler = create(tmp_path, weights=str(tmp_path / "w.pkl"), model=str(own))
    assert labeler.inputs([]) == {"model configuration": hashlib.sha256(b"VERSION: 2\n").hexdigest()}
    assert create(tmp_path, weights=str(tmp_path / "w.pkl")).inputs([]) == {}


def test_models_are_built_from_their_names() -> None:
    legacy = densepose_zoo.settings("densepose_rcnn_R_101_FPN_s1x_legacy")
    assert legacy["RESNETS.DEPTH"] == 101 and legacy["ROI_DENSEPOSE_HEAD.NUM_COARSE_SEGM_CHANNELS"] == 15
    full = densepose_zoo.settings("densepose_rcnn_R_50_FPN_DL_WC2M_s1x")
    assert full["RESNETS.DEPTH"] == 50 and full["ROI_DENSEPOSE_HEAD.NAME"] == "DensePoseDeepLabHead"
    assert full["ROI_DENSEPOSE_HEAD.UV_CONFIDENCE.TYPE"] == "indep_aniso"
    assert full["ROI_DENSEPOSE_HEAD.SEGM_CONFIDENCE.ENABLED"] is True


def test_without_detectron2_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "w.pkl").write_bytes(b"")
    for missing in ("detectron2.config", "densepose"):
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UserError, match=r"needs detectron2 .*pip install --no-build-isolation --no-deps"):
        create(tmp_path, weights=str(tmp_path / "w.pkl")).prepare([], ON_CPU)
