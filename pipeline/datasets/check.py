"""Check of a dataset: what was found against what was expected.

It is the screen of `sorn data check`. Reads images.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.discovery import find_records
from pipeline.datasets.findings import errors_first, judge
from pipeline.datasets.image_files import broken_files, file_length, read_all, read_digest, read_file, read_size
from pipeline.datasets.leaks import leaks
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import Finding, Found, ImageRecord
from pipeline.errors import UserError

Size = tuple[int, int]

WIDTH = 120


@dataclass(frozen=True)
class CheckReport:
    """Result of a dataset check.

    found: None where there is no dataset at all. findings: errors first. sizes: image name -> width and height in
    pixels, of the readable images.
    """

    manifest: Manifest
    found: Found | None
    findings: list[Finding]
    sizes: dict[str, Size]

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
            lines += ["", *_table(self.manifest, self.found, self.sizes), "", *_totals(self.manifest, self.found)]
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
        return CheckReport(manifest, None, [Finding("error", error.wrong, error.remedy)], {})
    read = read_file_size if decode else read_size
    results = list(read_all(read, found.records, "check", workers))
    sizes = {r.name: size for r, size in zip(found.records, results, strict=True) if not isinstance(size, UserError)}
    read_well = [record for record in found.records if record.name in sizes]
    findings = errors_first([*judge(manifest, found), *broken_files(results), *_leaks(read_well, workers)])
    return CheckReport(manifest, found, findings, sizes)


def read_file_size(path: Path) -> Size:
    file = read_file(path)
    return file.width, file.height


def _leaks(records: list[ImageRecord], workers: int) -> list[Finding]:
    """Files in two splits. Only files of equal length can be equal, so only those are read."""
    alike: dict[int, list[ImageRecord]] = defaultdict(list)
    for record in records:
        alike[file_length(record.path)].append(record)
    several = [same for same in alike.values() if len({record.split for record in same}) > 1]
    chosen = sorted((record for same in several for record in same), key=lambda record: record.name)
    results = zip(chosen, read_all(read_digest, chosen, "compare", workers), strict=True)
    digests = {record.name: digest for record, digest in results if isinstance(digest, str)}
    return leaks((record, digests.get(record.name, f"unlike all others: {record.name}")) for record in records)


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=label, subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False
    )


def _table(manifest: Manifest, found: Found, sizes: dict[str, Size]) -> list[str]:
    """Table with a row per set: images, identities, cameras, expected numbers, image sizes."""
    lines = [
        f"{'set':16} {'images':>7} {'expected':>8} {'ids':>6} {'expected':>8}  {'cameras':12} {'pixels':18} folder"
    ]
    expected = {image_set.prefix: image_set.images for image_set in manifest.set}
    by_set = found.by_set()
    for prefix in expected or found.folders:
        records = by_set.get(prefix, [])
        ids = len({record.pid for record in records})
        cameras = [found.names.camera(camid) for camid in sorted({record.camid for record in records})]
        shown = " ".join(cameras) if len(cameras) <= 6 else f"{cameras[0]} to {cameras[-1]}: {len(cameras)}"
        pixels = _range([sizes[record.name] for record in records if record.name in sizes])
        expected_ids = _number(manifest.expected_ids.get(prefix.partition("/")[0]))
        lines.append(
            f"{prefix.rstrip('/'):16} {len(records):7,} {_number(expected.get(prefix)):>8} {ids:6,} {expected_ids:>8}  "
            f"{shown:12} {pixels:18} {_below(found.folders.get(prefix), found.root)}"
        )
    return lines


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _range(sizes: list[Size]) -> str:
    """Width x height, or their ranges."""
    sides = [sorted({size[side] for size in sizes}) for side in (0, 1)]
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
    distractors = sum(record.pid in manifest.distractor_pids for record in found.records)
    if distractors:
        lines.append(f"kept     {distractors:,} images of distractors, which no query asks for")
    if any(record.split == "query" for record in found.records):
        for protocol in manifest.protocol:
            default = " (default)" if protocol.default and protocol.name != "default" else ""
            lines += _wrapped("protocol ", f"{protocol.name}{default}: {protocol.description}")
    return lines
