"""Marks of bad labels: marks.csv, as the labels page saves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import LostFile, first_names
from pipeline.io.csv_table import read_table

COLUMNS = ("path", "reason")
REMEDY = "Save it with the labels page (sorn masks page RUN), or write the columns path,reason."


@dataclass(frozen=True)
class Marks:
    """Marked images.

    reasons: name of an image -> reason. gone: names that no labelled image has.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()

    def sentences(self, file: str) -> list[str]:
        """What was done with the marks of a file."""
        counts = ", ".join(f"{count:,} {reason}" for reason, count in self.counts().items())
        said = [f"{len(self.reasons):,} images of {file} are left out of the segmentation loss: {counts or 'none'}"]
        if self.gone:
            names = first_names(self.gone)
            said.append(f"{len(self.gone):,} marks of {file} name no labelled image, and change nothing: {names}")
        return said

    def counts(self) -> dict[str, int]:
        """Reason -> images, the most frequent first."""
        return dict(Counter(self.reasons.values()).most_common())


def read_marks(path: Path, names: Collection[str]) -> Marks:
    """Marks of a file.

    names: of the labelled images. Raises LostFile for a missing file, UserError for one that is no such table.
    """
    try:
        rows = read_table(path, COLUMNS, REMEDY)
    except FileNotFoundError as error:
        raise LostFile(f"masks.leave_out = {path}: no such file", REMEDY) from error
    marked = {row["path"]: row["reason"] or "marked" for _, row in rows}
    known = {name: reason for name, reason in marked.items() if name in names}
    return Marks(known, tuple(name for name in marked if name not in known))
