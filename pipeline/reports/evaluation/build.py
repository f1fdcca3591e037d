"""Files of an evaluation's report: report.json, report.md, report.html, queries.csv and pictures."""

from __future__ import annotations

import logging

from pipeline.evaluation.evaluate import Result
from pipeline.evaluation.per_query import write_query_results
from pipeline.evaluation.training_curves import read_curves
from pipeline.io.files import write_json, write_text
from pipeline.reports.evaluation.illustrations import Illustrator
from pipeline.reports.evaluation.label_pictures import shown_labels
from pipeline.reports.evaluation.list_files import RankedQueries, write_lists
from pipeline.reports.evaluation.page import PageContents, Shown
from pipeline.reports.evaluation.sections import html_page, markdown
from pipeline.reports.evaluation.shown_queries import shown_queries
from pipeline.reports.evaluation.text import terminal_lines, warning_lines
from pipeline.runs.layout import Paths

logger = logging.getLogger(__name__)


def write_report(result: Result, paths: Paths, workers: int = 1) -> None:
    """Replace the report of an evaluation and its pictures; log its lines.

    A map of earlier features is removed. workers: threads that draw; they change no file.
    """
    report, scores, options = result.report, result.scores, result.options
    illustrator = Illustrator(
        paths.pictures, result.reference, options.tau, options.ranked_gallery, options.seed, options.visibility
    )
    write_query_results(paths.query_results, scores.query, scores.relevant, scores.metrics, scores.names)
    shown = shown_queries(scores, result.reference.sample_of, options.tau, options.part_tau)
    explained = illustrator.explained(scores, result.examples)
    pictures = illustrator.draw([shown[number] for number in scores.shown["random"]], explained)
    write_json(paths.report_json, report.to_json())
    folder = paths.pictures.relative_to(paths.report_md.parent).as_posix()
    write_text(paths.report_md, "\n".join(markdown(report, pictures, folder)) + "\n")
    queries_file = paths.query_results.relative_to(paths.report_html.parent).as_posix()
    labels = shown_labels(paths)
    lists = write_lists(
        paths.lists, RankedQueries(scores, result.reference.sample_of, options.tau, options.part_tau), workers
    )
    curves = read_curves(paths.settled.tensorboard)
    page = PageContents(
        report, scores, Shown(list(shown.values()), explained, illustrator, queries_file, labels, lists, curves)
    )
    write_text(paths.report_html, html_page(page))
    paths.settled.map.unlink(missing_ok=True)
    logger.info("\n".join(terminal_lines(report)))
    for line in warning_lines(report):
        logger.warning(line)
