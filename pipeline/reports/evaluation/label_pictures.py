"""Pictures of the training labels in report.html."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from urllib.parse import quote

from pipeline.io.images import decode
from pipeline.reports.html import Thumbnail
from pipeline.reports.labels.build import SHEET
from pipeline.runs.layout import Paths
from pipeline.runs.result_paths import LabelsPagePaths


@dataclass(frozen=True)
class ShownLabels:
    """Contact sheet of the label report, and the labels page.

    page: address of the labels page, relative to report.html; it is there once `command` has written it.
    """

    picture: Thumbnail
    page: str
    command: str


def shown_labels(paths: Paths) -> ShownLabels | None:
    """Labels of the run.

    None if they have no contact sheet, as those of a labeler that labels nothing.
    """
    sheet = decode(paths.label_pictures / SHEET)
    if sheet is None:
        return None
    place = os.path.relpath(LabelsPagePaths.of(paths.runs, [paths.run_name]).index, paths.settled.folder("eval"))
    picture = Thumbnail.of(sheet, sheet.shape[0], "images and their labels, as in labels.md")
    return ShownLabels(picture, quote(place.replace(os.sep, "/")), f"sorn masks page {shlex.quote(paths.run_name)}")
