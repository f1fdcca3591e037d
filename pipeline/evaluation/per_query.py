"""Figures of every single query: reader and writer of queries.csv."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.datasets.id_numbers import is_number
from pipeline.datasets.records import IdNames
from pipeline.errors import UserError
from pipeline.evaluation.figures import FIGURES, KEYS
from pipeline.evaluation.report import VariantFigures
from pipeline.io.files import write_text
from sorn.features import FeatureBank
from sorn.metrics import SKIPPED, Metrics, Relevance

AGREE = 1e-6  # between a figure of the report and the mean over its queries
COLUMNS = ("variant", "query", "pid", "camid", "matches", "first_hit", *KEYS)
REMEDY = "Run the eval stage again: make eval ARGS='--set eval.seed=0', or remove its folder."


@dataclass(frozen=True)
class QueryResults:
    """Figures of the queries that have a match, under one variant.

    They are in the order of their names. name: [n] str. pid: [n] int64, or str where one is no number. figures:
    "rank-1" ..., "mAP", "mINP" -> float64 [n] in [0, 1]; their means are the figures of the report. With several draws,
    the mean over them.
    """

    name: np.ndarray
    pid: np.ndarray
    figures: dict[str, np.ndarray]


def write_query_results(
    path: Path, query: FeatureBank, relevant: Relevance, found: dict[str, Metrics], names: IdNames
) -> None:
    """Write queries.csv: one line per variant and query.

    names: identities and cameras as they are written.
    A query without a match has matches = 0 and no figures.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for variant, metrics in found.items():
        reached = per_query(metrics)
        for i in range(len(query)):
            values: list[object] = [""] * (1 + len(KEYS))
            if metrics.first_hit[0, i] != SKIPPED:
                values = [f"{metrics.first_hit[:, i].mean():.10g}", *(repr(float(reached[key][i])) for key in KEYS)]
            person, camera = names.person(int(query.pid[i])), names.camera(int(query.camid[i]))
            writer.writerow([variant, query.name[i], person, camera, len(relevant.matches[i]), *values])
    write_text(path, text.getvalue())


def per_query(metrics: Metrics) -> dict[str, np.ndarray]:
    """Every figure of each query, float64 [Nq]; nan where skipped."""
    return {figure.key: figure.per_query(metrics) for figure in FIGURES}


def read_query_results(path: Path) -> dict[str, QueryResults]:
    """Variant -> figures of its queries.

    Raises UserError for a file that is missing or of another kind.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise UserError(f"{path} has other columns than {', '.join(COLUMNS)}", REMEDY)
            rows = [row for row in reader if row["matches"] != "0"]
        found = {}
        for variant in dict.fromkeys(row["variant"] for row in rows):
            own = sorted((row for row in rows if row["variant"] == variant), key=lambda row: row["query"])
            figures = {name: np.array([float(row[name]) for row in own]) for name in KEYS}
            found[variant] = QueryResults(np.array([row["query"] for row in own]), _persons(own), figures)
        return found
    except FileNotFoundError as error:
        raise UserError(f"there are no results of single queries: {path} is missing", REMEDY) from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is damaged: {error}", REMEDY) from error


def _persons(rows: list[dict[str, str]]) -> np.ndarray:
    """Identities of the queries, as numbers where all are."""
    written = [row["pid"] for row in rows]
    return np.array([int(text) for text in written] if all(map(_is_number, written)) else written)


def _is_number(text: str) -> bool:
    return is_number(text) and str(int(text)) == text


def agree(metrics: dict[str, VariantFigures], queries: dict[str, QueryResults]) -> bool:
    """Whether the figures of a report are the means over queries."""
    return metrics.keys() == queries.keys() and all(_agree(metrics[name], found) for name, found in queries.items())


def _agree(reported: VariantFigures, found: QueryResults) -> bool:
    return len(found.name) == reported.queries and all(
        abs(found.figures[key].mean() - reported[key]) <= AGREE for key in KEYS if key in reported.figures
    )
