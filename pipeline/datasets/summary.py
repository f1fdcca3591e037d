"""Summary of a dataset: summary.json and the screen of `sorn data`."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.datasets.manifest import SPLITS, Manifest
from pipeline.datasets.records import Finding, Found, ImageFile, ImageRecord, content_digest
from pipeline.errors import UserError
from pipeline.io.files import write_json
from pipeline.io.text import read_json

logger = logging.getLogger(__name__)


def read_summary(path: Path, dataset: str) -> dict[str, Any]:
    """Content of the data stage's summary.json.

    dataset: its name in the message. Raises UserError where the file is missing or damaged.
    """
    try:
        found = read_json(path)
        if not (isinstance(found, dict) and isinstance(found.get("root"), str)):
            raise ValueError("it does not name the dataset's folder")
        return found
    except (OSError, ValueError) as error:
        wrong = f"{path} cannot be read: {error}"
        raise UserError(wrong, f"Run: make data DATASET={dataset}") from error


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    write_json(path, summary, ensure_ascii=False)


def summarise(
    manifest: Manifest, found: Found, findings: list[Finding], rows: list[tuple[ImageRecord, ImageFile]]
) -> dict[str, Any]:
    """Facts about the data for reports and readers, as JSON."""
    records = found.records
    return {
        "name": manifest.name,
        "title": manifest.title,
        "licence": manifest.licence,
        "notice": manifest.notice,
        "camera_policy": manifest.camera_policy,
        "root": str(found.root),
        "source": found.source,
        "masks": manifest.masks,
        "evaluation_only": all(record.split != "train" for record in records),
        "splits": {split: _counts([r for r in records if r.split == split]) for split in SPLITS},
        "expected_images": {s.prefix: s.images for s in manifest.set if s.images is not None},
        "expected_ids": manifest.expected_ids,
        "junk_dropped": found.junk,
        "distractors_kept": sum(record.pid in manifest.distractor_pids for record in records),
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "protocols": [dataclasses.asdict(protocol) for protocol in manifest.protocol],
        "pid_labels": found.pid_labels,
        "camid_labels": found.camid_labels,
        "content": content_digest(rows),
    }


def _counts(records: list[ImageRecord]) -> dict[str, Any]:
    cameras = Counter(record.camid for record in records)
    return {
        "images": len(records),
        "ids": len({record.pid for record in records}),
        "per_camera": {str(camid): cameras[camid] for camid in sorted(cameras)},
    }


def tell(summary: dict[str, Any]) -> None:
    """Summary on one screen.

    Terms and warnings go to stderr, so that they stay visible when stdout is redirected.
    """
    for key in ("licence", "notice"):
        if summary[key]:
            logger.warning(f"{summary['title']}, {key}: {summary[key]}")
    for finding in summary["findings"]:
        remedy = f". {finding['remedy']}" if finding["remedy"] else ""
        logger.warning(f"{finding['level']}: {finding['wrong']}{remedy}")
    for split, counts in summary["splits"].items():
        if counts["images"]:
            cameras = len(counts["per_camera"])
            logger.info(f"  {split:12} {counts['images']:7,} images {counts['ids']:6,} ids {cameras:3} cameras")
    dropped = sum(summary["junk_dropped"].values())
    if dropped:
        logger.info(f"  dropped {dropped:,} junk images")
    if summary["distractors_kept"]:
        logger.info(f"  kept {summary['distractors_kept']:,} distractor images in the gallery")
