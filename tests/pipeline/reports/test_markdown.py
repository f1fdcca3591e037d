"""Markdown tables: names are no markup."""

from __future__ import annotations

from pipeline.reports.markdown import escape, escaped, pipe_table


def test_a_table_has_its_rule_and_alignment() -> None:
    assert pipe_table([["a", "b"], ["x", "1"]]) == ["| a | b |", "| --- | --: |", "| x | 1 |"]


def test_names_are_no_markup() -> None:
    assert escape("a|b*_`<i>[x](y)\\") == "a\\|b\\*\\_\\`\\<i>\\[x](y)\\\\"
    assert escaped([["<b>", "1"]]) == [["\\<b>", "1"]]
