"""The sortable table of all queries: scores -> JSON and an empty HTML table, which page.js fills piece by piece."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.per_query import per_query
from pipeline.evaluation.scores import Scores
from pipeline.reports.evaluation.shown_queries import fullest
from pipeline.reports.html import embedded_json, text
from sorn.metrics import SKIPPED


def queries_html(scores: Scores, file: str) -> str:
    """file: queries.csv, relative to the page."""
    columns = _columns(scores)
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    heads = "".join(
        f'<th scope="col"{_number(column)}><button type="button">{text(name)}</button></th>'
        for name, column in columns.items()
    )
    return f"""<form id="find" class="choose" data-script hidden>
<label>name or person <input type="search" name="words" autocomplete="off"></label>
<output aria-live="polite"></output></form>
<noscript><p>This table needs JavaScript; <a href="{text(file)}">{text(file)}</a> holds the same.</p></noscript>
<div class="scroll" data-script hidden tabindex="0" role="region" aria-label="all queries"><table id="queries">
<thead><tr>{heads}</tr></thead><tbody></tbody></table></div>
<p data-script hidden><button type="button" id="more">Show more</button></p>
{embedded_json("queries-data", rows)}"""


def _number(column: list[object]) -> str:
    """Attributes of the heading of a column of numbers: how many digits page.js shows."""
    if any(isinstance(value, str) for value in column):
        return ""
    return f' class="number" data-digits="{2 if any(isinstance(value, float) for value in column) else 0}"'


def _columns(scores: Scores) -> dict[str, list[object]]:
    """Heading -> a value per query; None where it has no match. AP in percent, mean over the draws if there are any."""
    query, last = scores.query, fullest(scores)
    precision = {variant: 100 * per_query(found)["mAP"] for variant, found in scores.metrics.items()}
    first = scores.metrics[last].first_hit
    hit = np.where(first[0] == SKIPPED, np.nan, first.mean(axis=0))
    columns: dict[str, list[object]] = {
        "query": [str(name) for name in query.name],
        "person": query.pid.tolist(),
        "camera": query.camid.tolist(),
        "matches": [len(matches) for matches in scores.relevant.matches],
        f"first match, {last}": _rounded(hit) if len(first) > 1 else _whole(hit),
        **{f"AP {variant}, %": _rounded(values) for variant, values in reversed(precision.items())},
    }
    if {"sorn", "global+local"} <= precision.keys():
        columns["sorn − global+local"] = _rounded(precision["sorn"] - precision["global+local"])
    return columns


def _rounded(values: np.ndarray) -> list[object]:
    return [None if np.isnan(value) else round(float(value), 2) for value in values]


def _whole(values: np.ndarray) -> list[object]:
    return [None if np.isnan(value) else int(value) for value in values]
