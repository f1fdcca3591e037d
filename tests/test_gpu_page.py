"""The page of docs/gpu.md shows every row of the check and the figures that were added."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from pipeline.tools.gpu_check.features import COPIES, COSINE
from pipeline.tools.gpu_check.labels import IN_BATCHES, ON_CPU
from pipeline.tools.gpu_check.outcome import FAIL, NO_TIME, NOT_THERE, PASS, Outcome
from pipeline.tools.gpu_check.plan import MINUTES, ROWS
from pipeline.tools.gpu_check.report import NOT_MEASURED, write_results
from pipeline.tools.gpu_check.runner import RowResult
from pipeline.tools.gpu_check.setting import REAL
from pipeline.tools.gpu_check.trainings import FIRST, LAST

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
FOLDER = ROOT / "docs" / "results" / "gpu"


def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_gpu_page", FOLDER / "draw.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(first: str) -> list[str]:
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_shows_the_figures_that_are_there() -> None:
    assert draw().drawn(PAGE, FOLDER) == PAGE, "run: python docs/results/gpu/draw.py"
    assert (NOT_MEASURED in PAGE) == (not list(FOLDER.glob("*.json")))


def test_figures_that_are_added_take_the_place_of_what_was_there(tmp_path: Path) -> None:
    found = Outcome(PASS, "a figure", values={"gpu": "NVIDIA T4", "device": "cuda:0", "torch": "2"})
    write_results([RowResult(ROWS[0], found, 1.0)], tmp_path / "t4.json", pretend=False)
    page = draw().drawn(PAGE, tmp_path)
    assert "| device | pass | a figure | 1 |" in page and NOT_MEASURED not in page
    assert draw().drawn(page, tmp_path) == page and draw().drawn(page, tmp_path / "none").count(NOT_MEASURED) == 1


def test_every_row_and_verdict_is_explained() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", PAGE.partition("## The rows")[2].partition("## Figures")[0], re.M)
    assert rows == ["row", *(row.name for row in ROWS)]
    for verdict in (PASS, FAIL, NOT_THERE, NO_TIME):
        assert cells(verdict)
    assert MINUTES == 8 and "within eight minutes" in PAGE


def test_the_bounds_are_those_of_the_program() -> None:
    for precision in ("bf16", "fp16"):
        bounds = cells(f"training, {precision}")[2]
        assert f"first loss {FIRST[precision]:g} %" in bounds and f"last epoch {LAST:g} %" in bounds
    assert f"first loss {FIRST['fp32']:g} %" in cells("two processes")[2]
    assert "cosines of at least {fp32}, {fp16} and {bf16}".format(**COSINE) in cells("extraction")[2]
    sizes = f"similarities of {REAL.queries} queries and {REAL.gallery:,} gallery images with the CPU's; {COPIES} equal"
    assert cells("matching")[1].startswith(sizes)
    labels = f"{IN_BATCHES:g} % of the pixels; {ON_CPU['fp32']:g} % in fp32, {ON_CPU['auto']:g} % in"
    assert cells("labels, DANet")[2].startswith(labels)
