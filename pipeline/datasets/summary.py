"""Summary of a dataset: summary.json and the screen of `sorn data`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.datasets.found import Found
from pipeline.datasets.manifest import SPLITS, Manifest, Protocol
from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import Finding, IdNames
from pipeline.datasets.records_file import content_digest
from pipeline.datasets.tracks import track_of, tracks_digest
from pipeline.errors import UserError
from pipeline.io import documents
from pipeline.io.files import write_json
from pipeline.io.text import read_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitCounts:
    """Images and identities of one split. per_camera: camera -> images."""

    images: int
    ids: int
    per_camera: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """Facts about the data for reports and readers: contents of summary.json.

    root: the dataset's folder. source: how it was read, in words. masks: pattern of the ground-truth masks.
    expected_images, expected_ids, junk_dropped: prefix or split -> number. pid_labels, camid_labels: number -> id as
    the user's list writes it, where that is not the number. content: digest of the records and their files.
    tracks: digest of the tracks of the images, "" for none.
    """

    name: str = ""
    title: str = ""
    licence: str = ""
    notice: str = ""
    camera_policy: str = ""
    root: str
    source: str = ""
    masks: str = ""
    evaluation_only: bool = False
    splits: dict[str, SplitCounts] = field(default_factory=dict)
    expected_images: dict[str, int] = field(default_factory=dict)
    expected_ids: dict[str, int] = field(default_factory=dict)
    junk_dropped: dict[str, int] = field(default_factory=dict)
    distractors_kept: int = 0
    findings: tuple[Finding, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    pid_labels: dict[str, str] = field(default_factory=dict)
    camid_labels: dict[str, str] = field(default_factory=dict)
    content: str = ""
    tracks: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(finding.wrong for finding in self.findings if finding.level == "warning")

    @property
    def names(self) -> IdNames:
        pids, camids = (_by_number(labels) for labels in (self.pid_labels, self.camid_labels))
        return IdNames(pids, camids)

    @classmethod
    def from_json(cls, value: object) -> DataSummary:
        """Raises ValueError naming the field that is missing or wrong."""
        return documents.from_json(cls, value)


def read_summary(path: Path, make: str) -> DataSummary:
    """Content of the data stage's summary.json.

    make: command that writes it, for the message. Raises UserError where the file is missing or damaged.
    """
    try:
        return DataSummary.from_json(read_json(path))
    except (OSError, ValueError) as error:
        wrong = f"{path} cannot be read: {error}"
        raise UserError(wrong, f"Run: {make}") from error


def write_summary(path: Path, summary: DataSummary) -> None:
    write_json(path, documents.to_json(summary), ensure_ascii=False)


def summarise(manifest: Manifest, found: Found, findings: list[Finding], records: RecordTable) -> DataSummary:
    """records: those found, with their files."""
    return DataSummary(
        name=manifest.name,
        title=manifest.title,
        licence=manifest.licence,
        notice=manifest.notice,
        camera_policy=manifest.camera_policy,
        root=str(found.root),
        source=found.source,
        masks=manifest.masks,
        evaluation_only=not len(records.of_split("train")),
        splits={split: _counts(records.of_split(split), found.names) for split in SPLITS},
        expected_images={s.prefix: s.images for s in manifest.set if s.images is not None},
        expected_ids=manifest.expected_ids,
        junk_dropped=found.junk,
        distractors_kept=int(np.isin(records.pid, manifest.distractor_pids).sum()),
        findings=tuple(findings),
        protocols=manifest.protocol,
        pid_labels={str(number): label for number, label in found.pid_labels.items()},
        camid_labels={str(number): label for number, label in found.camid_labels.items()},
        content=content_digest(records),
        tracks=tracks_digest(track_of(records)),
    )


def _by_number(labels: dict[str, str]) -> dict[int, str]:
    return {int(number): label for number, label in labels.items() if number.isdecimal()}


def _counts(records: RecordTable, names: IdNames) -> SplitCounts:
    cameras, images = (values.tolist() for values in np.unique(records.camid, return_counts=True))
    per_camera = dict(zip(map(names.camera, cameras), images, strict=True))
    return SplitCounts(len(records), len(np.unique(records.pid)), per_camera)


def tell(summary: DataSummary) -> None:
    """Summary on one screen.

    Terms and warnings go to stderr, so that they stay visible when stdout is redirected.
    """
    for key, text in {"licence": summary.licence, "notice": summary.notice}.items():
        if text:
            logger.warning(f"{summary.title}, {key}: {text}")
    for finding in summary.findings:
        remedy = f". {finding.remedy}" if finding.remedy else ""
        logger.warning(f"{finding.level}: {finding.wrong}{remedy}")
    for split, counts in summary.splits.items():
        if counts.images:
            cameras = len(counts.per_camera)
            logger.info(f"  {split:12} {counts.images:7,} images {counts.ids:6,} ids {cameras:3} cameras")
    dropped = sum(summary.junk_dropped.values())
    if dropped:
        logger.info(f"  dropped {dropped:,} junk images")
    if summary.distractors_kept:
        logger.info(f"  kept {summary.distractors_kept:,} distractor images in the gallery")
