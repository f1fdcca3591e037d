"""Look at another tool's files: what is seen of them, and a command that imports them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pasted
import pytest
from click.testing import CliRunner
from label_map_files import SIZE, drawn
from PIL import Image

from pipeline.cli.app import main
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.labelers.base import Source
from pipeline.labelers.import_masks import ImportMasks
from pipeline.labelers.map_probe import SAMPLE
from pipeline.runs.config import Runtime
from pipeline.runs.config_loading import load_config

PEOPLE = 4


def pictures(root: Path, people: int = PEOPLE, names: str = "{:04d}_c1.jpg") -> list[ImageRecord]:
    (root / "images" / "train").mkdir(parents=True)
    records = []
    for number in range(people):
        path = root / "images" / "train" / names.format(number)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(path, "JPEG")
        records.append(ImageRecord(f"train/{path.name}", path, number, 1, "train"))
    return records


def maps(root: Path, records: list[ImageRecord], write: Callable[[Path, int], None]) -> Path:
    """Label maps that `write` makes of each image's path without its suffix, and its number."""
    folder = root / "parsed maps" / "train"
    folder.mkdir(parents=True)
    for number, record in enumerate(records):
        write(folder / record.path.stem, number)
    return folder.parent


def probe(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["masks", "probe", *words])
    return result.exit_code, result.output


def settings(output: str) -> list[str]:
    """Options of the command in the last line, which can be pasted."""
    line = output.strip().splitlines()[-1]
    pasted.require(line)
    words = shlex.split(line)
    assert words[:2] == ["make", "masks"] and "LABELER=import" in words
    arguments = next(word for word in words if word.startswith("ARGS=")).removeprefix("ARGS=").replace("$$", "$")
    return [word for word in shlex.split(arguments) if word != "--set"]


def imported(root: Path, records: list[ImageRecord], output: str) -> np.ndarray:
    """Part mask of the first image with the options of the printed command."""
    options = load_config("demo", tuple(settings(output))).masks.options
    labeler = ImportMasks(options, Source(cast(Manifest, None), root / "images"))
    labeler.prepare(records, Runtime())
    (found,) = labeler.label(records[:1], [np.zeros((*SIZE, 3), np.uint8)])
    return found.mask


def expected(table: str) -> np.ndarray:
    from pipeline.datasets.class_tables import load_table

    found: np.ndarray = load_table(table, "lower_arm")[drawn(table)]
    return found


def test_sapiens2_writes_outlines_and_ids_side_by_side(tmp_path: Path) -> None:
    records = pictures(tmp_path)

    def write(path: Path, number: int) -> None:
        np.save(path.with_name(f"{path.name}.npy"), drawn("sapiens29", number) > 0)
        np.save(path.with_name(f"{path.name}_seg.npy"), drawn("sapiens29", number))

    folder = maps(tmp_path, records, write)
    code, output = probe(str(folder), "--images", str(tmp_path / "images"))
    assert code == 0
    assert "{path}_seg.npy: 4 of 4 images have one, such as train/0000_c1_seg.npy" in output
    assert "also there: {path}.npy: 4 of 4 images have one, such as train/0000_c1.npy: outlines of people" in output
    assert "class ids: .npy of int64 (4), of 64x32 values" in output and "size     that of the image\n" in output
    assert "fits     sapiens29: 0% of the parts lie in the wrong order" in output
    assert "sapiens28: id 23, there lower lip, covers" in output
    assert f"masks.options.folder={folder}" in settings(output) and "masks.options.table=sapiens29" in settings(output)
    assert np.array_equal(imported(tmp_path, records, output), expected("sapiens29"))


@pytest.mark.parametrize(
    ("end", "pattern"),
    [(".png", ""), ("..png", ""), (".jpeg.png", ""), ("_parsing.png", "masks.options.pattern={path}_parsing.png")],
)
def test_names_give_a_pattern_only_where_one_is_needed(tmp_path: Path, end: str, pattern: str) -> None:
    """SCHP writes x..png for x.jpeg, as a palette PNG."""
    records = pictures(tmp_path, names="{:04d}_c1.jpeg")

    def write(path: Path, number: int) -> None:
        picture = Image.fromarray(drawn("lip20", number).astype(np.uint8), mode="P")
        picture.putpalette([7] * 768)
        picture.save(path.with_name(path.name + end))

    _, output = probe(str(maps(tmp_path, records, write)), "--images", str(tmp_path / "images"))
    assert "class ids: PNG, palette, 8 bits (4), of 64x32 values" in output
    given = [option for option in settings(output) if option.startswith("masks.options.pattern")]
    assert given == ([pattern] if pattern else [])
    assert np.array_equal(imported(tmp_path, records, output), expected("lip20"))


def test_ids_in_a_channel_with_void_pixels_in_a_square(tmp_path: Path) -> None:
    records = pictures(tmp_path)

    def write(path: Path, number: int) -> None:
        square = np.zeros((64, 64), np.uint8)
        ids = drawn("fashn18", number)
        ids[:2] = 255
        square[:, 16:48] = ids
        Image.fromarray(np.dstack([square * 0, square, square * 17])).save(f"{path}.png")

    _, output = probe(str(maps(tmp_path, records, write)), "--images", str(tmp_path / "images"))
    options = settings(output)
    for name in ("channel=green", "fit=letterboxed", "ignore=[255]", "table=fashn18"):
        assert f"masks.options.{name}" in options
    assert "that of the image in 0 of 4, the others letterboxed" in output
    assert "255 marks pixels without a class." in output
    assert np.array_equal(imported(tmp_path, records, output), expected("fashn18"))


@pytest.mark.parametrize(("left", "fit"), [(0, "padded"), (None, "stretched")])
def test_how_the_image_lies_in_a_square(tmp_path: Path, left: int | None, fit: str) -> None:
    records = pictures(tmp_path)

    def write(path: Path, number: int) -> None:
        square = np.zeros((64, 64), np.int64)
        ids = drawn("atr18", number)
        if left is None:
            square = ids.repeat(2, axis=1)
        else:
            square[:, left : left + 32] = ids
        np.save(f"{path}.npy", square)

    _, output = probe(str(maps(tmp_path, records, write)), "--images", str(tmp_path / "images"))
    assert f"masks.options.fit={fit}" in settings(output)
    assert np.array_equal(imported(tmp_path, records, output), expected("atr18"))


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(64, 32), (64, 32), (64, 32), (48, 32)], "1 of 4 have another shape than their image."),
        ([(32, 64)] * 4, "The maps lie on their side"),
        ([(64, 64), (48, 64), (64, 48), (64, 96)], "The maps have other shapes than their images, and not all one"),
        ([(64, 64)] * 4, "fit=letterboxed or fit=padded: look at one."),
    ],
    ids=["one", "turned", "others", "unclear"],
)
def test_sizes_that_no_option_explains(tmp_path: Path, shapes: list[tuple[int, int]], said: str) -> None:
    records = pictures(tmp_path)

    def write(path: Path, number: int) -> None:
        ids = np.zeros(shapes[number], np.int64)
        ids[:32, 17:20] = [[13], [5], [9], [18]] * 8
        np.save(f"{path}.npy", ids)

    _, output = probe(str(maps(tmp_path, records, write)), "--images", str(tmp_path / "images"))
    assert said in " ".join(output.split())


def test_a_dataset_is_named_in_the_command(tmp_path: Path) -> None:
    """Of a dataset the images of the split train count: labels are made for them."""
    records = pictures(tmp_path)
    rows = [f"{r.path},{number},1,{'train' if number < 3 else 'query'}" for number, r in enumerate(records)]
    (tmp_path / "mine.csv").write_text("\n".join(["path,pid,camid,split", *rows]))
    folder = maps(tmp_path, records, lambda path, number: np.save(f"{path}.npy", drawn("lip20", number)))
    for path in (folder / "train").iterdir():
        path.rename(folder / path.name)
    _, output = probe(str(folder), "--images", str(tmp_path / "mine.csv"), "--data-root", "elsewhere")
    assert "{name}.npy: 3 of 3 images have one" in output
    assert f"DATASET={tmp_path / 'mine.csv'} LABELER=import" in output and "DATA_ROOT=elsewhere" in output
    assert "lip20" in str(settings(output))


def test_several_tables_may_fit(tmp_path: Path) -> None:
    """The ids of Pascal-Person-Part mean the same as ours, those of FASHN do not."""
    np.save(tmp_path / "a.npy", np.array([0, 1, 1, 4, 3, 6, 0]).repeat(8)[:, None].repeat(9, axis=1))
    text = " ".join(probe(str(tmp_path))[1].split())
    assert "fits " in text and "may fit as well: take the table of your tool." in text


def test_confidences_of_bpbreid(tmp_path: Path) -> None:
    records = pictures(tmp_path)
    scores = np.random.default_rng(0).random((36, 9, 5), np.float32)
    folder = maps(tmp_path, records, lambda path, number: np.save(f"{path}.jpg.confidence_fields.npy", scores))
    code, output = probe(str(folder), "--images", str(tmp_path / "images"))
    assert code == 0 and "layers of scores: .npy of float32 (4), of 36x9x5 values" in output
    assert "masks.options.table=pifpaf36" in settings(output)
    assert imported(tmp_path, records, output).any()


def test_a_sample_of_many_files_is_looked_at(tmp_path: Path) -> None:
    """Without the images, names alone show the pattern; a file that is broken is named."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for number in range(2 * SAMPLE):
        np.save(folder / f"person {number}_seg.npy", drawn("lip20", number % 5))
    (folder / "person 0_seg.npy").write_bytes(b"")
    (folder / "readme.txt").write_text("x")
    code, output = probe(str(folder))
    text = " ".join(output.split())
    assert code == 0 and "80 .npy, 1 .txt; at most 40 of each form of names are looked at" in text
    assert "{name}_seg.npy: 80 files" in text and "(39)" in text
    assert "size that of the images is not known" in text
    assert "1 of 40 files cannot be used, first" in text
    assert "masks.options.pattern={name}_seg.npy" in settings(output) and "DATASET=NAME" in output


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (drawn("lip20") > 0, "cannot be imported: outlines of people, no class ids"),
        (255 * (drawn("lip20") > 0), "cannot be imported: outlines of people"),
        (1 * (drawn("lip20") > 0), "cannot be imported: outlines of people"),
        (np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8), "cannot be imported: colours: a picture"),
        (np.random.default_rng(0).random((20, *SIZE)), "is no label map but float64 of shape (20, 64, 32)"),
    ],
    ids=["bool", "0 and 255", "0 and 1", "colours", "scores of another tool"],
)
def test_what_cannot_be_imported(tmp_path: Path, values: np.ndarray, said: str) -> None:
    np.save(tmp_path / "a.npy", values)
    code, output = probe(str(tmp_path))
    assert code == 1 and said in " ".join(output.split()) and "make masks" not in output


def test_ids_of_no_shipped_table(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(400).reshape(20, 20))
    _, output = probe(str(tmp_path))
    assert "No shipped table fits. Write your own" in output and "masks.options.table=mine.csv" in settings(output)
    np.save(tmp_path / "a.npy", np.zeros((20, 20), int))
    assert "Every pixel is 0: the maps show nobody." in probe(str(tmp_path))[1]


def test_folders_that_are_of_no_use(tmp_path: Path) -> None:
    pictures(tmp_path)
    images = str(tmp_path / "images")
    assert "there is no folder" in probe(str(tmp_path / "none"))[1]
    assert "has no file that can be a label map: 4 .jpg. Save the ids as PNG" in probe(images)[1]
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "other.npy", drawn("lip20"))
    code, output = probe(str(tmp_path / "maps"), "--images", images)
    assert code == 1 and "no image of" in output and "where other.npy is the first" in output
