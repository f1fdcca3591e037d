"""Inputs of stages: their spelling in stamps never changes, as fingerprints hash it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.runs.inputs import OUTSIDE, Input, as_stored, from_stored, initial_weights

SPELLED = [
    ("masks", Input("data", "records", "d"), "records"),
    ("masks", Input(OUTSIDE, "mask files", "d"), "mask files"),
    ("labeler", Input("data", "records", "d"), "records"),
    ("train", Input("masks", "train", "d"), "masks of train"),
    ("train", Input("masks", "val_query", "d"), "masks of val_query"),
    ("eval", Input("data", "manifest", "d"), "manifest"),
    ("eval", Input("train", "checkpoint", "d"), "checkpoint"),
    ("eval", Input("masks", "query", "d"), "images of query"),
    ("eval", Input("masks", "pose", "d"), "pose"),
    ("eval", Input(OUTSIDE, "segmenter", "d"), "segmenter"),
    ("data", Input(OUTSIDE, "images", "d"), "images"),
    ("data", Input(OUTSIDE, "manifest", "d"), "manifest"),
]


@pytest.mark.parametrize(("reader", "one", "name"), SPELLED)
def test_an_input_has_one_spelling_and_reads_back(reader: str, one: Input, name: str) -> None:
    assert as_stored(reader, [one]) == {name: "d"}
    assert from_stored(reader, {name: "d"}) == (one,)


def test_initial_weights_are_their_content_whatever_the_file_is_called(tmp_path: Path) -> None:
    assert initial_weights("train.init", "imagenet") == "imagenet" and initial_weights("train.init", "none") == "none"
    for name in ("weights.pth", "weights"):
        path, digests = tmp_path / name, set()
        for content in (b"one", b"other"):
            path.write_bytes(content)
            found = initial_weights("train.init", str(path))
            assert isinstance(found, dict) and found["file"] == name
            digests.add(found["sha256"])
        assert len(digests) == 2


def test_initial_weights_that_are_no_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.b").mkdir()
    for init, words in (
        (str(tmp_path / "a.b"), "a.b is a folder. Give a file in it"),
        (str(tmp_path / "no.pth"), "no.pth: no such file. Give a weights file"),
        ("imagnet", "train.init = imagnet: no such file. Did you mean imagenet?"),
    ):
        with pytest.raises(UserError, match=words):
            initial_weights("train.init", init)
