"""Overview of all runs as a page: runs/index.html."""

from __future__ import annotations

import logging
from pathlib import Path

from pipeline.io.files import write_text
from pipeline.tools.overview.collection import collect
from pipeline.tools.overview.page import html_page, terminal_lines

logger = logging.getLogger(__name__)


def write_overview(runs: Path) -> Path:
    """Write the page; log its lines.

    Raises UserError where there are no runs.
    """
    overview = collect(runs)
    path = runs / "index.html"
    write_text(path, html_page(overview))
    logger.info("\n".join([*terminal_lines(overview), f"See {path}."]))
    return path
