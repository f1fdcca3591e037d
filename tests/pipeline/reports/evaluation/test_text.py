"""The report's text: one dictionary, the same figures on the terminal and in Markdown."""

from __future__ import annotations

import copy
import itertools

from pipeline.reports.evaluation import text as report_text
from pipeline.reports.evaluation.illustrations import Picture

FIGURES = {"rank-1": 0.5, "rank-3": 0.55, "rank-5": 0.625, "rank-10": 0.75, "mAP": 0.4567, "mINP": 0.1}
REPORT = {
    "protocol": "SynPed, split test",
    "single_shot": False,
    "metrics": {"global": {**FIGURES, "queries": 80, "skipped_queries": 2}},
    "chance": {name: value / 100 for name, value in FIGURES.items()},
    "tau_sweep": [{"tau": 0.15, "rank-1": 0.25, "mAP": 0.125}],
    "labels": {
        "labeler": {"name": "danet"},
        "images": 1200,
        "status": {"ok": 1190, "empty": 10},
        "foreground": {"mean": 0.4},
        "exact": {
            "images": 500,
            "mIoU": 0.375,
            "pixel_accuracy": 0.75,
            "stripes": {"tau": 0.2, "agreement": 0.875, "visible_share": 0.9},
        },
    },
    "parts": {
        "images": 9,
        "against": {"exact masks": 7, "the labels of danet": 2},
        "mIoU": 0.5,
        "pixel_accuracy": 0.75,
        "iou": {"background": 1.0, "head": None, "torso": 0.0},
    },
    "stripes": {
        "query": {"tau": 0.2, "visible_share": 0.6, "agreement": 0.8, "said_hidden": 0.06, "said_visible": 0.14},
        "gallery": {"tau": 0.2, "visible_share": 1.0, "agreement": 0.75, "said_hidden": 0.25, "said_visible": 0.0},
    },
    "paper": [{"method": "SORN", "source": "Table V", "trained_on": "market1501", "rank-1": 76.7, "rank-3": 84.3}],
    "dataset": {
        "name": "synped",
        "title": "SynPed",
        "licence": "",
        "notice": "Withdrawn.",
        "camera_policy": "",
        "query_images": 82,
        "gallery_images": 300,
        "warnings": ["3 images fewer"],
    },
    "provenance": {
        "labeler": {"name": "ground_truth"},
        "pose": None,
        "segmenter": None,
        "trained_on": "synped-ground_truth",
        "command": "make eval DATASET=synped LABELER=danet",
        "checkpoint_sha256": "abc",
        "features": {"precision": "bf16"},
        "training": {"model": {"parts": 3}, "precision": "fp32"},
        "config": {"tau": 0.15},
        "stamps": {"train": "def"},
        "versions": {"torch": "2.14"},
    },
}


def test_terminal_table_is_aligned_and_names_chance() -> None:
    lines = report_text.terminal_lines(REPORT)
    assert lines[1].split() == ["global", "50.0", "62.5", "75.0", "45.7", "10.0"]
    assert lines[2].split() == ["chance", "0.50", "0.62", "0.75", "0.46", "0.10"]
    assert len({len(line) for line in lines[:3]}) == 1
    assert lines[3].startswith("80 queries used, 2 skipped because") and lines[3].endswith("one query is 1.25 points.")


def test_single_shot_table_has_rank_3_and_deviations() -> None:
    report = copy.deepcopy(REPORT)
    report["single_shot"] = True
    report["metrics"]["global"] |= {f"{name}-sd": 0.012 for name in FIGURES}
    rows = report_text.table_rows(report)
    assert rows[0] == ["%", "rank-1", "rank-3", "rank-5", "rank-10", "mAP"]
    assert rows[1][:3] == ["global", "50.0 ± 1.2", "55.0 ± 1.2"]


def test_markdown_says_all_that_a_reader_needs() -> None:
    pictures = [Picture("ranked-01.png", "Ranked lists", "Person 7."), Picture("maps.png", "Aggregation maps", "Maps.")]
    text = "\n".join(report_text.markdown(REPORT, pictures, "pictures"))
    assert "> **Notice.** Withdrawn." in text and "- 3 images fewer" in text
    assert "| global | 50.0 | 62.5 | 75.0 | 45.7 | 10.0 |" in text
    assert "| SORN (Table V, trained on market1501) | 76.7 | 84.3 |" in text
    assert "| predicted | 100.0 |  | 0.0 | 50.0 |" in text and "75.0 % of the pixels agree" in text
    assert "Part masks against exact masks of 7 queries and the labels of danet of 2 queries; 75.0 %" in text
    assert "![Ranked lists](pictures/ranked-01.png)\n\nPerson 7." in text and report_text.RANKED_CAPTION in text
    assert text.index("## Ranked lists") < text.index("## Aggregation maps") < text.index("## Where it comes from")
    assert "`tau = 0.15`" in text and "sha256 `abc`" in text
    assert "| 0.15 | 25.0 | 12.5 |" in text and "\n    make eval DATASET=synped LABELER=danet\n" in text
    assert "| images | 1,200: 1,190 ok, 10 empty |" in text
    assert "| mIoU, against the exact masks of 500 images | 37.5 % |" in text
    assert "| stripes that agree, tau 0.2 | 87.5 % (calling every stripe visible: 90.0 %) |" in text


def test_markdown_names_the_segmenter_where_one_picked_the_stripes() -> None:
    report = copy.deepcopy(REPORT)
    assert "| segmenter |" not in "\n".join(report_text.markdown(report, [], "pictures"))
    report["provenance"]["segmenter"] = {"trained_on": "synped-danet", "checkpoint_sha256": "fed"}
    text = "\n".join(report_text.markdown(report, [], "pictures"))
    assert "| segmenter | `trained_on = synped-danet`" in text.replace('"', "") and "fed" in text


def test_markdown_leaves_out_what_there_is_not() -> None:
    report = copy.deepcopy(REPORT) | {"labels": None, "tau_sweep": [], "parts": None, "stripes": None, "paper": []}
    text = "\n".join(report_text.markdown(report, [], "pictures"))
    assert report_text.LABELS_CAPTION not in text and report_text.SWEEP_CAPTION not in text and "IoU" not in text
    assert "stripes, %" not in text


def test_decisions_about_stripes_are_shares_of_the_visible_and_of_the_hidden() -> None:
    text = "\n".join(report_text.markdown(REPORT, [], "pictures"))
    assert "Stripes at tau 0.2, beside those that the exact masks show:\n\n| stripes, % | visible |" in text
    assert "| query | 60.0 | 90.0 | 65.0 | 80.0 |" in text
    assert "| gallery | 100.0 | 75.0 |  | 75.0 |" in text, "of no hidden stripe nothing can be said"


def test_the_row_of_exact_masks_is_explained() -> None:
    report = copy.deepcopy(REPORT)
    assert "exact masks" not in report_text.variants_caption(report)
    report["metrics"]["sorn, exact masks"] = report["metrics"]["global"]
    assert "what perfect labels would be worth" in report_text.variants_caption(report)


def test_a_reranked_row_is_explained() -> None:
    report = copy.deepcopy(REPORT)
    assert "k-reciprocal" not in report_text.variants_caption(report)
    report["metrics"]["global+rerank"] = report["metrics"]["global"]
    assert "k-reciprocal" in report_text.variants_caption(report)


def test_rows_of_colour_are_explained() -> None:
    report = copy.deepcopy(REPORT)
    assert "colour" not in report_text.variants_caption(report)
    report["metrics"] = {"colour": report["metrics"]["global"], **report["metrics"]}
    assert "`colour` compares" in report_text.variants_caption(report) and "needs no training" in "\n".join(
        report_text.markdown(report, [], "pictures")
    )
    assert "visible stripes" not in report_text.variants_caption(report)
    report["metrics"]["colour, visible stripes"] = report["metrics"]["global"]
    assert "`colour, visible stripes` leaves out" in report_text.variants_caption(report)
    assert report_text.terminal_lines(report)[1].split() == ["colour", "50.0", "62.5", "75.0", "45.7", "10.0"]


def test_every_markdown_table_has_equal_columns() -> None:
    lines = report_text.markdown(REPORT, [], "pictures")
    for before, line in itertools.pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert before.count(" |") == line.count(" |"), line
