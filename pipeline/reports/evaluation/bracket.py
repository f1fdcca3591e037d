"""Interval of a figure in words."""

from __future__ import annotations

from pipeline.evaluation.figures import percent
from pipeline.evaluation.report import Report


def bracketed(report: Report, variant: str, figure: str) -> str:
    """Interval of a figure in percent, as in "[45.1, 54.3]"; "" without one."""
    found = report.intervals.of(variant, figure) if report.intervals else None
    return f"[{percent(found.low)}, {percent(found.high)}]" if found else ""
