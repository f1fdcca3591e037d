"""Warnings of several evaluations: each once, with the runs that have it."""

from __future__ import annotations

import pytest

from pipeline.evaluation.warnings import EvaluationWarning, few_persons, together

A, B = EvaluationWarning("a", "Why."), EvaluationWarning("b")


def test_a_warning_of_all_names_no_run() -> None:
    assert together({"x": [A], "y": [A, B], "z": [A, B]}) == [A, EvaluationWarning("y, z: b")]
    assert together({"x": [], "y": []}) == []


def test_a_warning_reads_as_sentences() -> None:
    assert (str(A), str(B)) == ("a. Why.", "b.")


@pytest.mark.parametrize(("persons", "said"), [(1, "of one person only"), (4, "of 4 persons only"), (20, "")])
def test_few_persons(persons: int, said: str) -> None:
    assert [said in warning.text for warning in few_persons(persons)] == ([True] if said else [])
