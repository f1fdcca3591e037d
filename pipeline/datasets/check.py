"""Check of a dataset: what was found against what was expected.

It is the screen of `sorn data check`. Reads images.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.datasets.discovery import find_records
from pipeline.datasets.findings import errors_first, judge
from pipeline.datasets.found import Found
from pipeline.datasets.image_files import broken_files, file_length, read_all, read_digest, read_file, read_size
from pipeline.datasets.leaks import leaks
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.record_table import FileValues, RecordTable
from pipeline.datasets.records import Finding
from pipeline.errors import UserError

Size = tuple[int, int]  # width and height in pixels

WIDTH = 120
UNREADABLE = (0, 0)
UNKNOWN = "0" * 64  # in place of a digest that nobody asks for; a text that is none would take more memory


@dataclass(frozen=True)
class CheckReport:
    """Result of a dataset check.

    found: None where there is no dataset at all; of the files of its images the sizes are known, UNREADABLE for those
    that cannot be read. findings: errors first.
    """

    manifest: Manifest
    found: Found | None
    findings: list[Finding]

    @property
    def usable(self) -> bool:
        return all(finding.level != "error" for finding in self.findings)

    def text(self) -> str:
        """One screen: what was found, what was expected, how to repair it."""
        lines = [f"{self.manifest.name}: {self.manifest.title}"]
        if self.found:
            lines += [f"folder   {self.found.root}", f"source   {self.found.source}"]
        for key, value in self._terms():
            lines += _wrapped(f"{key:8} ", value) if value else []
        if self.found:
            lines += ["", *_table(self.manifest, self.found), "", *_totals(self.manifest, self.found)]
        lines.append("")
        for number, finding in enumerate(self.findings, 1):
            lines += _wrapped(f"{finding.level.upper():8} ", finding.wrong)
            same_follows = self.findings[number : number + 1] and self.findings[number].remedy == finding.remedy
            if finding.remedy and not same_follows:
                lines += _wrapped("         -> ", finding.remedy)
        errors = sum(finding.level == "error" for finding in self.findings)
        problems = "1 error" if errors == 1 else f"{errors} errors"
        lines.append(f"cannot be used: {problems}" if errors else "can be used")
        return "\n".join(lines)

    def _terms(self) -> list[tuple[str, str]]:
        return [
            ("licence", self.manifest.licence),
            ("notice", self.manifest.notice),
            ("cameras", self.manifest.camera_policy),
        ]


def check(manifest: Manifest, data_root: Path, decode: bool = False, workers: int = 2) -> CheckReport:
    """Check of a whole dataset: folders, names, counts and images.

    Reads the header of every image, or with `decode` every pixel.
    """
    try:
        found = find_records(manifest, data_root)
    except UserError as error:
        return CheckReport(manifest, None, [Finding("error", error.wrong, error.remedy)])
    read = read_file_size if decode else read_size
    errors: list[UserError] = []

    def read_sizes() -> Iterator[FileValues]:
        for size in read_all(read, found.records.paths, "check", workers):
            if isinstance(size, UserError):
                errors.append(size)
            yield FileValues(0, 0, UNKNOWN, *(UNREADABLE if isinstance(size, UserError) else size))

    records = found.records.with_files(read_sizes())
    found = replace(found, records=records)
    leaked = _leaks(records.part(_readable(records)), workers)
    return CheckReport(manifest, found, errors_first([*judge(manifest, found), *broken_files(errors), *leaked]))


def _readable(records: RecordTable) -> np.ndarray:
    """bool [N]: the images whose size is known."""
    readable: np.ndarray = records.sizes[:, 0] > 0
    return readable


def read_file_size(path: Path) -> Size:
    file = read_file(path)
    return file.width, file.height


def _leaks(records: RecordTable, workers: int) -> list[Finding]:
    """Files in two splits. Only files of equal length can be equal, so only those are read."""
    lengths = np.fromiter((file_length(Path(path)) for path in records.paths), np.int64, len(records))
    of_splits = [np.unique(lengths[records.is_of(split)]) for split in records.splits]
    several, splits = np.unique(np.concatenate([*of_splits, np.empty(0, np.int64)]), return_counts=True)
    doubtful = np.isin(lengths, several[splits > 1])

    def digests() -> Iterator[FileValues]:
        for name, is_doubtful in zip(records.names, doubtful.tolist(), strict=True):
            digest = next(results) if is_doubtful else None
            yield FileValues(0, 0, digest if isinstance(digest, str) else _unlike_others(name), 0, 0)

    with closing(read_all(read_digest, records.part(doubtful).paths, "compare", workers)) as results:
        with_digests = records.with_files(digests())
        next(results, None)  # so that the last image is counted
    return leaks(with_digests)


def _unlike_others(name: str) -> str:
    """Digest for a file that no other one can equal."""
    return hashlib.sha256(f"unlike all others: {name}".encode(errors="surrogateescape")).hexdigest()


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=label, subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False
    )


def _table(manifest: Manifest, found: Found) -> list[str]:
    """Table with a row per set: images, identities, cameras, expected numbers, image sizes."""
    lines = [
        f"{'set':16} {'images':>7} {'expected':>8} {'ids':>6} {'expected':>8}  {'cameras':12} {'pixels':18} folder"
    ]
    expected = {image_set.prefix: image_set.images for image_set in manifest.set}
    by_set = found.by_set()
    for prefix in expected or found.folders:
        records = by_set.get(prefix, found.records[:0])
        ids = len(np.unique(records.pid))
        cameras = [found.names.camera(camid) for camid in np.unique(records.camid).tolist()]
        shown = " ".join(cameras) if len(cameras) <= 6 else f"{cameras[0]} to {cameras[-1]}: {len(cameras)}"
        pixels = _range(records.sizes[_readable(records)])
        expected_ids = _number(manifest.expected_ids.get(prefix.partition("/")[0]))
        lines.append(
            f"{prefix.rstrip('/'):16} {len(records):7,} {_number(expected.get(prefix)):>8} {ids:6,} {expected_ids:>8}  "
            f"{shown:12} {pixels:18} {_below(found.folders.get(prefix), found.root)}"
        )
    return lines


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _range(sizes: np.ndarray) -> str:
    """Width x height, or their ranges. sizes: [n, 2]."""
    sides = [np.unique(sizes[:, side]).tolist() for side in (0, 1)]
    return " x ".join("-" if not s else f"{s[0]}" if len(s) == 1 else f"{s[0]}..{s[-1]}" for s in sides)


def _below(folder: Path | None, root: Path) -> str:
    if folder is None:
        return "missing"
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def _totals(manifest: Manifest, found: Found) -> list[str]:
    lines = []
    if found.junk:
        what = ", ".join(f"{count:,} in {prefix.rstrip('/')}" for prefix, count in sorted(found.junk.items()))
        lines.append(f"dropped  junk images: {what}")
    distractors = int(np.isin(found.records.pid, manifest.distractor_pids).sum())
    if distractors:
        lines.append(f"kept     {distractors:,} images of distractors, which no query asks for")
    if "query" in found.records.splits:
        for protocol in manifest.protocol:
            default = " (default)" if protocol.default and protocol.name != "default" else ""
            lines += _wrapped("protocol ", f"{protocol.name}{default}: {protocol.description}")
    return lines
