"""The table of docs/gpu.md from the JSON files of this folder: the same files give the same page.

Run: python docs/results/gpu/draw.py
"""

from __future__ import annotations

from pathlib import Path

from pipeline.tools.gpu_check.report import page_text

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "gpu.md"
BEGIN, END = "<!-- figures: docs/results/gpu/draw.py -->\n", "\n<!-- end of figures -->"


def drawn(page: str, folder: Path) -> str:
    """Text of the page with the figures of a folder between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{page_text(folder)}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8"), HERE), encoding="utf-8")
