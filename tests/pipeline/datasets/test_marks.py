"""marks.csv: known and unknown names, spellings of spreadsheets, and what is no such table."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.datasets.marks import read_marks
from pipeline.errors import LostFile, UserError


def test_marks_by_name(tmp_path: Path) -> None:
    file = tmp_path / "marks.csv"
    file.write_text('\ufeffreason;path\nupside down;train/a.jpg\n;train/b.jpg\n"outline";gone.jpg\nno;train/a.jpg\n')
    marks = read_marks(file, {"train/a.jpg", "train/b.jpg"})
    assert marks.reasons == {"train/a.jpg": "no", "train/b.jpg": "marked"} and marks.gone == ("gone.jpg",)
    first, second = marks.sentences("marks.csv")
    assert first == "2 images of marks.csv are left out of the segmentation loss: 1 no, 1 marked"
    assert second == "1 marks of marks.csv name no labelled image, and change nothing: gone.jpg"


def test_what_is_no_list_of_marks(tmp_path: Path) -> None:
    with pytest.raises(LostFile, match=r"masks\.leave_out = .*gone\.csv: no such file\. Save it with the labels page"):
        read_marks(tmp_path / "gone.csv", {"a"})
    file = tmp_path / "marks.csv"
    file.write_text("name,why\na,b\n")
    with pytest.raises(UserError, match=r"has no column path, reason; it has name, why"):
        read_marks(file, {"a"})
