"""The data stage, through the driver: what it writes, when it runs again, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image
from record_tables import pairs_of, table_of_pairs

from pipeline.datasets.manifest import load_manifest, mask_path
from pipeline.datasets.records import ImageFile
from pipeline.datasets.records_file import read_records, write_records
from pipeline.errors import UserError
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import data, driver

MINE = r"""
name = "mine"
title = "Mine"
licence = "Mine alone."
notice = "Ask me first."
roots = ["mine"]
pattern = '^(?P<pid>-?\d+)_(?P<camid>\d+)\.jpg$'
junk_pids = [-1]
distractor_pids = [0]
[[set]]
split = "train"
folders = ["train"]
[[set]]
split = "query"
folders = ["query"]
[[set]]
split = "gallery"
folders = ["gallery"]
"""


@pytest.fixture
def paths(tmp_path: Path, make_images) -> Paths:
    root = tmp_path / "datasets" / "mine"
    make_images(root / "train", ["1_1.jpg", "2_2.jpg"])
    make_images(root / "query", ["3_1.jpg"])
    make_images(root / "gallery", ["3_2.jpg", "0_1.jpg", "-1_1.jpg"])
    (tmp_path / "mine.toml").write_text(MINE)
    return Paths(str(tmp_path / "mine.toml"), "none", tmp_path / "datasets", tmp_path / "runs", name="mine")


def run(paths: Paths) -> bool:
    """Whether the stage had to run."""
    return driver.execute({"data": data}, "data", Run.of(Config(), paths)) is not None  # type: ignore[dict-item]


def provided(paths: Paths) -> str:
    return data.provides(Run.of(Config(), paths))["records"]


def summary(paths: Paths) -> dict:
    return json.loads(paths.data_summary.read_text(encoding="utf-8"))


def test_what_it_writes(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(paths)
    root = paths.data_root / "mine"
    assert [
        (record.name, record.path, record.pid, record.camid, record.split)
        for record, _ in pairs_of(read_records(paths.records, "make data"))
    ] == [
        ("gallery/0_1.jpg", root / "gallery/0_1.jpg", 0, 1, "gallery"),
        ("gallery/3_2.jpg", root / "gallery/3_2.jpg", 3, 2, "gallery"),
        ("query/3_1.jpg", root / "query/3_1.jpg", 3, 1, "query"),
        ("train/1_1.jpg", root / "train/1_1.jpg", 1, 1, "train"),
        ("train/2_2.jpg", root / "train/2_2.jpg", 2, 2, "train"),
    ]
    told = summary(paths)
    assert told["splits"]["gallery"] == {"images": 2, "ids": 2, "per_camera": {"1": 1, "2": 1}}
    assert told["junk_dropped"] == {"gallery/": 1} and told["distractors_kept"] == 1
    assert (told["licence"], told["notice"], told["evaluation_only"]) == ("Mine alone.", "Ask me first.", False)
    assert told["protocols"][0]["query_prefix"] == "query/"
    printed = capsys.readouterr()
    assert "Ask me first." in printed.err and "dropped 1 junk images" in printed.out


def test_fresh_says_so_and_keeps_the_terms_to_itself(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    run(paths)
    capsys.readouterr()
    assert not run(paths)
    printed = capsys.readouterr()
    assert "fresh" in printed.out and "Ask me first." not in printed.err


def test_touching_and_moving_files_changes_nothing(paths: Paths, tmp_path: Path) -> None:
    run(paths)
    os.utime(paths.data_root / "mine" / "train" / "1_1.jpg", ns=(5, 5))
    assert not run(paths)
    shutil.move(paths.data_root / "mine", tmp_path / "moved" / "mine")
    moved = Paths(paths.dataset, "none", tmp_path / "moved", paths.runs, name="mine")
    assert not run(moved)
    assert Run.of(Config(), moved).records[0].path == tmp_path / "moved/mine/gallery/0_1.jpg"


def test_a_picture_with_the_size_and_the_time_of_another_is_noticed(paths: Paths, make_images) -> None:
    run(paths)
    before, image = provided(paths), paths.data_root / "mine" / "train" / "1_1.jpg"
    time = image.stat().st_mtime_ns
    content = bytearray(image.read_bytes())
    content[15] ^= 1  # a density, which no decoder reads
    image.write_bytes(content)
    os.utime(image, ns=(time, time))
    assert run(paths) and provided(paths) != before


def test_another_picture_or_one_more_provides_something_else(paths: Paths, make_images) -> None:
    run(paths)
    digests = [provided(paths)]
    make_images(paths.data_root / "mine" / "train", ["1_1.jpg"])
    assert run(paths)
    digests.append(provided(paths))
    make_images(paths.data_root / "mine" / "train", ["4_1.jpg"])
    assert run(paths)
    digests.append(provided(paths))
    assert len(set(digests)) == 3


def test_only_new_contents_are_decoded_again(paths: Paths, make_images, monkeypatch: pytest.MonkeyPatch) -> None:
    run(paths)
    read: list[str] = []
    original = data.read_file
    monkeypatch.setattr(data, "read_file", lambda path: (read.append(path.name), original(path))[1])
    make_images(paths.data_root / "mine" / "train", ["1_1.jpg"])
    run(paths)
    assert read == ["1_1.jpg"]


def test_the_last_image_is_counted(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(paths)
    assert "data: 5/5 images" in capsys.readouterr().err


def test_reading_ends_with_an_error(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def read_all(read: Callable[[Path], ImageFile], files: Sequence[str], label: str, workers: int) -> Iterator[object]:
        try:
            yield from (read(Path(path)) for path in files)
        finally:
            ended.append(label)

    monkeypatch.setattr(data, "read_all", read_all)
    monkeypatch.setattr(data, "_file_values", lambda result, errors: 1 / 0)
    with pytest.raises(ZeroDivisionError) as error:
        run(paths)
    assert ended == ["data"] and error.tb


def test_workers_change_nothing(paths: Paths) -> None:
    run(paths)
    before = paths.records.read_bytes(), paths.data_summary.read_bytes()
    config = Config(runtime=type(Config().runtime)(workers=0))
    shutil.rmtree(paths.runs)
    driver.execute({"data": data}, "data", Run.of(config, paths))  # type: ignore[dict-item]
    assert (paths.records.read_bytes(), paths.data_summary.read_bytes()) == before


def test_damaged_records_are_written_again(paths: Paths) -> None:
    run(paths)
    before = paths.records.read_bytes()
    paths.records.write_bytes(before[:200])
    assert "records.csv was changed" in driver.state(data, Run.of(Config(), paths)).reasons[0]  # type: ignore[arg-type]
    assert run(paths) and paths.records.read_bytes() == before


def truncate(root: Path) -> None:
    Image.effect_noise((60, 120), 50).save(root / "train/1_1.jpg")
    (root / "train/1_1.jpg").write_bytes((root / "train/1_1.jpg").read_bytes()[:900])


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated image": (truncate, "1_1.jpg cannot be read as an image"),
    "missing folder": (lambda root: shutil.rmtree(root / "query"), "has no folder query"),
    "missing dataset": (shutil.rmtree, "no dataset folder under"),
    "empty folder": (lambda root: (root / "query/3_1.jpg").unlink(), "query holds no .jpg image"),
    "odd name": (lambda root: (root / "query/3_1.jpg").rename(root / "query/three.jpg"), "do not parse: three.jpg"),
    "query id not in the gallery": (lambda root: (root / "gallery/3_2.jpg").unlink(), "are not in gallery: 3"),
    "one camera only": (lambda root: (root / "gallery/3_2.jpg").rename(root / "gallery/3_1.jpg"), "one camera only, 1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_is_one_sentence_and_destroys_nothing(paths: Paths, fault: str) -> None:
    run(paths)
    before = paths.records.read_bytes(), paths.data_summary.read_bytes()
    spoil, expected = FAULTS[fault]
    spoil(paths.data_root / "mine")
    with pytest.raises(UserError) as error:
        run(paths)
    assert expected in error.value.wrong and error.value.remedy and "\n" not in str(error.value)
    assert (paths.records.read_bytes(), paths.data_summary.read_bytes()) == before
    assert driver.state(data, Run.of(Config(), paths)).reasons  # type: ignore[arg-type]
    assert not list(paths.runs.rglob("*.tmp"))


def test_an_incomplete_dataset_is_refused_and_a_part_on_purpose_is_recorded(paths: Paths, tmp_path: Path) -> None:
    manifest = Path(paths.dataset)
    manifest.write_text(MINE.replace('folders = ["train"]', 'folders = ["train"]\nimages = 9'))
    with pytest.raises(UserError, match=r"train holds 2 of 9 images, 7 are missing\. Copy that folder again"):
        run(paths)
    part = tmp_path / "part.toml"
    part.write_text(f'base = "{manifest.name}"\nsubset = true\n')
    partly = Paths(str(part), "none", paths.data_root, paths.runs, name="part")
    assert run(partly)
    assert [finding["level"] for finding in summary(partly)["findings"]] == ["warning"]


def test_a_csv_is_a_dataset(paths: Paths, tmp_path: Path) -> None:
    listed = tmp_path / "datasets" / "own.csv"
    rows = ["path,pid,camid,split", "mine/query/3_1.jpg,zoe,0,query", "mine/gallery/3_2.jpg,zoe,1,gallery"]
    listed.write_text("\n".join(rows))
    own = Paths(str(listed), "none", paths.data_root, paths.runs, name="own")
    assert run(own) and not run(own)
    told = summary(own)
    assert told["pid_labels"] == {"1": "zoe"} and told["evaluation_only"] and told["name"] == "own"
    shutil.copy(tmp_path / "datasets/mine/train/1_1.jpg", tmp_path / "datasets/mine/query/3_1.jpg")
    assert run(own)


NAMED = {"a": ("zoe", "train"), "b": ("yann", "train"), "c": ("xena", "query"), "d": ("xena", "gallery")}


def named(folder: Path, runs: Path, make_images, **more: tuple[str, str]) -> Paths:
    """A CSV of people with names, and one image of each row."""
    rows = {**NAMED, **more}
    make_images(folder, [f"{name}.png" for name in rows if not (folder / f"{name}.png").exists()])
    lines = [f"{name}.png,{pid},{'door' if name in 'abc' else 'yard'},{split}" for name, (pid, split) in rows.items()]
    (folder / "own.csv").write_text("\n".join(["path,pid,camid,split", *lines]) + "\n")
    return Paths(str(folder / "own.csv"), "none", folder, runs, name="own")


def trained(paths: Paths) -> list[tuple[int, int]]:
    return [(r.pid, r.camid) for r, _ in pairs_of(read_records(paths.records, "make data")) if r.split == "train"]


def test_one_more_name_in_the_gallery_leaves_the_numbers_of_training(tmp_path: Path, make_images) -> None:
    own = named(tmp_path / "own", tmp_path / "runs", make_images)
    run(own)
    before = trained(own)
    named(tmp_path / "own", tmp_path / "runs", make_images, e=("aaron", "gallery"))
    assert run(own) and trained(own) == before
    assert set(summary(own)["pid_labels"].values()) == {"zoe", "yann", "xena", "aaron"}
    assert summary(own)["splits"]["gallery"]["per_camera"] == {"yard": 2}


def test_names_that_0_1_numbered_otherwise_keep_their_numbers(tmp_path: Path, make_images) -> None:
    """It numbered all names in their order, so that xena came before those of train."""
    own = named(tmp_path / "own", tmp_path / "runs", make_images)
    run(own)
    old = {"xena": 1, "yann": 2, "zoe": 3}
    rows = pairs_of(read_records(own.records, "make data"))
    names = {int(number): name for number, name in summary(own)["pid_labels"].items()}
    renumbered = ((dataclasses.replace(r, pid=old[names[r.pid]]), file) for r, file in rows)
    write_records(own.records, table_of_pairs(renumbered))
    labels = {str(number): name for name, number in old.items()}
    own.data_summary.write_text(json.dumps(summary(own) | {"pid_labels": labels}))
    named(tmp_path / "own", tmp_path / "runs", make_images, e=("aaron", "gallery"))
    assert run(own) and trained(own) == [(3, 1), (2, 1)]
    assert summary(own)["pid_labels"] == labels | {"4": "aaron"}
    named(tmp_path / "own", tmp_path / "runs", make_images, e=("aaron", "train"))
    assert run(own) and trained(own) == [(3, 1), (2, 1), (1, 2)], "training is another one now"


def test_a_query_in_the_gallery_is_a_warning(tmp_path: Path, make_images, capsys: pytest.CaptureFixture[str]) -> None:
    own = named(tmp_path / "own", tmp_path / "runs", make_images)
    run(own)
    assert "in gallery too" not in capsys.readouterr().err
    shutil.copy(tmp_path / "own/c.png", tmp_path / "own/e.png")
    named(tmp_path / "own", tmp_path / "runs", make_images, e=("xena", "gallery"))
    assert run(own)
    wrong = "1 of 1 images of query are in gallery too, as another camera's or person's: query/c.png = gallery/e.png"
    assert f"warning: {wrong}" in capsys.readouterr().err
    assert wrong in [finding["wrong"] for finding in summary(own)["findings"]]


# SynPed: the stage renders what is missing


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch, make_images) -> list[str]:
    """Stands for the renderer; its calls, and what it wrote."""
    dataset = pytest.importorskip("pipeline.datasets.synped.dataset")
    calls: list[str] = []

    def write_dataset(root: Path, size: str, seed: int, workers: int, style: str) -> None:
        calls.append(f"{size} {seed} {workers} {style}")
        for split, camid in (
            ("train", 1),
            ("val_query", 1),
            ("val_gallery", 2),
            ("query", 1),
            ("gallery", 2),
            ("labeler", 3),
            ("val_query/cut", 1),
            ("query/cut", 1),
        ):
            for pid in (1, 2):
                pid += 10 * (split in ("query", "query/cut", "gallery")) + 20 * ("val" in split)
                stem = f"{split}/{pid:04d}_c{camid + pid * (split == 'train'):02d}_{pid:06d}"
                if not all((root / part).is_file() for part in (f"images/{stem}.jpg", f"masks/{stem}.png")):
                    make_images(root, [f"images/{stem}.jpg", f"masks/{stem}.png"])

    sheet = pytest.importorskip("pipeline.datasets.synped.sheet")
    monkeypatch.setattr(dataset, "write_dataset", write_dataset)
    monkeypatch.setattr(sheet, "contact_sheet", lambda root, path, splits: path.write_text(" ".join(splits)))
    return calls


def test_synped_is_rendered_once(tmp_path: Path, renders: list[str]) -> None:
    synped = Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")
    assert run(synped) and not run(synped)
    assert renders == ["demo 3 2 home"]
    assert synped.contact_sheet.read_text() == "train query"
    records = [record for record, _ in pairs_of(read_records(synped.records, "make data"))]
    manifest, root = load_manifest("synped_demo"), tmp_path / "data" / "synped_demo"
    assert len(records) == 12 and all(mask_path(manifest, root, record).is_file() for record in records)


def test_another_style_has_no_training_and_a_sheet_of_what_it_has(tmp_path: Path, renders: list[str]) -> None:
    abroad = Paths("synped_abroad", "none", tmp_path / "data", tmp_path / "runs")
    assert run(abroad) and not run(abroad)
    assert renders == ["test 1 2 abroad"]
    assert {record.split for record, _ in pairs_of(read_records(abroad.records, "make data"))} == {"query", "gallery"}
    assert abroad.contact_sheet.read_text() == "query gallery"


def test_cut_people_are_in_the_folder_of_synped_itself(tmp_path: Path, renders: list[str]) -> None:
    cut = Paths("synped_cut", "none", tmp_path / "data", tmp_path / "runs")
    assert run(cut) and not run(cut)
    assert renders == ["full 0 2 home"]
    rows = list(pairs_of(read_records(cut.records, "make data")))
    names = {record.name.rpartition("/")[0] for record, _ in rows}
    assert names == {"val_query/cut", "val_gallery", "query/cut", "gallery"}
    manifest, root = load_manifest("synped_cut"), tmp_path / "data" / "synped"
    assert len(rows) == 8 and all(mask_path(manifest, root, record).is_file() for record, _ in rows)
    assert cut.contact_sheet.read_text() == "query/cut gallery"


def test_damaged_records_of_synped_are_written_again(tmp_path: Path, renders: list[str]) -> None:
    synped = Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")
    run(synped)
    synped.records.write_text("name,path\n")
    assert run(synped) and not run(synped)


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_what_is_deleted_of_synped_is_rendered_again(tmp_path: Path, renders: list[str], kind: str) -> None:
    synped = Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")
    run(synped)
    next((tmp_path / "data/synped_demo" / kind / "query").iterdir()).unlink()
    assert "rendering 2 (1 were missing" in driver.state(data, Run.of(Config(), synped)).reasons[0]  # type: ignore[arg-type]
    assert run(synped) and len(renders) == 2
    assert not run(synped)


def test_a_run_that_was_broken_off_renders_the_rest(tmp_path: Path, renders: list[str]) -> None:
    synped = Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")
    (tmp_path / "data/synped_demo/images/train").mkdir(parents=True)
    assert run(synped) and not run(synped)
    spoilt = tmp_path / "data/synped_demo/images/query/0011_c01_000011.jpg"
    spoilt.write_bytes(b"")
    with pytest.raises(UserError, match=r"it is empty\. Delete this file: it is rendered again"):
        run(synped)
    spoilt.unlink()
    assert run(synped) and not run(synped)
