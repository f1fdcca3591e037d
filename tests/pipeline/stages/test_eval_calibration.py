"""Calibration by the eval stage: chosen on val, measured on the test, kept beside the checkpoint of the same run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from eval_runs import CONFIG, GALLERY, QUERY, evaluated, images, run, write_run

from pipeline.evaluation.calibration import read_calibration
from pipeline.evaluation.report import read_report
from pipeline.io.files import digest_file
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import eval as stage

VAL = {
    "val_query": images("val_query", [(pid, 1) for pid in range(200, 230)]),
    "val_gallery": images("val_gallery", [(pid, camid) for pid in range(200, 230) for camid in (1, 2)]),
}
TEST = {"query": QUERY, "gallery": GALLERY}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")


def test_thresholds_are_chosen_on_val_and_kept_beside_the_checkpoint(paths):
    write_run(paths, {**TEST, **VAL})
    run(paths)
    found = read_calibration(paths.calibration)
    assert (found.source, found.queries, found.gallery_images, found.persons) == ("synped_demo, split val", 30, 60, 30)
    assert found.checkpoint_sha256 == digest_file(paths.checkpoint) and found.plain
    assert found == read_calibration(paths.checkpoint_calibration)
    certainty = read_report(paths.report_json).certainty
    assert certainty is not None and (certainty.chosen_on, certainty.here) == (
        "synped_demo, split val",
        "synped_demo, split test",
    )
    assert {row.chosen_on for row in certainty.thresholds} == {"synped_demo, split val"} and certainty.main()
    assert {row.rate for row in found.measured} == {row.rate for row in certainty.thresholds}
    outputs = stage.outputs(Run.of(CONFIG, paths))
    assert {paths.val_features, paths.calibration} <= set(outputs)
    assert "Threshold chosen on synped_demo, split val at 1.0 %" in paths.report_md.read_text()
    assert "Threshold chosen on synped_demo, split val at 1.0 %" in paths.report_html.read_text()


def test_without_val_they_are_chosen_on_the_test_itself_and_the_report_says_so(paths):
    write_run(paths, TEST)
    run(paths)
    assert read_calibration(paths.calibration).source == "synped_demo, split test" and not paths.val_features.exists()
    certainty = read_report(paths.report_json).certainty
    assert certainty is not None and certainty.main() == []
    assert "here, on the same pairs" in paths.report_md.read_text()


def test_another_runs_checkpoint_keeps_its_own_calibration_which_is_measured_here(paths):
    write_run(paths, {**TEST, **VAL})
    run(paths)
    before = paths.checkpoint_calibration.read_bytes()
    other = dataclasses.replace(paths, dataset="synped_small", trained_on="synped_demo-ground_truth")
    write_run(dataclasses.replace(other, trained_on=None), TEST)
    run(other)
    assert paths.checkpoint_calibration.read_bytes() == before
    assert read_calibration(other.calibration).source == "synped_small, split test"
    certainty = read_report(other.report_json).certainty
    assert certainty is not None
    assert {row.chosen_on for row in certainty.thresholds} == {"synped_small, split test", "synped_demo, split val"}
    assert {row.chosen_on for row in certainty.main()} == {"synped_demo, split val"}


def test_features_that_no_search_has_leave_nothing_beside_the_checkpoint(paths):
    write_run(paths, {**TEST, **VAL})
    run(paths, evaluated(adapt_norms=True))
    assert read_calibration(paths.calibration).adapt_norms and not paths.checkpoint_calibration.exists()


def test_pairs_of_one_person_are_a_sentence_in_the_report(paths):
    one = {"query": images("query", [(1, 1)]), "gallery": images("gallery", [(1, 1), (1, 2)])}
    write_run(paths, one)
    run(paths)
    report = read_report(paths.report_json)
    assert (
        report.certainty is None and report.certainty_left_out == "synped_demo, split test has pairs of one person only"
    )
    assert "has pairs of one person only, so no rates of errors are known" in paths.report_html.read_text()
    assert not paths.calibration.exists()


def without_features_of_val(paths: Paths) -> Paths:
    """Whoever needs them then extracts them again."""
    paths.val_features.unlink()
    return paths


def test_a_second_evaluation_takes_the_calibration_of_the_first(paths):
    write_run(paths, {**TEST, **VAL})
    run(paths)
    first, calibration = read_report(paths.report_json), paths.calibration.read_bytes()
    without_features_of_val(paths).checkpoint_calibration.unlink()
    run(paths, evaluated(average_precision="trapezoid"))
    assert not paths.val_features.exists(), "val was extracted again"
    again = read_report(paths.report_json)
    assert again.certainty == first.certainty and "trapezoid" in again.protocol
    assert calibration == paths.calibration.read_bytes() == paths.checkpoint_calibration.read_bytes()


def test_features_of_val_are_kept_for_evaluations_to_come(paths):
    write_run(paths, {**TEST, **VAL})
    run(paths)
    before = paths.val_features.read_bytes()
    newer = dataclasses.replace(paths, renewed="eval")
    run(newer, evaluated(average_precision="trapezoid"))
    assert newer.val_features != paths.val_features and newer.val_features.read_bytes() == before


def test_the_calibration_beside_a_checkpoint_serves_other_runs_with_the_same_validation_images(paths):
    write_run(paths, {**TEST, **VAL})
    run(paths)
    other = dataclasses.replace(paths, labeler="danet", trained_on="synped_demo-ground_truth")
    write_run(dataclasses.replace(other, trained_on=None), {**TEST, **VAL})
    run(other)
    assert not other.val_features.exists() and other.calibration.read_bytes() == paths.calibration.read_bytes()
    assert read_report(other.report_json).certainty == read_report(paths.report_json).certainty


@pytest.mark.parametrize("changed", ["tau", "flip", "images", "damaged"])
def test_a_calibration_of_something_else_is_made_again(paths, changed):
    write_run(paths, {**TEST, **VAL})
    run(paths)
    before = read_calibration(without_features_of_val(paths).calibration)
    options = {"tau": {"tau": 0.4}, "flip": {"flip": True}}.get(changed, {})
    if changed == "images":
        write_run(paths, {**TEST, **VAL, "val_gallery": VAL["val_gallery"][:-2]})
    if changed == "damaged":
        for path in (paths.calibration, paths.checkpoint_calibration):
            path.write_text("{}")
    run(paths, evaluated(**options))
    assert paths.val_features.exists() and (read_calibration(paths.calibration) == before) == (changed == "damaged")


def test_validation_images_that_tell_no_rates_leave_the_thresholds_to_the_test(paths, caplog):
    alone = {"val_query": VAL["val_query"][:1], "val_gallery": VAL["val_gallery"][:2]}
    write_run(paths, {**TEST, **alone})
    for _ in range(2):
        run(paths)
        assert read_calibration(paths.calibration).source == "synped_demo, split test"
        assert "so thresholds are chosen on the images that are reported" in caplog.text
        caplog.clear()
