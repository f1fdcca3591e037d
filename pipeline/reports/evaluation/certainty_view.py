"""View model of the certainty of similarities in report.html."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.reports.evaluation import certainty_text as text
from pipeline.reports.evaluation.page import PageContents
from pipeline.reports.html import Table
from pipeline.reports.rate_charts import StyledChart, histogram, rate_curve


@dataclass(frozen=True)
class CertaintyView:
    """Similarities of pairs and the rates of errors at thresholds.

    verdict: sentences on thresholds that were chosen elsewhere. tables: with the line above each.
    """

    caption: str
    verdict: list[str]
    charts: list[StyledChart]
    tables: list[tuple[str, Table]]


def certainty(contents: PageContents) -> CertaintyView | None:
    """Certainty of an evaluation.

    None where its report has none and gives no reason.
    """
    report, found = contents.report, contents.report.certainty
    if found is None:
        why = report.certainty_left_out
        return CertaintyView(text.NOWHERE.format(why=why), [], [], []) if why else None
    shown = [(line, Table(rows, label=line.partition(":")[0])) for line, rows in text.tables(found)]
    charts = [histogram(found.histogram, found.equal_threshold), rate_curve(found.curve, found.equal_threshold)]
    return CertaintyView(text.caption(found), text.verdict(found), charts, shown)
