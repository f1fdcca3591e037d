"""Finished evaluations from disk, and whether they can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError, reason
from pipeline.evaluation.per_query import QueryResults, agree, read_query_results
from pipeline.evaluation.report import Report, read_report
from pipeline.io.documents import to_json
from pipeline.runs.find import find_output
from pipeline.runs.layout import QUERY_RESULTS, REPORT

SHOWN = 3  # queries named in an error
SOURCES = ("trained_on", "checkpoint_sha256", "pose", "segmenter")  # of a report's provenance
AGAIN = "Run its eval stage again: make eval."


@dataclass(frozen=True)
class Evaluated:
    """One evaluation. name: of its run. queries: variant -> what each query reached."""

    name: str
    folder: Path
    report: Report
    queries: dict[str, QueryResults]

    def options(self) -> dict[str, object]:
        """Every option of the evaluation and its training: name -> value."""
        made = self.report.provenance
        trained = {key: value for key, value in made.training.items() if key != "pids"}
        features = {"precision": made.features.get("precision")}
        sections = {"eval": to_json(made.config), "labeler": to_json(made.labeler), "features": features}
        others = {name: to_json(getattr(made, name)) for name in SOURCES}
        found = _flat({**sections, "training": trained, **others, "versions": made.versions})
        return {name.removeprefix("training."): value for name, value in found.items()}


def setting(report: Report) -> dict[str, object]:
    """Settings that comparable evaluations share: name -> value.

    The threshold, the source of the visibility scores and the network may differ: they are what is compared.
    """
    config, dataset = report.provenance.config, report.dataset
    single = {"trials": config.trials, "seed of the draws": config.seed} if report.single_shot else {}
    return {
        "dataset": dataset.name,
        "split": config.split,
        "protocol": config.protocol,
        "average precision": config.average_precision,
        "one gallery image per person": report.single_shot,
        **single,
        "gallery images": dataset.gallery_images,
        # The same queries against another gallery of that size would be matched by chance more or less often.
        "mAP by chance": round(report.chance.get("mAP", 0.0), 12),
    }


def read_evaluation(runs: Path, given: str) -> Evaluated:
    """Evaluation of a run from its report.json and queries.csv.

    given: name of a run below `runs`, or path of a run or of an eval folder. Raises UserError where there is none, and
    for files that are damaged, old, or of two different evaluations.
    """
    folder = _find(runs, given)
    path = folder / REPORT
    try:
        report = read_report(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no report of an evaluation: {reason(error)}", AGAIN) from error
    queries = read_query_results(folder / QUERY_RESULTS)
    run = folder.absolute().parent.name
    found = Evaluated(run if folder.name == "eval" else f"{run}/{folder.name}", folder, report, queries)
    _require_one_evaluation(found)
    return found


def _find(runs: Path, given: str) -> Path:
    folder = find_output(given, runs, "eval", REPORT)
    if folder is not None:
        return folder
    found = sorted(path.parent for path in runs.glob(f"*/eval*/{REPORT}"))
    known = [path.parent.name if path.name == "eval" else f"{path.parent.name}/{path.name}" for path in found]
    raise UserError(
        f"there is no evaluation of '{given}', neither in {runs} nor as a path",
        f"Evaluated runs: {', '.join(known) or 'none'}. Run `make eval`, or name the folder with --runs.",
    )


def _require_one_evaluation(run: Evaluated) -> None:
    """Both files are written one after the other: a stage that was stopped between leaves two that do not agree."""
    if not agree(run.report.metrics, run.queries):
        raise UserError(f"{REPORT} and {QUERY_RESULTS} in {run.folder} are of two different evaluations", AGAIN)


def require_comparable(first: Evaluated, other: Evaluated) -> None:
    """Raise UserError naming the first difference that makes figures incomparable."""
    remedy = (
        "Evaluate both alike, see eval.split, eval.protocol and eval.shots; the threshold and the network may differ."
    )
    ours, theirs = setting(first.report), setting(other.report)
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            what = f"{name}: {ours.get(name)} in {first.name}, {theirs.get(name)} in {other.name}"
            raise UserError(f"these evaluations cannot be compared; they differ in {what}", remedy)
    a, b = (next(iter(run.queries.values())) for run in (first, other))
    for run, only in ((first, np.setdiff1d(a.name, b.name)), (other, np.setdiff1d(b.name, a.name))):
        if len(only):
            what = f"{len(only)} of the queries are only in {run.name}, first {', '.join(only[:SHOWN].tolist())}"
            raise UserError(f"these evaluations cannot be compared: {what}", remedy)
    if not _same_groups(a.pid, b.pid):
        i = np.flatnonzero(a.pid.astype(str) != b.pid.astype(str))[0]
        what = f"query {a.name[i]} is person {a.pid[i]} in {first.name}, {b.pid[i]} in {other.name}"
        raise UserError(f"these evaluations cannot be compared: {what}", remedy)


def _same_groups(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the same queries are of one person in both, whatever that person is called."""
    pairs = {*zip(a.tolist(), b.tolist(), strict=True)}
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


def _flat(value: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{key}.")
        else:
            flat[prefix + key] = item
    return flat
