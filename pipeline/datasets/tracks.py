"""Tracks of a list: several frames of one person by one camera."""

from __future__ import annotations

from pathlib import Path

from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import Finding
from pipeline.errors import first_names
from pipeline.io.files import digest_json

REMEDY = (
    "Give each track a name of its own, such as person-camera-number; a column that means something else needs another "
    "heading than track."
)


def track_findings(path: Path, records: RecordTable) -> list[Finding]:
    """Findings about the tracks of a list.

    Errors about tracks of several persons, cameras or splits; or a note that there are tracks.
    path: of the list, for the message.
    """
    tracks: dict[str, tuple[set[int], set[int], set[str]]] = {}
    for track, record in records.tracks():
        pids, camids, splits = tracks.setdefault(track, (set(), set(), set()))
        pids.add(record.pid)
        camids.add(record.camid)
        splits.add(record.split)
    findings = []
    for number, what in enumerate(("persons", "cameras", "splits")):
        wrong = sorted(name for name, known in tracks.items() if len(known[number]) > 1)
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


def track_of(records: RecordTable) -> dict[str, str]:
    """Name of an image -> its track, for the images that have one."""
    return {record.name: track for track, record in records.tracks()}


def tracks_digest(tracks: dict[str, str]) -> str:
    """sha256 over the tracks of images; "" for none."""
    return digest_json(sorted(tracks.items())) if tracks else ""
