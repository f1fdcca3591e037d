"""Occluded-DukeMTMC from an original tree and lists."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from found_records import errors, listed

from pipeline.datasets.discovery import find_records
from pipeline.datasets.manifest import Manifest, load_manifest
from pipeline.errors import UserError

TRAIN, BOTH, ONLY_QUERY = "0001_c2_f0046182.jpg", "0005_c1_f0046985.jpg", "0009_c8_f0000001.jpg"
LISTS = {"train.list": [TRAIN], "query.list": [BOTH, ONLY_QUERY], "gallery.list": [BOTH, ONLY_QUERY]}


def occluded_duke(lists: dict[str, list[str]]) -> Manifest:
    """The shipped manifest with the digests of these lists."""
    manifest = load_manifest("occluded_duke")

    def digest(name: str) -> str:
        return hashlib.sha256("".join(f"{line}\n" for line in lists[name]).encode()).hexdigest()

    sets = tuple(dataclasses.replace(s, list_sha256=digest(s.list), images=None, per_camera={}) for s in manifest.set)
    return dataclasses.replace(manifest, set=sets, expected_ids={})


@pytest.fixture
def original(tmp_path: Path, make_images) -> Path:
    """An original tree, where one query image lies in `query` and the other in the gallery only; and lists."""
    root = tmp_path / "DukeMTMC-reID"
    make_images(root / "bounding_box_train", [TRAIN, "0002_c1_f0000007.jpg"])
    make_images(root / "bounding_box_test", [BOTH, ONLY_QUERY, "0003_c1_f0000007.jpg"])
    make_images(root / "query", [ONLY_QUERY])
    folder = tmp_path / "Occluded-DukeMTMC-Dataset" / "Occluded_Duke"
    folder.mkdir(parents=True)
    for name, lines in LISTS.items():
        (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode())
    return root


def test_lists_select_from_the_original_tree_without_copying(tmp_path: Path, original: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = find_records(occluded_duke(LISTS), tmp_path)
    assert [(record.name, record.path.relative_to(original).as_posix()) for record in found.records] == [
        (f"gallery/{BOTH}", f"bounding_box_test/{BOTH}"),
        (f"gallery/{ONLY_QUERY}", f"bounding_box_test/{ONLY_QUERY}"),
        (f"query/{BOTH}", f"bounding_box_test/{BOTH}"),
        (f"query/{ONLY_QUERY}", f"query/{ONLY_QUERY}"),
        (f"train/{TRAIN}", f"bounding_box_train/{TRAIN}"),
    ]
    assert found.findings == [] and "lists" in found.source and sorted(tmp_path.rglob("*")) == before


def test_converted_tree_and_lists_give_the_same_names(tmp_path: Path, original: Path, make_images) -> None:
    folders = {"bounding_box_train": "train.list", "query": "query.list", "bounding_box_test": "gallery.list"}
    for folder, name in folders.items():
        make_images(tmp_path / "converted" / "Occluded-DukeMTMC-reID" / folder, LISTS[name])
    manifest = occluded_duke(LISTS)
    converted, virtual = find_records(manifest, tmp_path / "converted"), find_records(manifest, tmp_path)
    assert listed(converted) == listed(virtual) and converted.source == "folders"


def test_lists_with_windows_line_ends_are_the_same_lists(tmp_path: Path, original: Path) -> None:
    path = tmp_path / "Occluded-DukeMTMC-Dataset" / "Occluded_Duke" / "query.list"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(find_records(occluded_duke(LISTS), tmp_path).records) == 5


def test_a_list_that_differs_is_refused(tmp_path: Path, original: Path) -> None:
    text = errors(find_records(load_manifest("occluded_duke"), tmp_path))
    assert len(text) == 3
    assert "train.list is not the published list: sha256" in text[0] and "Expected dadffee79d86" in text[0]


def test_names_of_a_list_that_are_in_no_folder_are_counted(tmp_path: Path, original: Path) -> None:
    (original / "bounding_box_test" / BOTH).unlink()
    text = errors(find_records(occluded_duke(LISTS), tmp_path))
    assert len(text) == 2 and text[0].startswith("1 of 2 images of query.list are neither in") and BOTH in text[0]


def test_lists_without_the_original_tree_are_half(tmp_path: Path, original: Path) -> None:
    original.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"found the lists in .* half of what it takes.*DukeMTMC-reID.*together with"):
        find_records(load_manifest("occluded_duke"), tmp_path)
