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
from pipeline.datasets.score_layers import parts_of_scores
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


def test_the_tongue_of_sapiens2_is_no_id_of_sapiens(tmp_path: Path) -> None:
    first, second = (load_table(name, "lower_arm") for name in ("sapiens28", "sapiens29"))
    ids = np.where(IDS == 0, 28, IDS).astype(np.int64)
    np.save(tmp_path / "x_seg.npy", ids)
    assert remedy(LabelMaps("sapiens28", first), tmp_path / "x_seg.npy") == "masks.options.table=sapiens29"
    found = LabelMaps("sapiens29", second).parts(tmp_path / "x_seg.npy", (32, 16))
    assert np.array_equal(found, second[ids])


def test_tables_that_know_the_ids_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.where(IDS == 3, 30, IDS))
    with pytest.raises(
        UserError, match=r"\(mhp59 knows them\), or write your own: --set masks\.options\.table=mine\.csv$"
    ):
        LabelMaps("sapiens29", load_table("sapiens29", "lower_arm")).parts(tmp_path / "x.npy", (32, 16))


def test_scores_and_ids_are_told_apart(tmp_path: Path) -> None:
    """The confidences of BPBReID with a table of ids, and ids with the table of confidences."""
    layers = load_table("pifpaf36", "lower_arm")
    scores = np.random.default_rng(0).random((36, 8, 4), np.float32)
    np.save(tmp_path / "x.jpg.confidence_fields.npy", scores)
    path = tmp_path / "x.jpg.confidence_fields.npy"
    assert remedy(LabelMaps("lip20", LIP), path) == "masks.options.table=pifpaf36"
    maps = LabelMaps("pifpaf36", layers, threshold=0.99)
    assert np.array_equal(maps.parts(path, (32, 16)), parts_of_scores(scores, layers, (32, 16), 0.99))
    np.save(tmp_path / "y.npy", IDS)
    with pytest.raises(UserError, match=r"y\.npy is no stack of 36 layers of scores but uint8.*Choose the table"):
        maps.parts(tmp_path / "y.npy", (32, 16))


@pytest.mark.parametrize("form", ["1hw", "hw1", "columns first", "every second", "one of eight", "big-endian"])
def test_forms_of_an_array(tmp_path: Path, form: str) -> None:
    """A network of stride 8 writes one value for 8 x 8 pixels."""
    small = IDS[::8, ::8]
    path = tmp_path / "x.npy"
    arrays = {
        "1hw": IDS[None],
        "hw1": IDS[..., None],
        "columns first": np.asfortranarray(IDS),
        "every second": IDS.repeat(2, axis=0)[::2],
        "one of eight": small,
        "big-endian": IDS.astype(">i4"),
    }
    np.save(path, arrays[form])
    expected = small.repeat(8, axis=0).repeat(8, axis=1) if form == "one of eight" else IDS
    assert np.array_equal(LabelMaps("lip20", LIP).parts(path, (32, 16)), LIP[expected])


def test_ids_of_a_map_are_those_that_show_the_image(tmp_path: Path) -> None:
    square = np.full((32, 32), 114)
    square[:, 8:24] = np.where(IDS == 3, 255, IDS)
    np.save(tmp_path / "x.npy", square)
    maps = LabelMaps("lip20", LIP, ignore=(255,), fit="letterboxed")
    assert np.array_equal(maps.ids(tmp_path / "x.npy", (32, 16)), np.where(IDS == 3, 0, IDS))
    with pytest.raises(UserError, match="holds the value 255, which class table lip20 does not know"):
        LabelMaps("lip20", LIP, fit="letterboxed").ids(tmp_path / "x.npy", (32, 16))
