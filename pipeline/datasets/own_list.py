"""List of a user's pictures: CSV, and assumptions in words."""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.csv_list import COLUMNS, TRACK
from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.own_images import OwnImages
from pipeline.datasets.own_splits import ListRow, SplitOptions, divide
from pipeline.errors import UserError
from pipeline.io.files import write_text

LIST = "own.csv"


@dataclass(frozen=True)
class WrittenList:
    """List that was written.

    said: what was assumed, in sentences.
    """

    path: Path
    rows: list[ListRow]
    said: list[str]

    @property
    def trains(self) -> bool:
        return any(row.split == "train" for row in self.rows)

    def text(self) -> str:
        """Screen: the splits, what was assumed, and what to type next."""
        persons = len({row.person for row in self.rows})
        lines = [f"{self.path}: {len(self.rows):,} pictures of {persons:,} persons"]
        for split in SPLITS:
            rows = [row for row in self.rows if row.split == split]
            if rows:
                counts = f"{len(rows):8,} pictures {len({row.person for row in rows}):7,} persons"
                lines.append(f"  {split:12}{counts} {len({row.camera for row in rows}):5,} cameras")
        lines += [f"assumed: {sentence}" for sentence in self.said]
        own = shlex.quote(str(self.path))
        lines += ["next:", f"  sorn data check {own}", f"  make eval DATASET={own} TRAINED_ON=starter"]
        return "\n".join([*lines, f"  make eval DATASET={own} CONFIG=finetune INIT=starter"] if self.trains else lines)


def write_list(found: OwnImages, options: SplitOptions, out: Path | None = None, replace: bool = False) -> WrittenList:
    """Division of a folder's pictures, written as a CSV.

    out: the CSV; None for own.csv beside the folder. Paths in it are relative to its own folder. Raises UserError for
    what cannot be divided, for a CSV that is not above the pictures, and for another file of its name that stays unless
    `replace`.
    """
    rows, said = divide(found, options)
    path = out or _beside(found.folder)
    below = _below(found.folder, path)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    tracks = any(row.track for row in rows)
    writer.writerow((*COLUMNS, TRACK) if tracks else COLUMNS)
    for row in rows:
        fields = (f"{below}{row.path}", row.person, row.camera, row.split)
        writer.writerow((*fields, row.track) if tracks else fields)
    if not replace and path.exists() and path.read_bytes() != text.getvalue().encode():
        raise UserError(
            f"{path} is there, with other content", "Add --replace to write it anew, or --out with another name."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())
    chance = f"persons divided at random, seed {options.seed}"
    return WrittenList(path, rows, [*found.assumed, chance, *said])


def _beside(folder: Path) -> Path:
    """own.csv beside a folder; in the folder if it is given by dots."""
    return folder / LIST if folder.name in ("", "..") else folder.parent / LIST


def _below(folder: Path, path: Path) -> str:
    """Path of the folder from the CSV, with a slash at its end."""
    inside = folder.absolute()
    if not inside.is_relative_to(path.absolute().parent):
        raise UserError(
            f"{path} is not in a folder above the pictures, and its paths must lie inside its folder",
            f"Give a place above them: --out {shlex.quote(str(_beside(folder)))}",
        )
    relative = inside.relative_to(path.absolute().parent).as_posix()
    return "./" if relative == "." else f"{'./' if relative != relative.strip() else ''}{relative}/"
