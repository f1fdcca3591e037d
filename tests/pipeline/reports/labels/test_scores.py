"""Labels of several runs against ground truth: numbers by hand, which images are scored, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from label_runs import SIZE, sample, write_exact, write_labels

from pipeline.cli.app import main
from pipeline.runs.layout import Paths
from sorn.parts import HEAD
from sorn.sample import Status

LABELS = [
    sample("train/a.jpg", 96),
    sample("train/b.jpg", 48),
    sample("train/c.jpg", 0, Status.EMPTY),
    sample("train/d.jpg", 96, Status.LEFT_OUT),
    sample("train/e.jpg", 96),  # without ground truth
    sample("query/q.jpg", 0, Status.UNLABELED),
]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Labels of four images with ground truth, of which every first half of the rows is head."""
    paths = Paths("synped", "danet", tmp_path / "data", tmp_path / "runs")
    write_labels(paths, LABELS)
    half = np.zeros(SIZE, np.uint8)
    half[:48] = HEAD
    for name in ("train/a.jpg", "train/b.jpg", "train/c.jpg", "train/d.jpg", "query/q.jpg"):
        write_exact(paths, name, half)
    return paths


def score(paths: Paths, *words: str, code: int = 0) -> str:
    given = ["--runs", str(paths.runs), "--data-root", str(paths.data_root)]
    result = CliRunner().invoke(main, ["masks", "score", *words, *given])
    assert result.exit_code == code, result.output
    return result.output


def test_numbers_by_hand(paths: Paths) -> None:
    """a is head all over, b is right: head 96 of 144 rows, background 48 of 96; two of three stripes and one half."""
    out = score(paths, "synped-danet", "--set", "model.stripes=6")
    assert "| `synped-danet` | train | 3 | 1 | 58.3 | 75.0 | 50.0 |" in out
    stripes = next(line for line in out.splitlines() if line.startswith("| `synped-danet`, train | 100.0"))
    assert stripes == "| `synped-danet`, train | 100.0 | 100.0 | 100.0 | 50.0 | 50.0 | 50.0 | 75.0 | 0.0 | 25.0 |"


def test_a_row_for_each_labelled_split_of_each_run(paths: Paths) -> None:
    other = dataclasses.replace(paths, labeler="import")
    write_labels(other, [sample("query/q.jpg", 48), sample("train/a.jpg", 0, Status.EMPTY)])
    write_labels(paths, LABELS)  # both have the same records
    rows = score(paths, "synped-import", str(paths.shard_index.parent)).splitlines()[2:5]
    assert rows[0] == "| `synped-import` | query | 1 | 0 | 100.0 | 100.0 | 66.7 |"
    assert rows[1] == "| `synped-import` | train | 1 | 1 | - | - | - |"
    assert "| train | 3 | 1 |" in rows[2], "the same run by the path of its folder"


def test_what_cannot_be_scored_is_refused(paths: Paths) -> None:
    assert "no labels of 'synped-dane'" in score(paths, "synped-dane", code=1)
    for path in (paths.data_root / paths.dataset / "masks").rglob("*.png"):
        path.unlink()
    out = score(paths, "synped-danet", code=1)
    assert "no labelled image of 'synped-danet' has ground truth" in out and "--data-root" in out
