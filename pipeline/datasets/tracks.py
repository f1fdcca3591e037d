"""Tracks of a list: several frames of one person by one camera."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from pipeline.datasets.records import Finding, ImageRecord
from pipeline.errors import first_names
from pipeline.io.files import digest_json

REMEDY = (
    "Give each track a name of its own, such as person-camera-number; a column that means something else needs another "
    "heading than track."
)


def track_findings(path: Path, records: Iterable[ImageRecord]) -> list[Finding]:
    """Findings about the tracks of a list.

    Errors about tracks of several persons, cameras or splits; or a note that there are tracks.
    path: of the list, for the message.
    """
    tracks: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        if record.track:
            tracks[record.track].append(record)
    findings = []
    for what, field in (("persons", "pid"), ("cameras", "camid"), ("splits", "split")):
        wrong = sorted(name for name, own in tracks.items() if len({getattr(one, field) for one in own}) > 1)
        if wrong:
            count = f"{len(wrong):,} of {len(tracks):,} tracks are of several {what}: {first_names(wrong)}"
            findings.append(Finding("error", f"{path}: {count}", REMEDY))
            break  # tracks of several persons are mostly of several cameras too
    if tracks and not findings:
        note = (
            f"{path}: {len(tracks):,} tracks; the frames are evaluated one by one, or with eval.tracks = true by track"
        )
        findings.append(Finding("note", note, "For tracks: --set eval.tracks=true."))
    return findings


def track_of(records: Iterable[ImageRecord]) -> dict[str, str]:
    """Name of an image -> its track, for the images that have one."""
    return {record.name: record.track for record in records if record.track}


def tracks_digest(tracks: dict[str, str]) -> str:
    """sha256 over the tracks of images; "" for none."""
    return digest_json(sorted(tracks.items())) if tracks else ""
