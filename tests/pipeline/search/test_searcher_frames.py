"""Searches in frames with the boxes of a detector."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from searches import run

from pipeline.datasets.boxes import FrameBox, FrameCrop
from pipeline.search.searcher import Searcher


@pytest.fixture
def frames(tmp_path, folder) -> tuple[Path, Path]:
    """A frame with four of the pictures, and a CSV with their boxes; one lies outside, one has no size."""
    sheet = np.zeros((64, 4 * 32, 3), np.uint8)
    for number in range(4):
        sheet[:, 32 * number : 32 * number + 32] = np.asarray(Image.open(folder / "<b>" / f"1{number}.png"))
    Image.fromarray(sheet).save(tmp_path / "frame.png")
    boxes = tmp_path / "boxes.csv"
    rows = [f"frame.png,{32 * number},0,32,64" for number in range(4)]
    boxes.write_text("\n".join(["path,x,y,w,h", *rows, "frame.png,500,0,9,9", "frame.png,0,0,0,9"]))
    return tmp_path / "frame.png", boxes


def test_boxes_in_frames_have_the_features_of_their_crops(tmp_path, model, folder, kept, frames):
    frame, boxes = frames
    people = Searcher(model, boxes, device="cpu", keep=tmp_path / "bank.h5")
    names = [f"frame.png@{32 * number},0,32,64" for number in range(4)]
    assert people.gallery.bank.name.tolist() == names
    assert "lies outside the frame of 128x64" in people.gallery.attrs["left_out"]
    assert "has no size" in people.gallery.attrs["left_out"]
    for number, name in enumerate(names):
        (hit,) = people.search(folder / "<b>" / f"1{number}.png", top=1)
        assert (hit.name, hit.path, hit.box, hit.own) == (name, frame, (32 * number, 0, 32, 64), False)
        assert hit.similarity == pytest.approx(1, abs=1e-2)
    (answer,) = people.answers([FrameCrop(frame, FrameBox(32, 0, 32, 64))], top=4)
    assert [hit.own for hit in answer.hits] == [True, False, False, False] and answer.hits[0].name == names[1]
    again = Searcher(model, boxes, device="cpu", keep=tmp_path / "bank.h5")
    assert np.array_equal(again.gallery.bank.global_, people.gallery.bank.global_)


def test_frames_are_searched_from_the_command_line(tmp_path, model, folder, frames):
    frame, boxes = frames
    wanted = tmp_path / "wanted.csv"
    wanted.write_text("path,x,y,w,h\nframe.png,64,0,32,64\n")
    out = tmp_path / "out"
    said = run("search", "--model", model, "--gallery", boxes, "--query", wanted, "--top", 2, "--out", out)
    assert f"{frame}@64,0,32,64" in said and "(the query's own picture)" in said
    found = json.loads((out / "search.json").read_text())
    (first, _) = found["queries"][0]["hits"]
    assert first["own"] and first["box"] == [64, 0, 32, 64] and first["false_match_rate"] is None
    assert (out / "search.html").read_text().count("the query&#39;s own picture") == 1
    outside = tmp_path / "outside.csv"
    outside.write_text("path,x,y,w,h\nframe.png,500,0,9,9\ngone.png,0,0,9,9\n")
    said = run("search", "--model", model, "--gallery", outside, "--query", wanted, "--out", out, code=1)
    assert "lies outside the frame" in said and "(No such file or directory)" in said.replace("[Errno 2] ", "")
    assert f"Correct {outside}: boxes in pixels of their frames" in said and str(tmp_path / "gone.png") not in said
    wanted.write_text("path,x,y,w,h\nframe.png,64,0,0,64\n")
    said = run("search", "--model", model, "--gallery", boxes, "--query", wanted, "--out", out, code=1)
    assert "line 2: its box 64,0,0,64 has no size" in said
