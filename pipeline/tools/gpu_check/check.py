"""Check of one GPU from its first row to the JSON file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.tools.gpu_check.outcome import FAIL
from pipeline.tools.gpu_check.plan import MINUTES, PATIENCE, ROWS, CheckRow
from pipeline.tools.gpu_check.report import line, summary, write_results
from pipeline.tools.gpu_check.runner import RowResult, run_rows
from pipeline.tools.gpu_check.setting import CheckSetting


def check_gpu(
    out: Path,
    say: Callable[[str], None],
    device: str = "auto",
    pretend: bool = False,
    only: Sequence[str] = (),
    minutes: float = MINUTES,
) -> list[RowResult]:
    """Results of all rows of a check.

    out: file for them. say: prints one text. device: as in --device; a CPU is used where the check only pretends.
    only: names of rows; those that are needed run too. minutes: for all rows together, PATIENCE times as many where it
    pretends. Raises UserError for an unknown row, and on a machine without a GPU.
    """
    patience = PATIENCE if pretend else 1.0
    rows = [replace(row, seconds=patience * row.seconds) for row in chosen_rows(only)]
    with tempfile.TemporaryDirectory(prefix="sorn-gpu-check-") as folder:
        setting = CheckSetting(Path(folder), "cpu" if pretend else device, pretend)
        results = run_rows(rows, setting, patience * 60 * minutes, lambda result: say(line(result)))
    first = results[0].outcome
    if first.verdict == FAIL and not pretend:
        wrong = f"device '{device}' cannot be checked: {first.reason.rstrip('.')}"
        raise UserError(wrong, "Run: sorn doctor; or try the check itself: sorn gpu-check --pretend")
    write_results(results, out, pretend)
    say(f"{summary(results)} -> {out}")
    return results


def chosen_rows(only: Sequence[str]) -> list[CheckRow]:
    """Rows of these names and those that are needed.

    Raises UserError for an unknown name.
    """
    known = [row.name for row in ROWS]
    for name in only:
        if name not in known:
            raise UserError(f"'{name}' is no row of the check", f"Choose from: {'; '.join(known)}.")
    return [row for row in ROWS if not only or row.needed or row.name in only]
