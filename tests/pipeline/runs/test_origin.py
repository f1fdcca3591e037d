"""Two datasets of one name: nothing is replaced, and what was moved, copied or edited stays what it was."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.datasets.manifest import load_manifest
from pipeline.errors import UserError
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import data, driver

MINE = r"""
name = "mine"
title = "Mine"
roots = ["mine"]
pattern = '^(?P<pid>\d+)_(?P<camid>\d+)\.jpg$'
[[set]]
split = "train"
folders = ["train"]
"""


@pytest.fixture
def make_list(make_images):
    """Writes a list of two new pictures, and the pictures."""

    def make(path: Path) -> Path:
        make_images(path.parent / path.stem, ["a.png", "b.png"])
        path.write_text(f"path,pid,camid,split\n{path.stem}/a.png,1,1,train\n{path.stem}/b.png,2,2,train\n")
        return path

    return make


def prepare(dataset: Path | str, runs: Path, data_root: Path = Path("data")) -> bool:
    """Whether the data stage had to run."""
    paths = Paths(str(dataset), "none", data_root, runs, name=load_manifest(str(dataset)).name)
    return driver.execute({"data": data}, "data", Run.of(Config(), paths)) is not None  # type: ignore[dict-item]


def refused(dataset: Path | str, runs: Path, data_root: Path = Path("data")) -> str:
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as error:
        prepare(dataset, runs, data_root)
    assert before == {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    return str(error.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a/own.csv", "b/own.csv"),
        ("a/车站.csv", "a/商场.csv"),
        ("a/my data.csv", "a/my_data.csv"),
        ("a/own.csv", "b/OWN/own.csv"),
    ],
)
def test_two_lists_of_one_name_are_two_datasets(tmp_path: Path, make_list, first: str, second: str) -> None:
    runs = tmp_path / "runs"
    assert prepare(make_list(tmp_path / first), runs)
    text = refused(make_list(tmp_path / second), runs)
    assert str(tmp_path / first) in text and str(tmp_path / second) in text


def test_a_copy_under_another_name_is_another_dataset(tmp_path: Path, make_list) -> None:
    first = make_list(tmp_path / "车站.csv")
    shutil.copy(first, tmp_path / "商场.csv")
    assert prepare(first, tmp_path / "runs")
    refused(tmp_path / "商场.csv", tmp_path / "runs")


def test_a_list_beside_the_dataset_of_the_program_with_its_name(tmp_path: Path, make_list, make_images) -> None:
    for folder, name in {"bounding_box_train": "0002_c1s1_000451_03.jpg"}.items():
        make_images(tmp_path / "data/market1501" / folder, [name, "0003_c2s1_000451_03.jpg"])
    (tmp_path / "part.toml").write_text('base = "market1501"\nname = "market1501"\nsubset = true\n')
    assert prepare(tmp_path / "part.toml", tmp_path / "runs", tmp_path / "data")
    assert "market1501.csv" in refused(make_list(tmp_path / "market1501.csv"), tmp_path / "runs")


def test_both_ways_on_can_be_pasted(tmp_path: Path, make_list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(make_list(Path("site A/own list.csv")), Path("runs"))
    text = refused(make_list(Path("site B/own list.csv")), Path("runs"))
    folder, name = re.search(r"another folder: (.*?); or another name: (.*)$", text).groups()  # type: ignore[union-attr]
    write, _, make = name.partition(" && ")
    subprocess.run(["bash", "-c", write], check=True)
    for command in (folder, make):
        words = shlex.split(command)
        assert words[:2] == ["make", "data"]
        options = [
            word for pair in words[2:] for word in (f"--{pair.partition('=')[0].lower()}", pair.partition("=")[2])
        ]
        result = CliRunner().invoke(main, ["data", *options])
        assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("runs").iterdir()) == ["own_list", "site_B_own_list"]
    assert prepare("site A/own list.csv", Path("runs")) is False


def test_an_edited_list_in_its_place_is_the_same_dataset(tmp_path: Path, make_list) -> None:
    listed = make_list(tmp_path / "a/own.csv")
    assert prepare(listed, tmp_path / "runs")
    listed.write_text(listed.read_text().replace("b.png,2,2", "b.png,7,2"))
    assert prepare(listed, tmp_path / "runs")
    (tmp_path / "a/own.toml").write_text('name = "own"\ntitle = "Own"\ncsv = "own.csv"\n')
    assert prepare(tmp_path / "a/own.toml", tmp_path / "runs"), "a licence or a title was added"


def test_a_moved_dataset_may_be_edited_in_its_new_place(tmp_path: Path, make_list) -> None:
    prepare(make_list(tmp_path / "a/own.csv"), tmp_path / "runs")
    (tmp_path / "a").rename(tmp_path / "b")
    assert not prepare(tmp_path / "b/own.csv", tmp_path / "runs")
    with (tmp_path / "b/own.csv").open("a") as file:
        file.write("own/a.png,3,3,query\nown/b.png,3,4,gallery\n")
    assert prepare(tmp_path / "b/own.csv", tmp_path / "runs")


def test_a_dataset_that_was_moved_and_edited_at_once_has_a_third_way(tmp_path: Path, make_list) -> None:
    prepare(make_list(tmp_path / "a/own.csv"), tmp_path / "runs")
    (tmp_path / "a").rename(tmp_path / "b")
    listed = tmp_path / "b/own.csv"
    listed.write_text(listed.read_text().replace("b.png,2,2", "b.png,7,2"))
    command = refused(listed, tmp_path / "runs").partition("moved and changed: ")[2]
    subprocess.run(["bash", "-c", command], check=True)
    assert prepare(listed, tmp_path / "runs")


def test_an_edited_copy_is_another_dataset(tmp_path: Path, make_list) -> None:
    prepare(make_list(tmp_path / "a/own.csv"), tmp_path / "runs")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    listed = tmp_path / "b/own.csv"
    assert not prepare(listed, tmp_path / "runs"), "a copy has the same content"
    listed.write_text(listed.read_text().replace("b.png,2,2", "b.png,7,2"))
    refused(listed, tmp_path / "runs")


def test_a_link_to_a_dataset_is_that_dataset(tmp_path: Path, make_list) -> None:
    listed = make_list(tmp_path / "a/own.csv")
    prepare(listed, tmp_path / "runs")
    (tmp_path / "mount").symlink_to(tmp_path / "a")
    listed.write_text(listed.read_text().replace("b.png,2,2", "b.png,7,2"))
    assert prepare(tmp_path / "mount/own.csv", tmp_path / "runs")


def test_a_project_that_was_copied_whole_is_edited_as_before(tmp_path: Path, make_list) -> None:
    prepare(make_list(tmp_path / "p/a/own.csv"), tmp_path / "p/runs")
    shutil.copytree(tmp_path / "p", tmp_path / "q")
    listed = tmp_path / "q/a/own.csv"
    listed.write_text(listed.read_text().replace("b.png,2,2", "b.png,7,2"))
    assert prepare(listed, tmp_path / "q/runs")


def test_another_folder_of_images_for_one_manifest(tmp_path: Path, make_images) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    for root in ("a", "b"):
        make_images(tmp_path / root / "mine/train", ["1_1.jpg", "2_2.jpg"])
    assert prepare(tmp_path / "mine.toml", tmp_path / "runs", tmp_path / "a")
    assert str(tmp_path / "b") in refused(tmp_path / "mine.toml", tmp_path / "runs", tmp_path / "b")
    shutil.rmtree(tmp_path / "b")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert not prepare(tmp_path / "mine.toml", tmp_path / "runs", tmp_path / "b")


def test_another_manifest_of_the_same_images(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "data/mine/train", ["1_1.jpg", "2_2.jpg"])
    for fold in ("fold1", "fold2"):
        (tmp_path / fold).mkdir()
        (tmp_path / fold / "mine.toml").write_text(MINE.replace('title = "Mine"', f'title = "{fold}"'))
    assert prepare(tmp_path / "fold1/mine.toml", tmp_path / "runs", tmp_path / "data")
    assert "fold2" in refused(tmp_path / "fold2/mine.toml", tmp_path / "runs", tmp_path / "data")


def test_runs_of_the_last_release_are_somebodys_too(tmp_path: Path, make_list) -> None:
    first, runs = make_list(tmp_path / "a/own.csv"), tmp_path / "runs"
    prepare(first, runs)
    stamp = runs / "own/data/stamp.json"
    made = json.loads(stamp.read_text())
    del made["origin"]
    stamp.write_text(json.dumps(made))
    refused(make_list(tmp_path / "b/own.csv"), runs)
    assert not prepare(first, runs)
    stamp.unlink()  # the stage was interrupted after the list was edited
    refused(make_list(tmp_path / "b/own.csv"), runs)


def test_a_folder_of_runs_that_cannot_be_written(tmp_path: Path, make_list, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(make_list(tmp_path / "a/own.csv"), tmp_path / "runs")
    (tmp_path / "a").rename(tmp_path / "b")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipeline.runs.origin.write_json", refuse)
    assert not prepare(tmp_path / "b/own.csv", tmp_path / "runs")


def test_a_copy_with_names_of_persons_has_the_same_content(tmp_path: Path, make_list) -> None:
    """Its rows may even be in another order."""
    listed = make_list(tmp_path / "a/own.csv")
    head, *rows = listed.read_text().replace("b.png,2", "b.png,zoe").splitlines()
    listed.write_text("\n".join([head, *rows]) + "\n")
    prepare(listed, tmp_path / "runs")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/own.csv").write_text("\n".join([head, *reversed(rows)]) + "\n")
    prepare(tmp_path / "b/own.csv", tmp_path / "runs")
