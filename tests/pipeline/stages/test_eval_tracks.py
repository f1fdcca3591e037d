"""Tracks through the eval stage: a track is one gallery image, and a dataset without tracks is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from eval_runs import GALLERY, QUERY, evaluated, run, write_run
from record_tables import pairs_of, table_of_pairs

from pipeline.datasets.records_file import read_records, write_records
from pipeline.errors import UserError
from pipeline.runs import stamp
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import eval as stage


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths("synped_demo", "ground_truth", Path("data"), tmp_path / "runs")
    write_run(made, {"query": QUERY, "gallery": GALLERY})
    return made


def test_a_track_is_one_gallery_image(paths: Paths) -> None:
    """The two pictures of each person without a query become a track."""
    rows = pairs_of(read_records(paths.records, "make data"))
    tracked = [(dataclasses.replace(r, track=f"t{r.pid}" if 8 < r.pid < 50 else ""), file) for r, file in rows]
    write_records(paths.records, table_of_pairs(tracked))
    provided = {"records": "r" * 64, "manifest": "m" * 64, "tracks": "t" * 64}
    stamp.write(paths.folder("data"), "data", 1, {}, {}, [paths.data_summary], provided)
    report = run(paths, evaluated(tracks=True, colour=None))
    assert report["dataset"]["gallery_images"] == len(GALLERY) - 4 and report["dataset"]["query_images"] == len(QUERY)
    assert "features averaged over the frames of each track" in report["protocol"]
    assert "sorn" in report["metrics"] and "colour" not in report["metrics"]


def test_a_dataset_without_tracks_is_refused(paths: Paths) -> None:
    with pytest.raises(UserError, match=r"eval\.tracks = true, and .* knows no tracks") as refused:
        list(stage.inputs(Run.of(evaluated(tracks=True), paths)))
    assert "--set eval.tracks=false" in refused.value.remedy and "--force" in refused.value.remedy
