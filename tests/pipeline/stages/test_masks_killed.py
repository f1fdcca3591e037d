"""Marks, mended masks and exports, killed between any two operations on files.

Nothing earlier is lost, and the same call ends the work with the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kills import Killed, killed_at
from mask_runs import SIZE, make_config, make_dataset, tree
from PIL import Image

from pipeline.reports.labels.compare import find_index
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.index import verify_shards
from pipeline.stages import driver, masks
from pipeline.tools.label_export import export_labels
from sorn.parts import FOOT
from sorn.sample import Status

pytestmark = pytest.mark.usefixtures("mine")
SAMPLE = 4  # moments in the fast tests
MARKED, MENDED = 3, 12  # numbers of images


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """25 training images in three shards; image 3 is marked, image 12 mended, and both stand in finished labels."""
    monkeypatch.setattr(driver, "_require_fresh_input", lambda *_: None)
    paths = make_dataset(tmp_path, {"train": 25})
    label(paths, **given(tmp_path, "first", [MARKED], [MENDED]))
    return paths


def label(paths: Paths, **options: Any) -> None:
    stages: dict[str, Any] = {"data": masks, "masks": masks}
    driver.execute(stages, "masks", Run.of(make_config(**options), paths))


def given(folder: Path, name: str, marked: list[int], mended: list[int]) -> dict[str, str]:
    """Options for marks and mended masks of these images of `train`."""
    place = folder / f"{name}-masks"
    (place / "train").mkdir(parents=True)
    for number in mended:
        Image.fromarray(np.full(SIZE, FOOT, np.uint8)).save(place / "train" / f"{number:03d}.png")
    file = folder / f"{name}.csv"
    file.write_text("path,reason\n" + "".join(f"train/{number:03d}.png,outline\n" for number in marked))
    return {"leave_out": str(file), "overrides": str(place)}


def changed(paths: Paths) -> tuple[list[int], list[int]]:
    """Images that are left out, and those of the mended mask, as a reader of the finished labels sees them."""
    index = find_index(paths.runs, paths.run_name)
    verify_shards(index)
    data = ShardDataset(index, "train")
    left_out = np.flatnonzero(data.status == Status.LEFT_OUT).tolist()
    return left_out, [number for number in range(len(data)) if (data[number].mask == FOOT).all()]


def results(folder: Path) -> dict[str, bytes]:
    """Files with results; the stamp holds times of writing."""
    return {name: content for name, content in tree(folder).items() if not name.endswith(("stamp.json", ".lock"))}


def survives(
    start: Path, place: Path, work: Callable[[], object], check: Callable[[], object], moments: int | None
) -> int:
    """Kill the work at its operations on files, from a copy of `start` each time; the number of operations.

    place: folder in which the work is done. check: called after each kill. moments: how many; None for all.
    """
    shutil.copytree(start, place)
    with killed_at(10**9) as done:
        work()
    expected = results(place)
    numbers = range(len(done)) if moments is None else np.linspace(0, len(done) - 1, moments).astype(int).tolist()
    killed = 0
    for number in numbers:
        shutil.rmtree(place)
        shutil.copytree(start, place)
        with killed_at(number) as before:
            try:
                work()
            except Killed:
                killed += 1
        check()
        work()
        assert results(place) == expected, f"killed after {before}"
    assert killed > 0.8 * len(numbers) - 1, "digests that are kept save a few operations at the end, not more"
    return len(done)


@pytest.mark.parametrize("moments", [SAMPLE, pytest.param(None, marks=pytest.mark.slow)])
def test_more_marks_and_mended_masks(paths: Paths, tmp_path: Path, moments: int | None) -> None:
    options = given(tmp_path, "second", [MARKED, 7, 21], [MENDED, 13])
    start = Path(shutil.move(paths.runs, tmp_path / "start"))
    former, newer = ([MARKED], [MENDED]), ([MARKED, 7, 21], [MENDED, 13])

    def check() -> None:
        assert changed(paths) in (former, newer)

    assert survives(start, paths.runs, lambda: label(paths, **options), check, moments) > 20
    assert changed(paths) == newer


@pytest.mark.parametrize("kind", ["png", "coco"])
@pytest.mark.parametrize("moments", [SAMPLE, pytest.param(None, marks=pytest.mark.slow)])
def test_an_export(paths: Paths, tmp_path: Path, kind: str, moments: int | None) -> None:
    """The folder holds a mask that somebody added."""
    start, out = tmp_path / "out-before", tmp_path / "out"
    own = "notes/train-x.png"
    (start / "notes").mkdir(parents=True)
    (start / own).write_bytes(b"mine")

    def check() -> None:
        assert (out / own).read_bytes() == b"mine"
        assert changed(paths) == ([MARKED], [MENDED])

    work = lambda: export_labels(paths.run_name, paths.runs, kind, None, out)  # noqa: E731
    assert survives(start, out, work, check, moments) > 50
    label(paths, leave_out=str(tmp_path / "first.csv"), overrides=str(out))
    assert changed(paths) == ([MARKED], [MENDED]), "the export brings back what it was made of"
