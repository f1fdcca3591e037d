"""Label maps of other tools: sizes that rounding leaves, and masks that are no label maps."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.class_tables import load_table
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.mask_files import fit, read_label_map, to_parts
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.labelers.base import Source
from pipeline.labelers.import_masks import ImportMasks
from pipeline.runs.config import Runtime


@pytest.mark.parametrize("stride", [2, 4, 8])
@pytest.mark.parametrize("rounded", [np.floor, np.ceil, np.round])
def test_a_map_within_a_pixel_of_its_share_fits(stride: int, rounded: np.ufunc) -> None:
    rng = np.random.default_rng(stride)
    for height, width in [(53, 21), *rng.integers((40, 16), (300, 120), (200, 2)).tolist()]:
        small = np.ones([int(rounded(side / stride)) for side in (height, width)], np.uint8)
        assert fit(small, (height, width), Path("map.png")).shape == (height, width)


@pytest.mark.parametrize(("shape", "size"), [((7, 3), (53, 40)), ((26, 10), (53, 30)), ((473, 473), (128, 64))])
def test_a_map_of_another_shape_does_not(shape: tuple[int, int], size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="another shape"):
        fit(np.ones(shape, np.uint8), size, Path("map.png"))


def test_true_and_false_are_no_class_ids(tmp_path: Path) -> None:
    path, lookup = tmp_path / "x.npy", load_table("lip20", "lower_arm")
    np.save(path, np.ones((6, 4), bool))
    with pytest.raises(UserError, match=r"x.npy holds true and false, not the class ids of table lip20") as caught:
        to_parts(read_label_map(path), lookup, path, "lip20")
    assert "x_seg.npy" not in str(caught.value)
    np.save(tmp_path / "x_seg.npy", np.ones((6, 4), np.uint8))
    with pytest.raises(UserError, match=r"x_seg\.npy beside it"):
        to_parts(read_label_map(path), lookup, path, "lip20")
    table = tmp_path / "two.csv"
    table.write_text("value,class\n0,background\n1,torso\n")
    two = load_table(str(table), "lower_arm")  # of two classes, true and false are the ids
    assert (to_parts(read_label_map(path), two, path, str(table)) == two[1]).all()


def test_a_palette_too_small_for_the_table_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pillow saves a palette of 16 colours with 4 bits, and of every id its lower 4: 16 -> 0, 18 -> 2."""
    path = tmp_path / "maps" / "train" / "a.png"
    path.parent.mkdir(parents=True)
    image = Image.fromarray(np.full((6, 4), 18, np.uint8)).convert("P")
    image.putdata([18] * 24)
    record = ImageRecord("train/a.jpg", tmp_path / "a.jpg", 1, 1, "train")
    for colours, warned in ((16, True), (256, False)):
        image.putpalette([7] * 3 * colours)
        image.save(path)
        assert (read_label_map(path) == 18).all() != warned
        source = Source(cast(Manifest, None), tmp_path)
        labeler = ImportMasks({"folder": str(tmp_path / "maps"), "table": "lip20"}, source)
        caplog.clear()
        labeler.prepare([record], Runtime())
        assert any("4 bits hold 0 to 15, it goes to 19" in line for line in caplog.messages) == warned
