"""View model of the sortable table of all queries, which report.js fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.figures import shown_name
from pipeline.evaluation.per_query import per_query
from pipeline.evaluation.scores import Scores, fullest
from pipeline.io.documents import to_json
from pipeline.reports.evaluation.list_files import ListIndex
from sorn.metrics import SKIPPED

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column.

    digits: of its numbers behind the point; None for a column of text.
    """

    heading: str
    digits: int | None


@dataclass(frozen=True)
class QueryTable:
    """All queries.

    rows: JSON values; None where a query has no match. file: queries.csv, relative to the page. precision_column:
    number of the column with the AP of the paper's fullest variant. lists: of all queries; None without them.
    """

    columns: list[Column]
    rows: list[list[Cell]]
    file: str
    precision_column: int = 0
    lists: ListIndex | None = None

    @property
    def lists_json(self) -> object:
        """The same for the script."""
        return to_json(self.lists)


def query_table(scores: Scores, file: str, lists: ListIndex | None = None) -> QueryTable:
    """Average precision and rank of the first match of every query.

    file: queries.csv, relative to the page. lists: of all queries, beside the page.
    """
    columns = _columns(scores)
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    shown = [Column(heading, _digits(values)) for heading, values in columns.items()]
    precision = list(columns).index(_precision_heading(fullest(scores.variants)))
    return QueryTable(shown, rows, file, precision, lists)


def _digits(column: list[Cell]) -> int | None:
    if any(isinstance(value, str) for value in column):
        return None
    return 2 if any(isinstance(value, float) for value in column) else 0


def _columns(scores: Scores) -> dict[str, list[Cell]]:
    """Heading -> a value per query; None for a query without a match. AP: percent, mean over the draws if any."""
    query, last = scores.query, fullest(scores.variants)
    precision = {variant: 100 * per_query(result)["mAP"] for variant, result in scores.metrics.items()}
    first = scores.metrics[last].first_hit
    hit = np.where(first[0] == SKIPPED, np.nan, first.mean(axis=0))
    columns: dict[str, list[Cell]] = {
        "query": [str(name) for name in query.name],
        "person": _ids(query.pid, scores.names.pids),
        "camera": _ids(query.camid, scores.names.camids),
        "matches": [len(matches) for matches in scores.relevant.matches],
        f"first match, {last}": _rounded(hit) if len(first) > 1 else _whole(hit),
        **{_precision_heading(variant): _rounded(values) for variant, values in reversed(precision.items())},
    }
    if {"sorn", "global+local"} <= precision.keys():
        columns["sorn − global+local"] = _rounded(precision["sorn"] - precision["global+local"])
    return columns


def _precision_heading(variant: str) -> str:
    return f"AP {shown_name(variant)}, %"


def _ids(numbers: np.ndarray, names: Mapping[int, str]) -> list[Cell]:
    """Ids as the dataset writes them: all as numbers, or all as text."""
    given = numbers.tolist()
    return [names.get(number, str(number)) for number in given] if names.keys() & set(given) else given


def _rounded(values: np.ndarray) -> list[Cell]:
    return [None if np.isnan(value) else round(float(value), 2) for value in values]


def _whole(values: np.ndarray) -> list[Cell]:
    return [None if np.isnan(value) else int(value) for value in values]
