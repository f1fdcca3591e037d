"""Freshness: what makes a stage stale, and the words it is told in."""

import hashlib
import json
import os

import pytest

from pipeline.errors import UserError
from pipeline.io.files import digest_file, write_text
from pipeline.runs import stamp

INPUTS = {"masks of train": "a" * 64}
CONFIG = {"model": {"parts": 3}, "loss": {"spc_weight": 0.5}}


@pytest.fixture
def folder(tmp_path):
    output = tmp_path / "out" / "model.bin"
    output.parent.mkdir()
    output.write_bytes(b"weights")
    stamp.write(output.parent, "train", 1, INPUTS, CONFIG, [output], {"checkpoint": "c" * 64})
    return output.parent


def why(folder, version=1, inputs=INPUTS, config=CONFIG):
    return stamp.why_stale(folder, "train", version, inputs, config)


def test_nothing_changed_is_fresh(folder):
    assert why(folder) == []


def test_a_stage_that_never_finished_is_stale(tmp_path):
    assert why(tmp_path) == ["never finished"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "train changed: version 1 -> 2"),
        ({"inputs": {"masks of train": "b" * 64}}, "masks of train changed"),
        ({"inputs": {}}, "masks of train is no longer used"),
        ({"config": {"model": {"parts": 6}, "loss": {"spc_weight": 0.5}}}, "option model.stripes changed: 3 -> 6"),
        ({"config": {**CONFIG, "seed": 1}}, "option seed is new"),
        (
            {"config": {**CONFIG, "model": {"parts": 3, "part_branch": True}}},
            "option model.part_branch changed: False -> True",
        ),
    ],
)
def test_each_change_is_named(folder, change, reason):
    assert why(folder, **change) == [reason]


def test_outputs_are_checked(folder):
    output = folder / "model.bin"
    output.write_bytes(b"weighty")  # as long as before
    os.utime(output, ns=(1, 1))
    assert why(folder) == ["output model.bin was changed after it was written"]
    output.unlink()
    assert why(folder) == ["output model.bin is missing"]


def test_a_copied_output_is_still_fresh(folder):
    os.utime(folder / "model.bin", ns=(5, 5))
    assert why(folder) == []


def test_a_broken_stamp_names_itself_and_the_remedy(folder):
    (folder / "stamp.json").write_text("{")
    with pytest.raises(UserError, match=r"stamp\.json is not a stamp.*Delete"):
        why(folder)


def test_a_stamp_that_cannot_be_read_names_itself_and_the_remedy(folder, tmp_path):
    (folder / "stamp.json").unlink()
    (folder / "stamp.json").mkdir()
    with pytest.raises(UserError, match=r"out/stamp\.json cannot be read: Is a directory\. .*remove .*out/stamp\.json"):
        why(folder)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match=r"cannot be read: Not a directory\. .*remove .*/file and run"):
        why(tmp_path / "file")


def test_a_stamp_without_permission_is_said(folder, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)  # a superuser may read every file
    with pytest.raises(UserError, match=r"stamp\.json cannot be read: Permission denied\. Make it a file that you may"):
        why(folder)


@pytest.mark.parametrize(
    "change",
    [{"outputs": ["model.bin"]}, {"outputs": {"model.bin": "abc"}}, {"config": None}, {"provides": {"checkpoint": 1}}],
)
def test_a_stamp_whose_fields_are_of_another_kind_is_refused(folder, change):
    record = json.loads((folder / "stamp.json").read_text())
    (folder / "stamp.json").write_text(json.dumps(record | change))
    with pytest.raises(UserError, match=r"stamp\.json is not a stamp: .*of a wrong type.*Delete"):
        why(folder)


def test_what_a_stamp_no_longer_provides_is_named(folder):
    found = stamp.read(folder)
    assert found.provided("checkpoint") == "c" * 64
    with pytest.raises(UserError, match="stamp of train has no digest 'records'"):
        found.provided("records")


def test_an_output_that_became_a_folder_is_a_reason(folder):
    (folder / "model.bin").unlink()
    (folder / "model.bin").mkdir()
    size = (folder / "model.bin").stat().st_size
    record = json.loads((folder / "stamp.json").read_text())
    record["outputs"]["model.bin"][1] = size  # as large as the file was
    (folder / "stamp.json").write_text(json.dumps(record))
    assert why(folder) == ["output model.bin cannot be read: Is a directory"]


def test_the_stamp_is_plain_json_with_what_it_promises(folder):
    record = json.loads((folder / "stamp.json").read_text())
    assert record["stage"] == "train" and record["inputs"] == INPUTS and record["provides"] == {"checkpoint": "c" * 64}
    assert record["fingerprint"] == stamp.fingerprint("train", 1, INPUTS, CONFIG)
    digest, size, _ = record["outputs"]["model.bin"]
    assert (digest, size) == (digest_file(folder / "model.bin"), 7)
    assert record["versions"]["python"]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "index.json"
    write_text(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        write_text(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "weights"
    digests = set()
    for content in (b"one", b"two"):
        (tmp_path / "new").write_bytes(content)
        os.replace(tmp_path / "new", path)
        digests.add(digest_file(path))
        assert digest_file(path) == hashlib.sha256(content).hexdigest()
    assert len(digests) == 2


def test_an_input_that_came_later_leaves_older_stamps_fresh_and_counts_in_newer_ones(tmp_path):
    older, newer = {"images of query": "q"}, {"images of query": "q", "images of val_query": "v"}
    stamp.write(tmp_path, "eval", 1, older, {}, [], {})
    assert stamp.why_stale(tmp_path, "eval", 1, newer, {}) == []
    stamp.write(tmp_path, "eval", 1, newer, {}, [], {})
    assert stamp.why_stale(tmp_path, "eval", 1, newer, {}) == []
    changed = newer | {"images of val_query": "w"}
    assert stamp.why_stale(tmp_path, "eval", 1, changed, {}) == ["images of val_query changed: v -> w"]
