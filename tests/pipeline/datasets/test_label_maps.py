"""Label maps as part masks of their images, and the remedies of their messages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.class_tables import load_table
from pipeline.datasets.label_maps import LabelMaps, exact_mask
from pipeline.errors import UserError

LIP = load_table("lip20", "lower_arm")
IDS = np.random.default_rng(0).integers(0, 20, (32, 16), np.uint8)


def remedy(maps: LabelMaps, path: Path, size: tuple[int, int] = (32, 16)) -> str:
    """The option that the message names, as a shell would pass it."""
    with pytest.raises(UserError) as caught:
        maps.parts(path, size)
    words = shlex.split(re.sub(r".*(--set )", r"\1", caught.value.remedy))
    assert words[0] == "--set" and len(words) == 2
    return words[1]


def test_each_remedy_names_the_option_that_helps(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.dstack([IDS, IDS * 0, IDS * 0])).save(path)
    assert remedy(LabelMaps("lip20", LIP), path) == "masks.options.channel=red"
    expected = LIP[IDS]
    assert np.array_equal(LabelMaps("lip20", LIP, channel="red").parts(path, (32, 16)), expected)
    Image.fromarray(np.where(IDS == 3, 255, IDS).astype(np.uint8)).save(path)
    assert remedy(LabelMaps("lip20", LIP), path) == "masks.options.ignore=255"
    found = LabelMaps("lip20", LIP, ignore=(255,)).parts(path, (32, 16))
    assert np.array_equal(found, np.where(IDS == 3, 0, expected))
    Image.fromarray(IDS).resize((64, 64), Image.Resampling.NEAREST).save(path)
    assert remedy(LabelMaps("lip20", LIP), path) == "masks.options.fit=stretched"
    assert np.array_equal(LabelMaps("lip20", LIP, fit="stretched").parts(path, (32, 16)), expected)


def test_borders_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for fit, left in (("letterboxed", 8), ("padded", 0)):
        square = np.full((32, 32), 114)
        square[:, left : left + 16] = IDS
        np.save(path, square)
        assert np.array_equal(LabelMaps("lip20", LIP, fit=fit).parts(path, (32, 16)), LIP[IDS])


def test_an_outline_beside_its_label_map(tmp_path: Path) -> None:
    """Sapiens writes both."""
    np.save(tmp_path / "x.npy", np.pad(IDS > 0, 20))  # of another shape, too
    with pytest.raises(UserError, match=r"x\.npy holds true and false.*Give the label maps"):
        LabelMaps("lip20", LIP).parts(tmp_path / "x.npy", (32, 16))
    np.save(tmp_path / "x_seg.npy", IDS)
    assert remedy(LabelMaps("lip20", LIP), tmp_path / "x.npy") == "masks.options.pattern={path}_seg.npy"


def test_ground_truth_has_no_options(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(IDS % 8).save(path)
    assert np.array_equal(exact_mask(path, (32, 16)), IDS % 8)
    Image.fromarray(IDS).save(path)
    with pytest.raises(UserError, match=r"12 values, which class table sorn8.*ids 0 to 7 of sorn8.*--labeler import"):
        exact_mask(path, (32, 16))
