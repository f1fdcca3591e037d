"""Outcome of one row of a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PASS, FAIL, NOT_THERE, NO_TIME = "pass", "fail", "not there", "left out, no time"


@dataclass(frozen=True)
class Outcome:
    """Outcome of one row.

    verdict: PASS, FAIL, NOT_THERE or NO_TIME. figure: what was measured, for people. reason: of any other verdict than
    PASS. values: the same figures for programs.
    """

    verdict: str
    figure: str = ""
    reason: str = ""
    values: Mapping[str, float | str] = field(default_factory=dict)


def judged(figure: str, values: Mapping[str, float | str], wrong: list[str]) -> Outcome:
    """Outcome of a measurement.

    wrong: what misses its bound; empty for a pass.
    """
    return Outcome(FAIL if wrong else PASS, figure, "; ".join(wrong), values)


def above(name: str, value: float, most: float, unit: str = "") -> list[str]:
    """Complaint about a figure that is more than `most` or no number.

    A list of one text or none.
    """
    return [] if value <= most else [f"{name}: {value:.3g}{unit}, at most {most:g}{unit}"]


def below(name: str, value: float, least: float, unit: str = "") -> list[str]:
    """Complaint about a figure that is less than `least` or no number.

    A list of one text or none.
    """
    return [] if value >= least else [f"{name}: {value:.5g}{unit}, at least {least:g}{unit}"]
