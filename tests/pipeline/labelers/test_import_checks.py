"""Checks before label maps are imported: wrong tables, nobody to be seen, one map for two images."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from label_map_files import SIZE, drawn
from PIL import Image

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.labelers.base import Source
from pipeline.labelers.import_checks import SAMPLE, evenly
from pipeline.labelers.import_masks import ImportMasks
from pipeline.runs.config import Runtime


def importer(root: Path, table: str, **options: object) -> ImportMasks:
    return ImportMasks({"folder": str(root / "maps"), "table": table, **options}, Source(cast(Manifest, None), root))


def dataset(root: Path, tool: str, people: int = 5, names: str = "{}.jpg") -> list[ImageRecord]:
    """Images and their label maps with the ids of a tool."""
    records = []
    for folder in ("images", "maps/images"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(people):
        path = root / "images" / names.format(number)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path, "JPEG")
        np.save(root / "maps" / "images" / f"{path.stem}.npy", drawn(tool, number))
        records.append(ImageRecord(f"train/{path.name}", path, number, 1, "train"))
    return records


@pytest.mark.parametrize(
    ("tool", "given"), [("sapiens29", "sapiens28"), ("sapiens28", "sapiens29"), ("atr18", "lip20")]
)
def test_a_table_of_another_tool_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tool: str, given: str
) -> None:
    records = dataset(tmp_path, tool)
    importer(tmp_path, tool).prepare(records, Runtime())
    assert not caplog.messages
    importer(tmp_path, given).prepare(records, Runtime())
    (said,) = caplog.messages
    assert re.match(f"masks: table {given} does not fit the label maps, 5 of which were looked at: id ", said)
    assert shlex.split(said.partition("fits them: ")[2]) == ["--set", f"masks.options.table={tool}"]


def test_what_stops_the_work_stops_it_before_it_begins(tmp_path: Path) -> None:
    """An id of Sapiens2, an outline and another shape are found in the sample."""
    records = dataset(tmp_path, "sapiens28")
    path = tmp_path / "maps" / "images" / "4.npy"
    for values, message in (
        (np.where(drawn("sapiens28") == 3, 28, 0), r"4\.npy holds the value 28.*--set masks\.options\.table=sapiens29"),
        (drawn("sapiens28") > 0, r"4\.npy holds true and false"),
        (drawn("sapiens28")[:40], r"4\.npy is 32x40 pixels and its image 32x64: another shape"),
    ):
        np.save(path, values)
        with pytest.raises(UserError, match=message):
            importer(tmp_path, "sapiens28").prepare(records, Runtime())


def test_maps_without_anybody_are_refused(tmp_path: Path) -> None:
    """One person among all is enough, be it in no map of the sample."""
    records = dataset(tmp_path, "lip20", SAMPLE + 20)
    for path in (tmp_path / "maps" / "images").iterdir():
        np.save(path, np.zeros(SIZE, np.uint8))
    labeler = importer(tmp_path, "lip20")
    with pytest.raises(UserError, match="none of 60 label maps shows any part of a person: table lip20 calls"):
        labeler.prepare(records, Runtime())
    looked_at = evenly(range(60), SAMPLE)
    number = next(number for number in range(60) if number not in looked_at)
    np.save(tmp_path / "maps" / "images" / f"{number}.npy", drawn("lip20"))
    labeler.prepare(records, Runtime())


def test_the_wrong_channel_shows_nobody(tmp_path: Path) -> None:
    records = dataset(tmp_path, "lip20", 3)
    for path in (tmp_path / "maps" / "images").iterdir():
        ids = drawn("lip20").astype(np.uint8)
        np.save(path, np.dstack([ids, ids * 0, ids * 0]))
    importer(tmp_path, "lip20", channel="red").prepare(records, Runtime())
    with pytest.raises(UserError, match=r"none of 3 label maps.*sorn masks probe FOLDER"):
        importer(tmp_path, "lip20", channel="blue").prepare(records, Runtime())


def test_scores_that_are_too_low_show_nobody(tmp_path: Path) -> None:
    records = dataset(tmp_path, "lip20", 3)
    for path in (tmp_path / "maps" / "images").iterdir():
        np.save(path, np.full((36, 8, 4), 0.4, np.float32))
    with pytest.raises(UserError, match=r"none of 3 files of pifpaf36 has a score of 0\.5.*--set masks\.options\.t"):
        importer(tmp_path, "pifpaf36").prepare(records, Runtime())
    labeler = importer(tmp_path, "pifpaf36", threshold=0.3)
    labeler.prepare(records, Runtime())
    (found,) = labeler.label(records[:1], [np.zeros((*SIZE, 3), np.uint8)])
    assert found.mask.shape == SIZE and found.mask.all()


def test_names_that_were_cut_give_two_images_one_map(tmp_path: Path) -> None:
    """Sapiens' demo writes the maps of a.0.jpg and a.1.jpg to one file."""
    records = dataset(tmp_path, "sapiens28", 2, "a.{}.jpg")
    for path in (tmp_path / "maps" / "images").iterdir():
        path.unlink()
    np.save(tmp_path / "maps" / "a_seg.npy", drawn("sapiens28"))
    with pytest.raises(UserError, match=r"a\.0\.jpg and .*a\.1\.jpg have the same label map.*: a\.0\.jpg\.npy, a"):
        importer(tmp_path, "sapiens28", pattern="{name}_seg.npy").prepare(records, Runtime())


def test_an_even_choice() -> None:
    assert evenly(range(5), 10) == [0, 1, 2, 3, 4]
    assert evenly(range(9), 3) == [0, 4, 8] and evenly([], 3) == []
