"""Pictures of the training labels: where the page of all labels lies, and runs without any picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.reports.evaluation.label_pictures import shown_labels
from pipeline.runs.layout import Paths


@pytest.mark.parametrize(
    ("experiment", "renewed", "page"),
    [
        ("", "", "../../labels-mine%231-danet/index.html"),
        ("", "eval", "../../labels-mine%231-danet/index.html"),
        ("small", "", "../../../../labels-mine%231-danet/index.html"),
    ],
)
def test_the_link_leads_to_the_page(tmp_path: Path, experiment: str, renewed: str, page: str) -> None:
    paths = Paths("mine#1", "danet", tmp_path, tmp_path / "runs", experiment=experiment, renewed=renewed)
    assert shown_labels(paths) is None
    paths.label_pictures.mkdir(parents=True)
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(paths.label_pictures / "labels.png")
    shown = shown_labels(paths)
    assert shown is not None and shown.page == page and shown.command == "sorn masks page 'mine#1-danet'"
    assert (shown.picture.width, shown.picture.height) == (20, 30)
    report = paths.settled.report_html.parent
    assert (report / page.replace("%23", "#")).resolve() == tmp_path / "runs" / "labels-mine#1-danet" / "index.html"
