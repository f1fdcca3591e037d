from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.datasets.csv_list import content_digest
from pipeline.datasets.discovery import find_records
from pipeline.datasets.found import Found
from pipeline.datasets.manifest import load_manifest
from pipeline.errors import UserError

HEADER = "path,pid,camid,split\n"


def find(folder: Path, text: str | bytes) -> Found:
    path = folder / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return find_records(load_manifest(str(path)), folder / "unused")


@pytest.fixture(autouse=True)
def images(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["a.jpg", "b.png", "sub/ü, 1.jpg"])


def test_rows_become_records(tmp_path: Path) -> None:
    text = 'split,PATH,camid,pid,remark\n query ,./a.jpg,12,7,x\ngallery,b.png,3, 7,\n\ntrain,"sub\\ü, 1.jpg",0,-1,\n'
    found = find(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert [(r.name, r.pid, r.camid, r.path) for r in found.records] == [
        ("gallery/b.png", 7, 3, tmp_path / "b.png"),
        ("query/a.jpg", 7, 12, tmp_path / "a.jpg"),
    ]
    assert found.junk == {"train/": 1} and found.findings == [] and found.pid_labels == {}


def test_semicolons_tabs_and_wide_text_are_taken(tmp_path: Path) -> None:
    """As spreadsheets save a CSV where the comma is the decimal sign, and "Unicode text"."""
    text = HEADER + "a.jpg,1,1,query\nb.png,1,2,gallery\n"
    plain = find(tmp_path, text).records
    assert find(tmp_path, "sep=;\r\n" + text.replace(",", ";")).records == plain
    assert find(tmp_path, text.replace(",", "\t").encode("utf-16")).records == plain


def test_splits_may_be_in_capitals(tmp_path: Path) -> None:
    found = find(tmp_path, HEADER + "a.jpg,1,1,Query\nb.png,1,2,GALLERY\n")
    assert [record.name for record in found.records] == ["gallery/b.png", "query/a.jpg"] and found.findings == []


def test_whole_numbers_written_as_floats_are_numbers(tmp_path: Path) -> None:
    """As pandas writes a column that once had a gap; -1.0 is junk as -1 is."""
    rows = 'a.jpg,{0}7{1},{0}2{1},query\nb.png,{0}7{1},{0}3{1},gallery\n"sub/ü, 1.jpg",{0}-1{1},{0}3{1},gallery\n'
    floats, integers = (find(tmp_path, HEADER + rows.format("", end)) for end in (".0", ""))
    assert floats.records == integers.records and floats.junk == integers.junk == {"gallery/": 1}
    assert floats.pid_labels == floats.camid_labels == {} and floats.findings == []
    halves = find(tmp_path, HEADER + "a.jpg,1.5,1,query\nb.png,2.0,2,gallery\n")
    assert halves.pid_labels == {1: "1.5", 2: "2"}


def test_ids_beyond_64_bits_are_labels(tmp_path: Path) -> None:
    large = 10**20
    found = find(tmp_path, HEADER + f"a.jpg,{large + 2},1,query\nb.png,{large},2,gallery\n")
    assert found.pid_labels == {1: str(large), 2: str(large + 2)}
    assert [record.pid for record in found.records] == [1, 2]
    assert "not every pid is a whole number below 2^63" in found.findings[0].wrong
    assert not find(tmp_path, HEADER + f"a.jpg,{2**63 - 1},1,query\n").pid_labels


def test_absolute_paths_inside_the_folder_are_taken(tmp_path: Path) -> None:
    text = HEADER + f"{tmp_path}/a.jpg,1,1,query\nb.png,1,2,gallery\n"
    assert [record.name for record in find(tmp_path, text).records] == ["gallery/b.png", "query/a.jpg"]


def test_zeros_in_front_are_kept_for_reports(tmp_path: Path) -> None:
    found = find(tmp_path, HEADER + "a.jpg,0042,01,query\nb.png,0042,2,gallery\n")
    assert {record.pid for record in found.records} == {42} and found.findings == []
    assert (found.names.person(42), found.names.camera(1), found.names.camera(2)) == ("0042", "01", "2")


@pytest.mark.parametrize("junk", ["-1", "-1.0", "\u22121", "\u20131"])
def test_junk_in_other_spellings(tmp_path: Path, junk: str) -> None:
    found = find(tmp_path, HEADER + f"a.jpg,7,1,query\nb.png,{junk},2,gallery\n")
    assert found.junk == {"gallery/": 1} and found.pid_labels == {}


def test_names_that_look_alike_are_warned_of(tmp_path: Path) -> None:
    found = find(
        tmp_path, HEADER + 'a.jpg,Zoe,door,query\nb.png,zoe,hall  1,gallery\n"sub/ü, 1.jpg",1,hall 1,gallery\n'
    )
    wrong = [finding.wrong for finding in found.findings if finding.level == "warning"]
    assert ["'Zoe' and 'zoe'" in wrong[0], "'hall  1' and 'hall 1'" in wrong[1], len(wrong)] == [True, True, 2]


def test_one_image_may_be_query_and_gallery(tmp_path: Path) -> None:
    assert len(find(tmp_path, HEADER + "a.jpg,1,1,query\na.jpg,1,1,gallery\nb.png,1,2,gallery\n").records) == 3


def test_labels_are_sorted_and_numbered_from_one(tmp_path: Path) -> None:
    found = find(tmp_path, HEADER + 'a.jpg,zoe,door,query\nb.png,7,yard,gallery\n"sub/ü, 1.jpg",anna,door,gallery\n')
    assert found.pid_labels == {1: "7", 2: "anna", 3: "zoe"} and found.camid_labels == {1: "door", 2: "yard"}
    assert [(r.name, r.pid, r.camid) for r in found.records] == [
        ("gallery/b.png", 1, 2),
        ("gallery/sub/ü, 1.jpg", 2, 1),
        ("query/a.jpg", 3, 1),
    ]
    assert [finding.level for finding in found.findings] == ["note", "note"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("a.jpg,1,1,test\n", "line 2: 'test': is no known split -> Known: train, val_query"),
        ("../a.jpg,1,1,train\n", "line 2: ../a.jpg: is not inside the CSV's folder"),
        ("sub/../../a.jpg,1,1,train\n", "is not inside the CSV's folder"),
        ("/etc/hosts,1,1,train\n", "line 2: /etc/hosts: is not inside the CSV's folder"),
        ("C:\\a.jpg,1,1,train\n", "is not inside the CSV's folder"),
        ("none.jpg,1,1,train\nb.png,1,1,train\nno.jpg,1,1,train\n", "line 2: none.jpg (and 1 more): does not exist in"),
        ("a.jpg,1,1,train\n./a.jpg,1,1,train\n", "line 3: a.jpg: is in train a second time -> Remove one of the rows."),
        (
            "a.jpg,1,,query\n",
            "line 2: camid: is empty -> Fill it in. No cameras known? Write 0 for query, 1 for gallery.",
        ),
        ("a.jpg,-2,1,train\n", "pid -2: is no person's number -> Use 0 and up; -1 marks junk"),
        ("a.jpg,1,-1,train\n", "camid -1: is no camera's number"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, rows: str, expected: str) -> None:
    (finding,) = find(tmp_path, HEADER + rows).findings
    assert finding.level == "error" and str(tmp_path / "mine.csv") in finding.wrong
    assert expected in f"{finding.wrong} -> {finding.remedy}"


@pytest.mark.parametrize("name", ["a\0.jpg", "../a\0.jpg", "sub/../a\0.jpg", "/a\0.jpg"])
def test_a_name_with_a_nul_byte_is_a_missing_file(tmp_path: Path, name: str) -> None:
    (finding,) = find(tmp_path, f"{HEADER}{name},1,1,train\n").findings
    assert finding.level == "error" and "line 2: " in finding.wrong
    digest = content_digest(load_manifest(str(tmp_path / "mine.csv")))
    assert digest.agrees(digest.former())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "has no column path, pid, camid, split; it has none"),
        ("path|pid|camid|split\n", "it has path|pid|camid|split. Its first line must be path,pid,camid,split"),
        (HEADER, "lists no image"),
        (HEADER + "a.jpg,1\n", "line 2: 2 values for 4 columns"),
        (HEADER + "a.jpg,1,1,train\nb.png,01,1,train\n", "pid '01' and '1' are one number"),
        (HEADER.encode() + b"\xff.jpg,1,1,train\n", "is not a CSV"),
        (HEADER + 'a"b.jpg","1,1,train\n', "is not a CSV"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str | bytes, expected: str) -> None:
    with pytest.raises(UserError) as error:
        find(tmp_path, text)
    assert expected in str(error.value) and "mine.csv" in str(error.value)


# One file under several spellings


@pytest.mark.parametrize("path", ["./a.jpg", "sub/../a.jpg", "sub//../a.jpg", ".//a.jpg"])
def test_spellings_of_one_path_are_one_image(tmp_path: Path, path: str) -> None:
    found = find(tmp_path, HEADER + f"{path},1,1,query\nb.png,1,2,gallery\n")
    assert found.records[1].name == "query/a.jpg" and found.findings == []
    twice = find(tmp_path, HEADER + f"a.jpg,1,1,query\n{path},1,1,query\nb.png,1,2,gallery\n")
    assert "line 3: a.jpg: is in query a second time" in twice.findings[0].wrong


def test_two_dots_behind_a_link_stay_outside(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "elsewhere", ["x/c.jpg", "a.jpg"])
    make_images(tmp_path / "inside", ["c.jpg"])
    (tmp_path / "inside/link").symlink_to(tmp_path / "elsewhere/x")
    found = find(tmp_path / "inside", HEADER + "link/../a.jpg,1,1,train\nc.jpg,2,1,train\n")
    assert "is not inside the CSV's folder" in found.findings[0].wrong


@pytest.mark.parametrize(
    ("listed", "stored"),
    [
        ("folder/\u00fc.jpg", "folder/u\u0308.jpg"),
        ("folder/u\u0308.jpg", "folder/\u00fc.jpg"),
        ("\u00e9t\u00e9/1.jpg", "e\u0301te\u0301/1.jpg"),
        ("Folder/A.JPG", "folder/a.jpg"),
        ("folder/a.jpg", "folder/A.JPG"),
    ],
)
def test_names_of_another_unicode_form_or_in_other_capitals_are_found(
    tmp_path: Path, make_images, listed: str, stored: str
) -> None:
    make_images(tmp_path, [stored])
    (record,) = find(tmp_path, HEADER + f"{listed},1,1,train\n").records
    assert (record.name, record.path) == (f"train/{listed}", tmp_path / stored)
    found = find(tmp_path, HEADER + f"{listed},1,1,train\n{stored},1,1,train\n")
    assert "is in train a second time" in found.findings[0].wrong


def test_files_that_differ_in_capitals_only_are_two(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["x.jpg", "X.jpg"])
    found = find(tmp_path, HEADER + "x.jpg,1,1,train\nX.jpg,2,1,train\n")
    assert [record.path.name for record in found.records] == ["X.jpg", "x.jpg"] and found.records[0].pid == 2
    assert "X.JPG: does not exist" in find(tmp_path, HEADER + "X.JPG,1,1,train\n").findings[0].wrong


def test_a_file_without_suffix_and_a_link_to_a_file(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["whole.png"])
    (tmp_path / "whole.png").rename(tmp_path / "0017")
    (tmp_path / "link").symlink_to(tmp_path / "b.png")
    found = find(tmp_path, HEADER + "0017,1,1,train\nlink,2,1,train\n")
    assert [record.name for record in found.records] == ["train/0017", "train/link"] and found.findings == []
