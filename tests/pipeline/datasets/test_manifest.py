from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from record_tables import pairs_of, table_of, table_of_pairs

from pipeline.datasets.found import Found
from pipeline.datasets.manifest import load_manifest, mask_path
from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.datasets.records_file import content_digest, read_records, write_records
from pipeline.errors import UserError

SMALL = r"""
name = "small"
title = "Small"
roots = ["Small"]
pattern = '^(?P<pid>\d+)_(?P<camid>\d+)\.jpg$'

[[set]]
split = "query"
folders = ["query"]
"""


def write(folder: Path, text: str, name: str = "small.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def complaint(dataset: str) -> str:
    with pytest.raises(UserError) as error:
        load_manifest(dataset)
    return str(error.value)


def test_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    text = complaint("market")
    assert text.startswith("unknown dataset 'market'. Did you mean market1501?") and "synped_demo" in text


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, SMALL))
    assert (manifest.extensions, manifest.junk_pids, manifest.subset) == ((".jpg",), (), False)
    assert manifest.find_protocol("default").query_prefix == "query/"
    assert manifest.evaluation_only and manifest.set[0].prefix == "query/"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('title = "Small"', 'titel = "Small"', "unknown key 'titel'. Did you mean title?"),
        ('title = "Small"', "", "the key 'title' is missing"),
        ('title = "Small"', "title = 3", "title = 3: expected text"),
        ('title = "Small"', "title = ", "is not TOML"),
        ('name = "small"', 'name = "a/b"', "name = 'a/b'"),
        ('name = "small"', 'name = ""', "name = ''"),
        ('split = "query"', 'split = "test"', "set 'test/' is of no known split. Known splits: train"),
        ("(?P<pid>", "(", "pattern has no group pid"),
        ("(?P<camid>", "(", "neither the pattern nor every set tells the camera"),
        (r"\d+)_", r"\d+_", "no regular expression"),
        ('folders = ["query"]', "", "names no folders"),
        ('roots = ["Small"]', 'csv = "a.csv"', "both csv and [[set]]"),
        ("[[set]]", '[[set]]\nsplit = "query"\nfolders = ["q"]\n[[set]]', "two sets share a split and a name"),
        ("[[set]]", '[[protocol]]\nname = "a"\ndescription = "b"\n[[set]]', "0 protocols are marked default"),
        ("[[set]]", '[[set]]\nimages = "many"', "set[0].images = 'many': expected a whole number"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in SMALL
    assert expected in complaint(write(tmp_path, SMALL.replace(old, new)))


def test_base_takes_another_manifest_and_replaces_keys(tmp_path: Path) -> None:
    mine = load_manifest(write(tmp_path, 'base = "market1501"\nsubset = true\n', "my part.toml"))
    theirs = load_manifest("market1501")
    assert (mine.name, mine.subset) == ("my_part", True)
    assert (mine.pattern, mine.set, mine.junk_pids) == (theirs.pattern, theirs.set, (-1,))
    assert mine.digest() != theirs.digest()


@pytest.mark.parametrize(
    "text",
    ["subset = true", r"pattern = '^(?P<pid>\d+)_c(?P<camid>\d+)\.jpg$'", "expected_ids = {}", "distractor_pids = []"],
)
def test_other_images_than_those_of_the_base_have_a_title_of_their_own(tmp_path: Path, text: str) -> None:
    mine = load_manifest(write(tmp_path, f'base = "market1501"\n{text}\n', "mymarket.toml"))
    assert mine.title == "images of mymarket.toml, in the layout of market1501"
    assert mine.paper == () and mine.notice and mine.licence
    again = load_manifest(write(tmp_path, 'base = "mymarket.toml"\nroots = ["elsewhere"]\n', "moved.toml"))
    assert (again.title, again.paper) == (mine.title, ())


def test_a_camera_policy_is_of_the_names_that_it_was_written_for(tmp_path: Path) -> None:
    text = 'base = "market1501"\nsubset = true\n'
    assert load_manifest(write(tmp_path, text)).camera_policy
    pattern = r"pattern = '^(?P<pid>\d+)_c(?P<camid>\d+)\.jpg$'"
    assert not load_manifest(write(tmp_path, f"{text}{pattern}\n")).camera_policy


def test_the_same_images_in_another_place_keep_title_and_figures(tmp_path: Path) -> None:
    theirs = load_manifest("market1501")
    mine = load_manifest(write(tmp_path, 'base = "market1501"\nroots = ["mine"]\nname = "m"\n'))
    assert (mine.title, mine.paper) == (theirs.title, theirs.paper) and theirs.paper
    protocol = '[[protocol]]\nname = "own"\ndefault = true\nshots = 1\ndescription = "Mine."\n'
    other = load_manifest(write(tmp_path, f'base = "market1501"\n{protocol}'))
    assert (other.title, other.paper) == (theirs.title, ())


def test_what_a_manifest_says_itself_stands(tmp_path: Path) -> None:
    said = 'title = "My part"\npaper = [{ source = "ours", method = "A", rank-1 = 50.0 }]\n'
    mine = load_manifest(write(tmp_path, f'base = "market1501"\nsubset = true\n{said}'))
    assert (mine.title, mine.paper) == ("My part", ({"source": "ours", "method": "A", "rank-1": 50.0},))


def test_a_base_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"base = 3 is no text\. Name a dataset"):
        load_manifest(write(tmp_path, "base = 3\n"))


def test_digest_does_not_depend_on_where_the_manifest_lies(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert load_manifest(write(tmp_path, SMALL)).digest() == load_manifest(write(tmp_path / "other", SMALL)).digest()


def test_a_csv_is_a_dataset_named_after_it(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, "path,pid,camid,split\n", "my photos.csv"))
    assert (manifest.name, manifest.csv_path, manifest.junk_pids) == ("my_photos", tmp_path / "my photos.csv", (-1,))
    assert "does not exist" in complaint(str(tmp_path / "none.csv"))


def test_a_manifest_may_name_a_csv_beside_it(tmp_path: Path) -> None:
    manifest = load_manifest(write(tmp_path, 'name = "mine"\ntitle = "Mine"\ncsv = "list.csv"\nnotice = "private"\n'))
    assert (manifest.csv_path, manifest.notice, manifest.junk_pids) == (tmp_path / "list.csv", "private", (-1,))


def test_protocols_are_found_by_name_or_as_default() -> None:
    manifest = load_manifest("partial_reid")
    assert manifest.find_protocol("default") is manifest.find_protocol("occluded")
    assert manifest.find_protocol("partial").query_prefix == "query/partial/"
    assert manifest.find_protocol("partial_single_shot").shots == 1
    with pytest.raises(UserError, match=r"no protocol 'cropped'.*Known: occluded, partial"):
        manifest.find_protocol("cropped")


def test_masks_mirror_the_names_of_images() -> None:
    record = ImageRecord("query/occluded/001_001.jpg", Path("/d/x/001_001.jpg"), 1, 0, "query")
    manifest = load_manifest("partial_reid")
    assert mask_path(manifest, Path("/d"), record) == Path("/d/masks/query/occluded/001_001.png")


def rows() -> list[tuple[ImageRecord, ImageFile]]:
    b = ImageRecord('train/b, "x" ü.jpg', Path("/data/b.jpg"), 2, 1, "train")
    a = ImageRecord("train/a.jpg", Path("/data/a.jpg"), 1, 3, "train")
    return [(b, ImageFile(10, 11, "bb", 4, 8)), (a, ImageFile(20, 21, "aa", 5, 9))]


def paths(folder: Path) -> SimpleNamespace:
    return SimpleNamespace(records=folder / "records.csv", dataset="small")


def test_records_come_back_sorted_by_name(tmp_path: Path) -> None:
    write_records(tmp_path / "records.csv", table_of_pairs(rows()))
    assert list(pairs_of(read_records(paths(tmp_path).records, "make data"))) == [rows()[1], rows()[0]]
    assert not list(tmp_path.glob("*.tmp"))


def test_missing_or_damaged_records_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has not run. Run: make data"):
        read_records(paths(tmp_path).records, "make data")
    write_records(tmp_path / "records.csv", table_of_pairs(rows()))
    text = (tmp_path / "records.csv").read_text()
    (tmp_path / "records.csv").write_text(text[:-20])
    with pytest.raises(UserError, match=r"line 3: .*make data"):
        read_records(paths(tmp_path).records, "make data")
    (tmp_path / "records.csv").write_text("name,path\n")
    with pytest.raises(UserError, match=r"does not have the columns"):
        read_records(paths(tmp_path).records, "make data")
    (tmp_path / "records.csv").write_bytes(text.encode() + b"\x97")
    with pytest.raises(UserError, match=r"cannot be read: .*Delete it. Run: make data"):
        read_records(paths(tmp_path).records, "make data")
    (tmp_path / "records.csv").write_text(text + "a" * 200_000)  # longer than csv lets a field be
    with pytest.raises(UserError, match=r"line 4: .*make data"):
        read_records(paths(tmp_path).records, "make data")


def test_content_digest_sees_content_and_ids_but_neither_place_nor_time() -> None:
    (b, file_b), (a, file_a) = rows()
    digest = content_digest(table_of_pairs(rows()))
    moved = ImageRecord(a.name, Path("/elsewhere/a.jpg"), a.pid, a.camid, a.split)
    assert content_digest(table_of_pairs([(moved, ImageFile(20, 99, "aa", 5, 9)), (b, file_b)])) == digest
    assert content_digest(table_of_pairs([(a, ImageFile(20, 21, "changed", 5, 9)), (b, file_b)])) != digest
    assert (
        content_digest(table_of_pairs([(ImageRecord(a.name, a.path, 7, a.camid, a.split), file_a), (b, file_b)]))
        != digest
    )


def test_records_fall_into_sets_by_name() -> None:
    records = [
        ImageRecord("gallery/a/1.jpg", Path("1"), 1, 1, "gallery"),
        ImageRecord("query/occluded/1.jpg", Path("1"), 1, 0, "query"),
    ]
    folders = {"query/occluded/": Path("o"), "query/partial/": Path("p"), "gallery/": Path("g")}
    sets = Found(Path("r"), "folders", table_of(records), folders, {}, []).by_set()
    assert {key: len(value) for key, value in sets.items()} == {
        "query/occluded/": 1,
        "query/partial/": 0,
        "gallery/": 1,
    }


@pytest.mark.parametrize("name", ["mine.TOML", "mine.CSV"])
def test_a_suffix_in_capitals_is_a_file_too(tmp_path: Path, name: str) -> None:
    text = 'base = "market1501"\n' if name.endswith("TOML") else "path,pid,camid,split\n"
    (tmp_path / name).write_text(text)
    assert load_manifest(str(tmp_path / name)).name == "mine"
