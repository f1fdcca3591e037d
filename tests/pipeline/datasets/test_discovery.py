"""Every layout in which the datasets are met, as a small tree."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from found_records import errors, listed

from pipeline.datasets.discovery import find_records, look
from pipeline.datasets.found import Found
from pipeline.datasets.manifest import Manifest, load_manifest
from pipeline.errors import UserError


def test_market_drops_junk_keeps_distractors_and_ignores_leftovers(tmp_path: Path, make_images) -> None:
    root = tmp_path / "Market-1501-v15.09.15"
    train = ["0002_c1s1_000451_03.jpg", "0007_c3s3_077419_03.jpg"]
    make_images(root / "bounding_box_train", train)
    make_images(root / "query", ["0001_c1s1_001051_00.jpg"])
    gallery = ["0001_c2s1_000301_01.jpg", "0000_c6s4_002877_05.jpg", "-1_c1s1_000401_03.jpg", "-1_c5s3_000401_04.jpg"]
    make_images(root / "bounding_box_test", gallery)
    for name in ("Thumbs.db", ".DS_Store", "._0001_c2s1_000301_01.jpg"):
        (root / "bounding_box_test" / name).touch()
    found = find_records(load_manifest("market1501"), tmp_path)
    assert listed(found) == [
        ("gallery/0000_c6s4_002877_05.jpg", 0, 6),
        ("gallery/0001_c2s1_000301_01.jpg", 1, 2),
        ("query/0001_c1s1_001051_00.jpg", 1, 1),
        ("train/0002_c1s1_000451_03.jpg", 2, 1),
        ("train/0007_c3s3_077419_03.jpg", 7, 3),
    ]
    assert found.junk == {"gallery/": 2} and found.findings == []
    assert found.records[-1].path == root / "bounding_box_train" / train[1]


@pytest.mark.parametrize("place", ["market1501", "market1501/Market-1501-v15.09.15", "Market1501"])
def test_a_root_may_have_several_names_and_be_data_root_itself(tmp_path: Path, make_images, place: str) -> None:
    root = tmp_path / place
    for folder, name in {"bounding_box_train": "0002_c1s1_000451_03.jpg", "query": "0001_c1s1_001051_00.jpg"}.items():
        make_images(root / folder, [name])
    make_images(root / "bounding_box_test", ["0001_c2s1_000301_01.JPG"])
    below, itself = (find_records(load_manifest("market1501"), at) for at in (tmp_path, root))
    assert below.root == itself.root == root and len(below.records) == 3


def test_duke(tmp_path: Path, make_images) -> None:
    root = tmp_path / "DukeMTMC-reID"
    make_images(root / "bounding_box_train", ["0001_c2_f0046182.jpg"])
    make_images(root / "query", ["0005_c8_f0046985.jpg"])
    make_images(root / "bounding_box_test", ["0005_c1_f0051341.jpg"])
    found = find_records(load_manifest("dukemtmc_reid"), tmp_path)
    assert listed(found) == [
        ("gallery/0005_c1_f0051341.jpg", 5, 1),
        ("query/0005_c8_f0046985.jpg", 5, 8),
        ("train/0001_c2_f0046182.jpg", 1, 2),
    ]


@pytest.mark.parametrize("root", ["Partial-REID_Dataset", "Partial_REID", "partial_reid"])
def test_partial_reid_keeps_both_query_sets_apart(tmp_path: Path, make_images, root: str) -> None:
    for kind in ("occluded", "partial", "whole"):
        make_images(tmp_path / root / f"{kind}_body_images", ["001_005.jpg", "060_001.jpg"])
    found = find_records(load_manifest("partial_reid"), tmp_path)
    assert listed(found) == [
        ("gallery/001_005.jpg", 1, 1),
        ("gallery/060_001.jpg", 60, 1),
        ("query/occluded/001_005.jpg", 1, 0),
        ("query/occluded/060_001.jpg", 60, 0),
        ("query/partial/001_005.jpg", 1, 0),
        ("query/partial/060_001.jpg", 60, 0),
    ]


@pytest.mark.parametrize(
    ("query", "gallery", "names"),
    [
        ("Probe", "Gallery", ["1.jpg", "10.jpg", "2.jpg"]),
        ("partial_body_images", "whole_body_images", ["001.jpg", "010.jpg", "002.jpg"]),
        ("query", "gallery", ["1_1.jpg", "10_1.jpg", "2_1.jpg"]),
    ],
)
def test_partial_ilids_variants(tmp_path: Path, make_images, query: str, gallery: str, names: list[str]) -> None:
    make_images(tmp_path / "Partial_iLIDS" / query, names)
    make_images(tmp_path / "Partial_iLIDS" / gallery, names)
    found = find_records(load_manifest("partial_ilids"), tmp_path)
    assert sorted((r.split, r.pid, r.camid) for r in found.records) == [
        *(("gallery", pid, 1) for pid in (1, 2, 10)),
        *(("query", pid, 0) for pid in (1, 2, 10)),
    ]


def test_the_other_version_of_partial_ilids_is_recognised(tmp_path: Path, make_images) -> None:
    for folder in ("Probe", "Gallery"):
        make_images(tmp_path / "PartialILIDS" / folder, ["0001001.jpg"])
    text = errors(find_records(load_manifest("partial_ilids"), tmp_path))[0]
    assert "1 of 1 names" in text and "FPR version" in text and "DSR version" in text


@pytest.mark.parametrize(
    ("query", "gallery", "name"),
    [
        ("occluded_body_images", "whole_body_images", "001/001_05.tif"),
        ("occluded_body_images", "whole_body_images", "001/001_05.jpg"),
        ("occluded_body_images", "whole_body_images", "001_05.png"),
        ("query", "gallery", "001_05.jpg"),
    ],
)
def test_occluded_reid_nested_or_flat(tmp_path: Path, make_images, query: str, gallery: str, name: str) -> None:
    make_images(tmp_path / "Occluded_REID" / query, [name])
    make_images(tmp_path / "Occluded_REID" / gallery, [name])
    found = find_records(load_manifest("occluded_reid"), tmp_path)
    assert listed(found) == [(f"gallery/{name}", 1, 1), (f"query/{name}", 1, 0)] and found.findings == []


def test_p_duke_reads_ids_from_names_in_folders_by_id(tmp_path: Path, make_images) -> None:
    root = tmp_path / "P-DukeMTMC-reID"
    for part, pid in (("train", "12"), ("test", "0345")):
        for kind in ("occluded", "whole"):
            make_images(root / part / f"{kind}_body_images" / pid, [f"{pid}_c3_f001.jpg"])
    found = find_records(load_manifest("p_dukemtmc"), tmp_path)
    assert listed(found) == [
        ("gallery/0345/0345_c3_f001.jpg", 345, 1),
        ("query/0345/0345_c3_f001.jpg", 345, 0),
        ("train/occluded/12/12_c3_f001.jpg", 12, 0),
        ("train/whole/12/12_c3_f001.jpg", 12, 1),
    ]


def test_synped(tmp_path: Path, make_images) -> None:
    for split in ("train", "val_query", "val_gallery", "query", "gallery", "labeler"):
        make_images(tmp_path / "synped_demo" / "images" / split, ["0031_c04_000012.jpg"])
    found = find_records(load_manifest("synped_demo"), tmp_path)
    assert len(found.records) == 6 and listed(found)[-1] == ("val_query/0031_c04_000012.jpg", 31, 4)


# What is wrong is said


def small(tmp_path: Path, **changes: object) -> Manifest:
    path = tmp_path / "small.toml"
    path.write_text(
        'name = "small"\ntitle = "Small"\nroots = ["small"]\npattern = \'^(?P<pid>\\d+)_(?P<camid>\\d+)\\.jpg$\'\n'
        '[[set]]\nsplit = "train"\nfolders = ["train", "training"]\n'
    )
    return dataclasses.replace(load_manifest(str(path)), **changes)  # type: ignore[arg-type]


def test_no_dataset_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"small: no dataset folder under .*Expected one of small there; set DATA_ROOT"):
        find_records(small(tmp_path), tmp_path)


def test_missing_folder_is_an_error_unless_a_part_is_used_on_purpose(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "Partial_REID" / "whole_body_images", ["001_001.jpg"])
    manifest = load_manifest("partial_reid")
    assert "has no folder occluded_body_images" in errors(find_records(manifest, tmp_path))[0]
    assert errors(find_records(dataclasses.replace(manifest, subset=True), tmp_path)) == []


def test_names_that_do_not_parse_are_counted_with_examples(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "small" / "train", ["1_1.jpg", *(f"x{number}.jpg" for number in range(5))])
    (text,) = errors(find_records(small(tmp_path), tmp_path))
    assert "5 of 6 names in" in text and "x0.jpg, x1.jpg, x2.jpg, ..." in text and r"must match ^(?P<pid>" in text


def test_a_name_must_parse_from_end_to_end(tmp_path: Path, make_images) -> None:
    manifest = small(tmp_path, pattern=r"(?P<pid>\d+)_(?P<camid>\d+)")
    make_images(tmp_path / "small" / "train", ["1_1.jpg"])
    assert "1 of 1 names" in errors(find_records(manifest, tmp_path))[0]


@pytest.mark.parametrize("name", [f"{2**63}_1.jpg", f"1_{2**63}.jpg"])
def test_a_number_that_no_file_holds_is_told(name: str, tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "small" / "train", [f"{2**63 - 1}_1.jpg", name])
    found = find_records(small(tmp_path), tmp_path)
    (text,) = errors(found)
    assert f"1 of 2 names in {tmp_path}/small/train have a number of 2^63 or more: {name} -> Rename them" in text
    assert [record.pid for record in found.records] == [2**63 - 1]


def test_a_camera_of_a_set_that_no_file_holds_is_refused(tmp_path: Path) -> None:
    manifest = small(tmp_path)
    (tmp_path / "small.toml").write_text((tmp_path / "small.toml").read_text() + f"camera = {10**19}\n")
    with pytest.raises(UserError, match=r"camera of 2\^63 or more.*camera = 0") as error:
        load_manifest(str(tmp_path / "small.toml"))
    assert manifest.set[0].prefix in error.value.wrong


@pytest.mark.parametrize("pattern", [r"(?P<pid>.+)_(?P<camid>\d+)\.jpg", r"(?P<pid>\d)?.*_(?P<camid>\d+)\.jpg"])
def test_a_person_that_is_no_number_is_told(pattern: str, tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "small" / "train", ["1_1.jpg", "anna_1.jpg"])
    (text,) = errors(find_records(small(tmp_path, pattern=pattern), tmp_path))
    assert "1 of 2 names in" in text and r"is no number: anna_1.jpg -> Write \d+" in text


def test_a_name_that_is_no_text_is_told(tmp_path: Path, make_images) -> None:
    manifest = small(tmp_path, pattern=r"(?P<pid>\d+)_(?P<camid>\d+).*\.jpg")
    make_images(tmp_path / "small" / "train", ["1_1.jpg", os.fsdecode(b"2_1\xff.jpg")])
    found = find_records(manifest, tmp_path)
    (text,) = errors(found)
    assert "1 of 2 names in" in text and "are no UTF-8 text: 2_1?.jpg -> Rename them" in text
    assert listed(found) == [("train/1_1.jpg", 1, 1)]


@pytest.mark.parametrize("manifest", ["small.toml", "mine.csv"])
def test_a_folder_whose_path_is_no_text_is_refused(manifest: str, tmp_path: Path, make_images) -> None:
    place = tmp_path / os.fsdecode(b"data\xff")
    make_images(place / "small" / "train", ["1_1.jpg"])
    small(place)
    (place / "mine.csv").write_text("path,pid,camid,split\nsmall/train/1_1.jpg,1,1,train\n")
    with pytest.raises(UserError, match=r"data\?.* is no UTF-8 text\. Rename the folder"):
        find_records(load_manifest(str(place / manifest)), place)


def test_a_folder_that_may_not_be_read(tmp_path: Path, make_images, monkeypatch: pytest.MonkeyPatch) -> None:
    make_images(tmp_path / "small" / "train", ["1_1.jpg"])

    def refuse(folder: str) -> None:
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"small/train cannot be listed: Permission denied"):
        find_records(small(tmp_path), tmp_path)


def test_empty_folder_says_what_else_is_there(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "small" / "train", ["1_1.png"])
    assert "holds no .jpg image, but 1 other files: 1_1.png" in errors(find_records(small(tmp_path), tmp_path))[0]


def test_one_image_in_two_formats_is_there_twice(tmp_path: Path, make_images) -> None:
    for folder in ("query", "gallery"):
        make_images(tmp_path / "Occluded_REID" / folder, ["001_01.jpg", "001_01.tif"])
    text = errors(find_records(load_manifest("occluded_reid"), tmp_path))[0]
    assert "1 images in" in text and "there twice: 001_01.jpg and 001_01.tif" in text


def test_other_files_are_noted_and_folders_below_a_flat_set_ignored(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "small" / "training", ["1_1.jpg", "copy/1_1.jpg", "readme.gif"])
    found = find_records(small(tmp_path), tmp_path)
    assert len(found.records) == 1
    assert [finding.level for finding in found.findings] == ["note"] and "readme.gif" in found.findings[0].wrong


def test_the_digest_sees_a_changed_a_new_and_a_removed_file(tmp_path: Path, make_images) -> None:
    manifest, folder = small(tmp_path), tmp_path / "small" / "train"
    make_images(folder, ["1_1.jpg", "2_1.jpg"])

    def digest() -> str:
        return look(manifest, tmp_path)

    digests = [digest()]
    os.utime(folder / "1_1.jpg", ns=(1, 1))
    assert digest() == digests[0]
    make_images(folder, ["1_1.jpg"])
    digests.append(digest())
    make_images(folder, ["3_1.jpg"])
    digests.append(digest())
    (folder / "2_1.jpg").unlink()
    digests.append(digest())
    assert len(set(digests)) == 4


# Links, capitals, names without suffix


def nested(tmp_path: Path) -> Manifest:
    manifest = small(tmp_path, pattern=r"^(?P<pid>\d+)_(?P<camid>\d+)(\.jpg)?$")
    return dataclasses.replace(manifest, set=(dataclasses.replace(manifest.set[0], nested=True),))


def names(found: Found) -> list[str]:
    return [record.name for record in found.records]


def test_links_to_folders_are_folders(tmp_path: Path, make_images) -> None:
    train = tmp_path / "small" / "train"
    make_images(train, ["1_1.jpg"])
    make_images(tmp_path / "disk2", ["2_1.jpg", "deep/3_1.jpg"])
    (train / "more").symlink_to(tmp_path / "disk2")
    found = find_records(nested(tmp_path), tmp_path)
    assert names(found) == ["train/1_1.jpg", "train/more/2_1.jpg", "train/more/deep/3_1.jpg"]
    assert found.findings == []


def test_links_that_lead_back_or_to_what_is_read_are_left_out(tmp_path: Path, make_images) -> None:
    train = tmp_path / "small" / "train"
    make_images(train, ["1_1.jpg", "own/2_1.jpg"])
    make_images(tmp_path / "disk2", ["3_1.jpg"])
    (train / "loop").symlink_to(train)
    (train / "above").symlink_to(tmp_path)
    (train / "again").symlink_to(train / "own")
    (train / "more").symlink_to(tmp_path / "disk2")
    (train / "more2").symlink_to(tmp_path / "disk2")
    (tmp_path / "disk2" / "back").symlink_to(train)
    assert names(find_records(nested(tmp_path), tmp_path)) == [
        "train/1_1.jpg",
        "train/more/3_1.jpg",
        "train/own/2_1.jpg",
    ]


def test_a_flat_set_takes_no_folder_for_a_file(tmp_path: Path, make_images) -> None:
    train = tmp_path / "small" / "train"
    make_images(train, ["1_1.jpg", "kept/2_1.jpg"])
    (train / "3_1.jpg").symlink_to(train / "kept")
    (train / "4_1.jpg").symlink_to(train / "kept/2_1.jpg")
    found = find_records(small(tmp_path), tmp_path)
    assert names(found) == ["train/1_1.jpg", "train/4_1.jpg"] and found.findings == []


def test_a_set_folder_may_be_a_link(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "disk2", ["1_1.jpg"])
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "train").symlink_to(tmp_path / "disk2")
    assert names(find_records(small(tmp_path), tmp_path)) == ["train/1_1.jpg"]


def test_files_without_suffix_are_images_where_the_manifest_says_so(tmp_path: Path, make_images) -> None:
    train = tmp_path / "small" / "train"
    make_images(train, ["1_1.jpg", "2_1.JPG"])
    (train / "1_1.jpg").rename(train / "1_1")
    found = find_records(dataclasses.replace(nested(tmp_path), extensions=("", ".jpg")), tmp_path)
    assert names(found) == ["train/1_1", "train/2_1.JPG"]
