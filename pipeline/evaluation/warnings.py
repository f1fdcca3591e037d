"""Warnings about figures, of one evaluation and of several. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FEW_PERSONS = 20


@dataclass(frozen=True)
class EvaluationWarning:
    """One warning about figures.

    text: the fact, with its numbers. why: its meaning, or what to do; may be "".
    """

    text: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.text}. {self.why}" if self.why else f"{self.text}."


def few_persons(persons: int) -> list[EvaluationWarning]:
    """A warning if too few persons were asked for."""
    if persons >= FEW_PERSONS:
        return []
    of = "one person" if persons == 1 else f"{persons} persons"
    why = "Other persons would change them by many points, and an interval from so few hardly means anything."
    return [EvaluationWarning(f"the figures are of {of} only", why)]


def together(found: Mapping[str, Sequence[EvaluationWarning]]) -> list[EvaluationWarning]:
    """Warnings of several evaluations, each once.

    found: name of a run -> its warnings. One that not all runs have names those that have it.
    """
    having: dict[EvaluationWarning, list[str]] = {}
    for name, warnings in found.items():
        for warning in warnings:
            having.setdefault(warning, []).append(name)
    return [
        warning if len(names) == len(found) else EvaluationWarning(f"{', '.join(names)}: {warning.text}", warning.why)
        for warning, names in having.items()
    ]
