"""Inputs of stages: their spelling in stamps never changes, as fingerprints hash it."""

from __future__ import annotations

import pytest

from pipeline.runs.inputs import OUTSIDE, Input, as_stored, from_stored

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
