"""Sentences of errors: what is wrong, and the remedy."""

from __future__ import annotations

import pytest

from pipeline.errors import UserError, first_names


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("a.jpg is gone", "a.jpg is gone. Copy a.jpg again."),
        ("a.jpg is gone.", "a.jpg is gone. Copy a.jpg again."),
        (f"gone are: {first_names(['a', 'b', 'c', 'd'])}", "gone are: a, b, c, ... Copy a.jpg again."),
    ],
)
def test_a_sentence_ends_once_and_dots_stay(wrong: str, said: str) -> None:
    assert str(UserError(wrong, "Copy a.jpg again.")) == said
