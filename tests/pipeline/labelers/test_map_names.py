"""Names of label maps, as the demos of other tools write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.datasets.records import ImageRecord
from pipeline.labelers.map_names import MapNames, is_pattern

USUAL = ("{path}.png", "{path}.npy", "{path}.npz")


def record(root: Path, name: str) -> ImageRecord:
    return ImageRecord(f"train/{name}", root / "bounding_box_train" / name, 1, 1, "train")


def names(root: Path, *patterns: str) -> MapNames:
    return MapNames(root / "maps", root, patterns or USUAL)


def write(root: Path, *files: str) -> None:
    for file in files:
        path = root / "maps" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("image", "file", "pattern"),
    [
        ("0002_c1.jpg", "bounding_box_train/0002_c1.png", ""),
        ("0002_c1.jpg", "train/0002_c1.npz", ""),
        ("0002_c1.jpg", "train/0002_c1.jpg.PNG", ""),
        ("0002_c1.jpeg", "bounding_box_train/0002_c1..png", ""),  # SCHP cuts four letters off
        ("0002.c1.jpg", "bounding_box_train/0002_seg.npy", "{path}_seg.npy"),  # Sapiens: up to the first dot
        ("0002.c1.jpg", "0002_seg.npy", "{name}_seg.npy"),  # its demo writes one flat folder
        ("0002_c1.jpg", "bounding_box_train/0002_c1.jpg.confidence_fields.npy", "{path}.confidence_fields.npy"),
        ("0002_c1.jpg", "parsed-0002_c1-x.png", "parsed-{name}-x.png"),
    ],
)
def test_the_map_of_an_image(tmp_path: Path, image: str, file: str, pattern: str) -> None:
    write(tmp_path, file)
    found = names(tmp_path, *([pattern] if pattern else []))
    assert found.find(record(tmp_path, image)) == tmp_path / "maps" / file
    assert found.find(record(tmp_path, f"x{image}")) is None


def test_the_whole_name_comes_before_cut_ones(tmp_path: Path) -> None:
    files = ["train/a.b.jpeg.png", "train/a.b.png", "train/a.b..png", "train/a.png"]
    image, found = record(tmp_path, "a.b.jpeg"), names(tmp_path)
    write(tmp_path, *files)
    for file in files:
        assert found.find(image) == tmp_path / "maps" / file
        (tmp_path / "maps" / file).unlink()
        found.clear()
    assert found.find(image) is None


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("bounding_box_train/a_seg.npy", "{path}_seg.npy"),
        ("train/a-mask.png", "{path}-mask.png"),
        ("a_seg.npy", "{name}_seg.npy"),
        ("a.png", "{name}.png"),
    ],
)
def test_a_file_beside_gives_the_pattern_that_finds_it(tmp_path: Path, file: str, pattern: str) -> None:
    write(tmp_path, file)
    image = record(tmp_path, "a.jpg")
    assert names(tmp_path).find(image) is None
    assert names(tmp_path).beside(image) == (tmp_path / "maps" / file, pattern)
    assert names(tmp_path, pattern).find(image) == tmp_path / "maps" / file


def test_a_folder_and_another_image_are_no_map(tmp_path: Path) -> None:
    (tmp_path / "maps" / "train" / "a.png").mkdir(parents=True)
    write(tmp_path, "train/a2.png")
    assert names(tmp_path).find(record(tmp_path, "a.jpg")) is None
    assert names(tmp_path).beside(record(tmp_path, "a.jpg")) is None


def test_patterns() -> None:
    assert all(map(is_pattern, ("{path}.png", "{name}_seg.npy", "x/{name}.NPZ")))
    assert not any(map(is_pattern, ("", "all.png", "{stem}.png", "{path}.jpg", "{path", "{}.png", "{path.x}.png")))
