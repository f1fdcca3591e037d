"""Stored lists: what was written beside a report is what is read from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.reports.evaluation.stored_lists import stored_lists

if TYPE_CHECKING:
    from conftest import Evaluated


def test_a_list_is_read_back(evaluated: Evaluated) -> None:
    found, lists = evaluated.scores, stored_lists(evaluated.path.parent / "lists")
    assert lists is not None
    for number in (0, 40, 299):
        name, first = str(found.query.name[number]), found.answers["global+local"]
        read = lists.find(name, "global+local", 3)
        assert read is not None and read.first_hit == first.first_hit[number]
        positions = first.answers.positions[number][:3]
        assert [answer.name for answer in read.answers] == found.gallery.name[positions].tolist()
        assert [answer.rank for answer in read.answers] == [1, 2, 3]
        assert [answer.person for answer in read.answers] == [str(pid) for pid in found.gallery.pid[positions]]
        for image, wanted in ((read.image, name), *((answer.image, answer.name) for answer in read.answers)):
            drawn, meant = (pixels.mean(axis=2).ravel() for pixels in (image, evaluated.sample_of(wanted).image))
            assert image.shape == (48, 16, 3) and np.corrcoef(drawn, meant)[0, 1] > 0.6


def test_what_is_not_stored(evaluated: Evaluated, tmp_path: Path) -> None:
    folder = evaluated.path.parent / "lists"
    lists = stored_lists(folder)
    assert lists is not None and stored_lists(tmp_path) is None
    name = str(evaluated.scores.query.name[0])
    assert lists.find(name, "global", 3) is None and lists.find("query/nobody.jpg", "sorn", 3) is None
    shutil.copytree(folder, tmp_path / "lists")
    (tmp_path / "lists" / "answers-00000.js").write_text("LISTS.pieces[0] = [{")
    broken = stored_lists(tmp_path / "lists")
    with pytest.raises(ValueError, match="Expecting"):
        assert broken and broken.find(name, "sorn", 3)
