"""Newer outputs of a stage take the place of finished ones: all of them or none, wherever a process is killed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path

import pytest
from kills import Killed, killed_at

from pipeline.errors import UserError
from pipeline.runs import stamp
from pipeline.runs.layout import NEXT
from pipeline.runs.replacement import link, settle

OLD = {"model.safetensors": "old", "config.json": "old", "pictures/a.png": "old", "val/shard-0.h5": "old"}
NEW = {"model.safetensors": "new", "config.json": "new", "pictures/b.png": "new", "query/shard-0.h5": "new"}


def write(folder: Path, files: dict[str, str], fingerprint: str) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    stamp.write(folder, "train", 1, {"made": fingerprint}, {}, [folder / name for name in files], {})


def stage_folder(folder: Path) -> Path:
    """Old outputs, complete newer ones in next/, scalars, training states and a file of the user."""
    write(folder, OLD, "old")
    write(folder / NEXT, NEW, "new")
    for place, text in ((folder, "old"), (folder / NEXT, "new")):
        (place / "tensorboard").mkdir()
        (place / f"tensorboard/events.out.tfevents.{text}").write_text(text)
    (folder / NEXT / "state-abc-00000001.pt").write_text("state")
    (folder / NEXT / "model.safetensors.tmp").write_text("half")
    (folder / "notes.txt").write_text("mine")
    (folder / ".lock").touch()
    return folder


def files(folder: Path) -> dict[str, str]:
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if not name.endswith("stamp.json")}


SETTLED = NEW | {"tensorboard/events.out.tfevents.new": "new", "notes.txt": "mine", ".lock": ""}


def test_complete_newer_outputs_take_their_places(tmp_path: Path) -> None:
    folder = stage_folder(tmp_path / "train")
    made = stamp.read(folder)
    assert made is not None and made.inputs == {"made": "new"}
    assert files(folder) == SETTLED and not (folder / NEXT).exists() and not (folder / "val").exists()
    assert stamp.why_stale(folder, "train", 1, {"made": "new"}, {}) == []


def test_killed_between_any_two_operations_the_next_reader_ends_it(tmp_path: Path) -> None:
    for number in itertools.count():
        folder = stage_folder(tmp_path / str(number))
        with killed_at(number) as done:
            try:
                settle(folder)
                killed = False
            except Killed:
                killed = True
        settle(folder)
        assert files(folder) == SETTLED, f"killed after {done}"
        assert stamp.why_stale(folder, "train", 1, {"made": "new"}, {}) == []
        if not killed:
            break
    assert number > 10


def test_outputs_without_a_stamp_are_not_taken(tmp_path: Path) -> None:
    folder = stage_folder(tmp_path / "train")
    before = files(folder)
    (folder / NEXT / "stamp.json").unlink()
    assert stamp.why_stale(folder, "train", 1, {"made": "old"}, {}) == [] and files(folder) == before
    for damaged in ("{", "[]", '{"outputs": {}}', '{"outputs": 3}'):
        (folder / NEXT / "stamp.json").write_text(damaged)
        assert stamp.why_stale(folder, "train", 1, {"made": "old"}, {}) == [] and files(folder) == before


def test_a_stamp_that_names_files_elsewhere_removes_none_of_them(tmp_path: Path) -> None:
    folder = stage_folder(tmp_path / "train")
    (tmp_path / "precious").write_text("mine")
    old = json.loads((folder / "stamp.json").read_text())
    for name in ("../precious", str(tmp_path / "precious"), "pictures/../../precious"):
        old["outputs"][name] = ["0", 1, 1]
    (folder / "stamp.json").write_text(json.dumps(old))
    settle(folder)
    assert (tmp_path / "precious").read_text() == "mine"


def test_two_names_of_one_file_leave_one(tmp_path: Path) -> None:
    """As the features of an evaluation whose options changed only."""
    folder = stage_folder(tmp_path / "train")
    (folder / NEXT / "model.safetensors").unlink()
    link(folder / "model.safetensors", folder / NEXT / "model.safetensors")
    settle(folder)
    assert files(folder) == SETTLED | {"model.safetensors": "old"} and not (folder / NEXT).exists()


def test_a_file_system_without_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")

    def none(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", none)
    link(tmp_path / "a", tmp_path / "next/b")
    assert (tmp_path / "next/b").read_text() == "x"
    assert (tmp_path / "next/b").stat().st_mtime_ns == (tmp_path / "a").stat().st_mtime_ns


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stage_folder(tmp_path / "train")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UserError, match=r"next holds the newer outputs of .*Permission denied.*Make .*train.*writable"):
        stamp.read(folder)


def test_a_copied_folder_settles_too(tmp_path: Path) -> None:
    copy = shutil.copytree(stage_folder(tmp_path / "train"), tmp_path / "copy")
    assert stamp.why_stale(copy, "train", 1, {"made": "new"}, {}) == [] and files(copy) == SETTLED
