"""Table and JSON of a check, and the table of docs/gpu.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.io.files import write_json
from pipeline.reports.markdown import escaped, pipe_table
from pipeline.tools.gpu_check.outcome import FAIL
from pipeline.tools.gpu_check.plan import ROWS
from pipeline.tools.gpu_check.runner import RowResult

SCHEMA = 1
NOT_MEASURED = "Not measured: nobody has run it on a GPU and added the figures."


def line(result: RowResult) -> str:
    """Lines of the terminal for one row."""
    outcome = result.outcome
    first = f"{outcome.verdict:9}  {result.row.name:17}  {result.seconds:4.0f} s  {outcome.figure or outcome.reason}"
    more = [outcome.reason] if outcome.figure and outcome.reason else []
    return "\n".join([first, *(f"{'':11}{text}" for text in (*more, *result.log))])


def failed(results: Sequence[RowResult]) -> bool:
    return any(result.outcome.verdict == FAIL for result in results)


def summary(results: Sequence[RowResult]) -> str:
    """One line that counts the verdicts."""
    verdicts = [result.outcome.verdict for result in results]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in dict.fromkeys(verdicts))
    return f"{len(results)} rows in {sum(result.seconds for result in results):.0f} s: {counts}"


def write_results(results: Sequence[RowResult], path: Path, pretend: bool) -> None:
    """JSON file of a check."""
    device = next((result.outcome.values for result in results if result.row.name == ROWS[0].name), {})
    rows = [
        {
            "name": result.row.name,
            "what": result.row.what,
            "verdict": result.outcome.verdict,
            "figure": result.outcome.figure,
            "reason": result.outcome.reason,
            "seconds": round(result.seconds, 1),
            "values": dict(result.outcome.values),
            "log": list(result.log),
        }
        for result in results
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schema_version": SCHEMA,
        "date": datetime.now(UTC).date().isoformat(),
        "program": _program(),
        "pretend": pretend,
        "device": dict(device),
        "seconds": round(sum(result.seconds for result in results), 1),
        "rows": rows,
    }
    write_json(path, content)


def page_text(folder: Path) -> str:
    """Markdown of all checks with a file in a folder.

    NOT_MEASURED without one. Raises UserError for a file that is none, and for a check that only pretended.
    """
    parts = [_check_text(path) for path in sorted(folder.glob("*.json"))]
    return "\n\n".join(parts) or NOT_MEASURED


def _check_text(path: Path) -> str:
    remedy = "Put files there that `make gpu-check` has written on a GPU."
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows = [[row["name"], row["verdict"], _shown(row), f"{row['seconds']:.0f}"] for row in found["rows"]]
        device, version, pretend = found["device"], found["schema_version"], found["pretend"]
        title = f"**{device.get('gpu', device['device'])}**, torch {device['torch']}, program {found['program']}"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no results of a check: {error!r}", remedy) from error
    if version != SCHEMA or pretend:
        wrong = "are of a check that only pretended to have a GPU" if pretend else f"have the version {version}"
        raise UserError(f"the results in {path} {wrong}", remedy)
    body = "\n".join(pipe_table(escaped([["row", "verdict", "figure", "s"], *rows]), "---"))
    return f"{title}, {found['date']}, {found['seconds']:.0f} s in all:\n\n{body}"


def _shown(row: dict[str, Any]) -> str:
    return " ".join(": ".join(text for text in (row["figure"], row["reason"]) if text).split())


def _program() -> str:
    try:
        return metadata.version("sorn")
    except metadata.PackageNotFoundError:  # a checkout that is not installed
        return "not installed"
