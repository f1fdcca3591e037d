"""The report's text: the same figures on the terminal and in Markdown."""

from __future__ import annotations

import dataclasses
import itertools

from sample_report import FIGURES, REPORT, VARIANT, with_provenance

from pipeline.evaluation.report import Report, VariantFigures
from pipeline.reports.evaluation import sections
from pipeline.reports.evaluation import text as report_text
from pipeline.reports.evaluation.illustrations import Picture


def test_terminal_table_is_aligned_and_names_chance() -> None:
    lines = report_text.terminal_lines(REPORT)
    assert lines[1].split() == ["global", "50.0", "62.5", "75.0", "45.7", "10.0"]
    assert lines[2].split() == ["chance", "0.50", "0.62", "0.75", "0.46", "0.10"]
    assert len({len(line) for line in lines[:3]}) == 1
    assert lines[3].startswith("80 queries used, 2 skipped because") and lines[3].endswith("one query is 1.25 points.")


def test_single_shot_table_has_rank_3_and_deviations() -> None:
    drawn = VariantFigures({**FIGURES, **{f"{name}-sd": 0.012 for name in FIGURES}}, 80, 2)
    report = dataclasses.replace(REPORT, single_shot=True, metrics={"global": drawn})
    rows = report_text.table_rows(report)
    assert rows[0] == ["%", "rank-1", "rank-3", "rank-5", "rank-10", "mAP"]
    assert rows[1][:3] == ["global", "50.0 ± 1.2", "55.0 ± 1.2"]


def test_markdown_says_all_that_a_reader_needs() -> None:
    pictures = [Picture("ranked-01.png", "Ranked lists", "Person 7."), Picture("maps.png", "Aggregation maps", "Maps.")]
    text = "\n".join(sections.markdown(REPORT, pictures, "pictures"))
    assert "> **Notice.** Withdrawn." in text and "- 3 images fewer. Copy them again." in text
    assert "| global | 50.0 | 62.5 | 75.0 | 45.7 | 10.0 |" in text
    assert "| SORN (Table V, trained on market1501) | 76.7 | 84.3 |" in text
    assert "| predicted | 100.0 |  | 0.0 | 50.0 |" in text and "75.0 % of the pixels agree" in text
    assert "Part masks against ground truth of 7 queries and the labels of danet of 2 queries; 75.0 %" in text
    assert "![Ranked lists](pictures/ranked-01.png)\n\nPerson 7." in text and report_text.RANKED_CAPTION in text
    assert text.index("## Ranked lists") < text.index("## Aggregation maps") < text.index("## Where it comes from")
    assert "`tau = 0.15`" in text and "sha256 `abc`" in text
    assert "| 0.15 | 25.0 | 12.5 |" in text and "\n    make eval DATASET=synped LABELER=danet\n" in text
    assert "| images | 1,200: 1,190 ok, 10 empty |" in text
    assert "| mIoU, against the ground truth of 500 images | 37.5 % |" in text
    assert "| stripes that agree, tau 0.2 | 87.5 % (calling every stripe visible: 90.0 %) |" in text


def test_markdown_names_the_segmenter_where_one_picked_the_stripes() -> None:
    assert "| segmenter |" not in "\n".join(sections.markdown(REPORT, [], "pictures"))
    report = with_provenance(REPORT, segmenter={"trained_on": "synped-danet", "checkpoint_sha256": "fed"})
    text = "\n".join(sections.markdown(report, [], "pictures"))
    assert "| segmenter | `trained_on = synped-danet`" in text.replace('"', "") and "fed" in text


def test_markdown_leaves_out_what_there_is_not() -> None:
    report = dataclasses.replace(REPORT, labels=None, tau_sweep=(), parts=None, stripes=None, paper=())
    text = "\n".join(sections.markdown(report, [], "pictures"))
    assert report_text.LABELS_CAPTION not in text and report_text.SWEEP_CAPTION not in text and "IoU" not in text
    assert "stripes, %" not in text


def test_decisions_about_stripes_are_shares_of_the_visible_and_of_the_hidden() -> None:
    text = "\n".join(sections.markdown(REPORT, [], "pictures"))
    assert "Stripes at tau 0.2, beside those that are visible in the ground truth:\n\n| stripes, % | visible |" in text
    assert "| query | 60.0 | 90.0 | 65.0 | 80.0 |" in text
    assert "| gallery | 100.0 | 75.0 |  | 75.0 |" in text, "of no hidden stripe nothing can be said"


def with_variants(*names: str) -> Report:
    return dataclasses.replace(REPORT, metrics=dict.fromkeys(names, VARIANT))


def test_the_row_of_exact_masks_is_explained() -> None:
    assert "ground truth" not in report_text.variants_caption(REPORT)
    report = with_variants("global", "sorn, exact masks")
    assert report_text.table_rows(report)[2][0] == "sorn, ground truth", "the word of the glossary, whatever files say"
    assert "what perfect labels would be worth" in report_text.variants_caption(report)


def test_a_reranked_row_is_explained() -> None:
    assert "k-reciprocal" not in report_text.variants_caption(REPORT)
    assert "k-reciprocal" in report_text.variants_caption(with_variants("global", "global+rerank"))


def test_rows_of_colour_are_explained() -> None:
    assert "colour" not in report_text.variants_caption(REPORT)
    report = with_variants("colour", "global")
    assert "`colour` compares" in report_text.variants_caption(report) and "needs no training" in "\n".join(
        sections.markdown(report, [], "pictures")
    )
    assert "visible stripes" not in report_text.variants_caption(report)
    assert report_text.terminal_lines(report)[1].split() == ["colour", "50.0", "62.5", "75.0", "45.7", "10.0"]
    both = with_variants("colour", "global", "colour, visible stripes")
    assert "`colour, visible stripes` leaves out" in report_text.variants_caption(both)


def test_every_markdown_table_has_equal_columns() -> None:
    lines = sections.markdown(REPORT, [], "pictures")
    for before, line in itertools.pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert before.count(" |") == line.count(" |"), line
