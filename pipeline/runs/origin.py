"""Origin of the dataset whose results a folder of runs holds.

Reads and writes the stamp of the data stage. A dataset is its list, or its manifest and its folder of images; it is
not its name. In the same place it is the same dataset, whatever was changed there. In another place it is the same
while its images, ids and splits are equal; the record follows a dataset that was moved.
"""

from __future__ import annotations

import contextlib
import os
import unicodedata
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.datasets.discovery import find_records, find_root
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records_file import content_digest
from pipeline.datasets.summary import DataSummary, read_summary
from pipeline.errors import UserError
from pipeline.io.digests import digest_files
from pipeline.io.files import write_json
from pipeline.runs import stamp
from pipeline.runs.earlier_ids import earlier_ids
from pipeline.runs.layout import Paths
from pipeline.runs.stamp import Stamp

LISTED = "rows of "  # before the path of a list in the `source` of summary.json


@dataclass(frozen=True)
class DatasetOrigin:
    """Origin of a dataset, paths absolute.

    csv: a list, "" for folders of images. manifest: the user's file, "" for a dataset of the program, UNKNOWN in runs
    of 0.1. root: folder of the images, "" for rendered ones. runs: folder of runs at that time. facts: digest of the
    manifest. records: digest of images, ids and splits.
    """

    csv: str
    manifest: str
    root: str
    runs: str
    facts: str
    records: str

    @staticmethod
    def of(manifest: Manifest, paths: Paths, records: str = "") -> DatasetOrigin:
        """Present origin of a dataset. Raises UserError where it is missing."""
        file = "" if manifest.shipped else str(manifest.origin.absolute())
        root = "" if manifest.rendered else str(find_root(manifest, paths.data_root))
        listed = str(manifest.csv_path) if manifest.csv else ""
        return DatasetOrigin(listed, file, root, str(paths.runs.absolute()), manifest.digest(), records)

    @property
    def place(self) -> str:
        """Its path for messages."""
        return self.csv or (self.manifest if self.manifest != UNKNOWN else "") or self.root or "the one of the program"

    def may_be_of(self, file: Path) -> bool:
        """Whether a list or manifest can be the one of this dataset."""
        own = [path for path in (self.csv, self.manifest) if path and path != UNKNOWN and os.path.exists(path)]
        return not own or any(os.path.samefile(path, file) for path in own)

    def is_there(self) -> bool:
        return all(os.path.exists(path) for path in (self.csv or self.manifest, self.root) if path and path != UNKNOWN)


UNKNOWN = "?"


def record(manifest: Manifest, paths: Paths) -> None:
    """Write the origin of the dataset into its stamp."""
    made = stamp.read(paths.folder("data"))
    if made is not None:
        _keep(DatasetOrigin.of(manifest, paths, made.provided("records")), made, paths)


def find_foreign(manifest: Manifest, paths: Paths) -> DatasetOrigin | None:
    """Origin of the other dataset whose results a folder holds.

    None if there is none. Follows a dataset that was moved.
    """
    known = recorded(paths)
    if known is None:
        return None
    here = replace(DatasetOrigin.of(manifest, paths), records=known.records)
    if known == here:
        return None
    stayed = _stayed(known, here)
    if not stayed and not _is_copy(known, here, manifest, paths):
        return known
    made = stamp.read(paths.folder("data"))
    if made is not None and made.origin is not None and (stayed or not known.is_there()):
        with contextlib.suppress(OSError):  # a folder of runs that can only be read
            _keep(here, made, paths)
    return None


def recorded(paths: Paths) -> DatasetOrigin | None:
    """Origin of the dataset whose results a folder holds.

    Also of a run of 0.1. None if it holds none.
    """
    made = None
    with contextlib.suppress(UserError):
        made = stamp.read(paths.folder("data"))
    try:
        if made is not None and made.origin is not None:
            return DatasetOrigin(**made.origin)
        return _of_summary(read_summary(paths.data_summary, "make data"), made, paths)
    except (UserError, TypeError):
        return None


def moved_with_runs(recorded_path: Path, paths: Paths) -> Path:
    """Present path of a file or folder of the dataset.

    It is where it lies beside the folder of runs if both were copied or moved, else where it was.
    """
    known = recorded(paths)
    beside = os.path.relpath(recorded_path, known.runs) if known else "."
    present = Path(os.path.normpath(paths.runs.absolute() / beside))
    return present if known and present.exists() else recorded_path


def present_file(dataset: str, paths: Paths) -> str:
    """Dataset as it was typed, or its present path.

    The path is another one if its file was copied or moved with its runs.
    """
    known = recorded(paths)
    if Path(dataset).suffix == "" or Path(dataset).exists() or known is None or known.manifest in ("", UNKNOWN):
        return dataset
    return str(moved_with_runs(Path(known.manifest), paths))


def _of_summary(summary: DataSummary, made: Stamp | None, paths: Paths) -> DatasetOrigin:
    """Origin as far as a run of 0.1 or an unfinished stage tells it."""
    csv = summary.source.removeprefix(LISTED) if summary.source.startswith(LISTED) else ""
    facts = made.inputs.get("manifest", "") if made else ""
    return DatasetOrigin(csv, UNKNOWN, summary.root, str(paths.runs.absolute()), facts, summary.content)


def _keep(here: DatasetOrigin, made: Stamp, paths: Paths) -> None:
    write_json(paths.stamp("data"), asdict(replace(made, origin=asdict(here))), sort_keys=True)


def _stayed(known: DatasetOrigin, here: DatasetOrigin) -> bool:
    """Whether both are in the same place: nobody moved it, or everything was moved with its runs."""
    if known.csv or here.csv:
        return _same_place(known.csv, here.csv, known, here)
    root = not here.root or _same_place(known.root, here.root, known, here)
    if UNKNOWN in (known.manifest, here.manifest):
        return root
    return root and (known.facts == here.facts or _same_place(known.manifest, here.manifest, known, here))


def _is_copy(known: DatasetOrigin, here: DatasetOrigin, manifest: Manifest, paths: Paths) -> bool:
    """Whether both have the same name and the same images, ids and splits."""
    if bool(known.csv) != bool(here.csv) or _file_name(known.csv) != _file_name(here.csv):
        return False
    if known.facts != here.facts and not here.csv:
        return False
    return _present_records(manifest, paths) == known.records


def _present_records(manifest: Manifest, paths: Paths) -> str:
    """Digest of images, ids and splits as they are now."""
    found = find_records(manifest, paths.data_root, earlier_ids(paths)).records
    return content_digest(found, digest_files(found.paths))


def _same_place(known: str, here: str, known_origin: DatasetOrigin, here_origin: DatasetOrigin) -> bool:
    if not known or not here:
        return known == here
    if known == here or (os.path.exists(known) and os.path.exists(here) and os.path.samefile(known, here)):
        return True
    return os.path.relpath(known, known_origin.runs) == os.path.relpath(here, here_origin.runs)


def _file_name(path: str) -> str:
    return unicodedata.normalize("NFC", os.path.basename(path))
