"""The list that `sorn data from-folders` writes: it is a dataset, and nothing is written over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.app import main
from pipeline.datasets.check import check
from pipeline.datasets.discovery import find_records
from pipeline.datasets.manifest import load_manifest


def sorn(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def people(tmp_path: Path, make_images) -> Path:
    make_images(tmp_path / "people", [f"{name}/cam{i % 2}_{i}.jpg" for name in "abcdef" for i in range(4)])
    return tmp_path / "people"


def test_it_is_a_dataset(people: Path) -> None:
    made = sorn("data", "from-folders", people)
    assert made.exit_code == 0, made.output
    path = people.parent / "own.csv"
    report = check(load_manifest(str(path)), people)
    assert report.usable and not [finding for finding in report.findings if finding.level != "note"]
    assert len(find_records(load_manifest(str(path)), people).records) == 24
    assert "assumed: cameras, as the names tell them: 0, 1" in made.output
    assert f"sorn data check {path}" in made.output and f"make eval DATASET={path} TRAINED_ON=starter" in made.output


def test_nothing_is_written_over(people: Path) -> None:
    path = people.parent / "own.csv"
    path.write_text("mine")
    refused = sorn("data", "from-folders", people)
    assert refused.exit_code == 1 and "is there, with other content" in refused.output and path.read_text() == "mine"
    assert sorn("data", "from-folders", people, "--replace").exit_code == 0 and path.read_text() != "mine"
    again = sorn("data", "from-folders", people)  # equal content is no reason to refuse
    assert again.exit_code == 0


def test_paths_are_of_the_folder_of_the_list(people: Path) -> None:
    inside = people / "list.csv"
    assert sorn("data", "from-folders", people, "--out", inside).exit_code == 0
    assert check(load_manifest(str(inside)), people).usable
    elsewhere = sorn("data", "from-folders", people, "--out", people.parent / "other" / "own.csv")
    assert elsewhere.exit_code == 1 and f"--out {people.parent / 'own.csv'}" in elsewhere.output


def test_the_present_folder_by_a_dot(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(people)
    assert sorn("data", "from-folders", ".").exit_code == 0
    assert check(load_manifest("own.csv"), people).usable


def test_odd_names_are_found_again(tmp_path: Path, make_images) -> None:
    names = [
        f"{person}/{camera} {i}.jpg"
        for person in (" blank", 'quo"te', "com,ma", "ü")
        for camera in ("c1", "c2")
        for i in "12"
    ]
    make_images(tmp_path / " odd", names)
    made = sorn("data", "from-folders", tmp_path / " odd", "--test", 1)
    assert made.exit_code == 0, made.output
    assert check(load_manifest(str(tmp_path / "own.csv")), tmp_path).usable


def test_tracks_of_names_are_a_column(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "mars", [f"{p:04}C{c}T0001F{f:03}.jpg" for p in (1, 2, 3) for c in (1, 2) for f in (1, 2)])
    made = sorn("data", "from-names", tmp_path / "mars", "--test", 1)
    assert made.exit_code == 0, made.output
    lines = (tmp_path / "own.csv").read_text().splitlines()
    assert lines[0] == "path,pid,camid,split,track"
    records = find_records(load_manifest(str(tmp_path / "own.csv")), tmp_path)
    assert len({record.track for record in records.records}) == 6
    assert [finding.level for finding in records.findings] == ["note"] and "6 tracks" in records.findings[0].wrong


def test_a_wrong_share_is_a_sentence(people: Path) -> None:
    refused = sorn("data", "from-folders", people, "--test", 2)
    assert refused.exit_code == 1 and "test = 2.0: expected a share" in refused.output
