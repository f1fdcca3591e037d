"""Findings about a dataset: wrong counts, or unusable for training or scoring.

Reads no files.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from pipeline.datasets.found import Found
from pipeline.datasets.manifest import QUERY_SPLITS, SPLITS, ImageSet, Manifest, known_datasets, load_manifest
from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import LEVELS, Finding
from pipeline.errors import first_names

NO_OTHER_CAMERA = "have no image by another camera in"  # in the finding about queries that are skipped


def judge(manifest: Manifest, found: Found) -> list[Finding]:
    """All findings that need no image file, errors first."""
    findings = [*found.findings, *_expected_counts(manifest, found), *_usable(manifest, found)]
    return errors_first(findings)


def errors_first(findings: list[Finding]) -> list[Finding]:
    """Findings by severity, otherwise in their order."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def _expected_counts(manifest: Manifest, found: Found) -> list[Finding]:
    by_set = found.by_set()
    ids = {split: len(np.unique(found.records.of_split(split).pid)) for split in manifest.expected_ids}
    findings = []
    deviating = set()
    for image_set in manifest.set:
        if image_set.images is None or image_set.prefix not in found.folders:
            continue
        finding = _expected_images(manifest, image_set, found.folders[image_set.prefix], by_set[image_set.prefix])
        if finding:
            findings.append(finding)
            deviating.add(image_set.split)
    for split, expected in manifest.expected_ids.items():
        if split not in deviating and ids[split] and ids[split] != expected:
            wrong = f"{split} has {ids[split]:,} identities, expected {expected:,}"
            findings.append(Finding("warning", wrong, "Compare the file names with another copy of the dataset."))
    return findings


def _expected_images(manifest: Manifest, image_set: ImageSet, folder: Path, records: RecordTable) -> Finding | None:
    """Finding about a set with another number of images than expected; else None."""
    got, expected = len(records), image_set.images or 0
    other = _looks_like(manifest, image_set, got) if got != expected else ""
    if got < expected:
        wrong = f"{folder} holds {got:,} of {expected:,} images, {expected - got:,} are missing{other}"
        if manifest.subset:
            return Finding("warning", wrong, "You use a part on purpose: its scores compare with no published ones.")
        remedy = (
            f'Copy that folder again; or, to use a part on purpose, write a manifest with base = "{manifest.name}" '
        )
        return Finding("error", wrong, remedy + "and subset = true, and give its path as DATASET.")
    if got > expected:
        wrong = f"{folder} holds {got:,} images, {got - expected:,} more than expected"
        negative = int((records.pid < 0).sum())
        if negative and got - negative == expected:
            wrong = f"{folder} holds {expected:,}+{negative:,} images: junk is kept"
            return Finding("error", wrong, "Set junk_pids = [-1] in the manifest.")
        return Finding("error" if other else "warning", wrong + other, "Compare it with another copy of the dataset.")
    cameras = {str(camid): count for camid, count in zip(*np.unique(records.camid, return_counts=True), strict=True)}
    if image_set.per_camera and cameras != image_set.per_camera:
        wrong = f"{folder} has {_cameras(cameras)} images by camera, expected {_cameras(image_set.per_camera)}"
        return Finding("warning", wrong, "Compare the file names with another copy of the dataset.")
    return None


def _looks_like(manifest: Manifest, image_set: ImageSet, images: int) -> str:
    """Other dataset with the same names that has exactly as many images in this split."""
    for other in map(load_manifest, known_datasets()):
        same_names = other.name != manifest.name and other.pattern == manifest.pattern
        if same_names and any((own.split, own.images) == (image_set.split, images) for own in other.set):
            return f"; {images:,} is the count of {other.title}"
    return ""


def _cameras(counts: dict[str, int]) -> str:
    return " ".join(f"{camera}:{count}" for camera, count in counts.items())


def _usable(manifest: Manifest, found: Found) -> list[Finding]:
    """Findings that prevent training or scoring."""
    by_split = {split: found.records.of_split(split) for split in SPLITS}
    findings = []
    if not len(found.records) and not found.findings:
        findings.append(Finding("error", f"{found.root}: no image was found", "Copy the dataset there again."))
    for query, gallery in QUERY_SPLITS.items():
        if len(by_split[query]) or len(by_split[gallery]):
            findings += _scorable(query, by_split[query], gallery, by_split[gallery], found)
    train = by_split["train"]
    people = set(train.pid.tolist())
    if len(train) and len(people) < 2:
        findings.append(Finding("error", f"{found.root}: train has one identity only", "Training needs two or more."))
    elif len(train) and len(set(train.camid.tolist())) == 1:
        wrong = f"train has one camera only, {found.names.camera(train[0].camid)}"
        findings.append(Finding("warning", wrong, "What is learnt may not carry to a second camera."))
    for split in (*QUERY_SPLITS, *QUERY_SPLITS.values()):
        both = people & set(by_split[split].pid.tolist()) - set(manifest.distractor_pids)
        if both and not _said(both, split, by_split):
            wrong = f"{len(both):,} of {len(people):,} identities of train are in {split} too: {_first(both, found)}"
            findings.append(Finding("warning", wrong, "Scores on people seen in training say little about others."))
    return findings


def _said(people: set[int], split: str, by_split: dict[str, RecordTable]) -> bool:
    """Whether a gallery's people are those of its queries, of whom a finding says the same."""
    queries = [query for query, gallery in QUERY_SPLITS.items() if gallery == split]
    return bool(queries) and people <= set(by_split[queries[0]].pid.tolist())


def _scorable(query: str, queries: RecordTable, gallery: str, items: RecordTable, found: Found) -> list[Finding]:
    if not len(queries) or not len(items):
        empty, other = (query, gallery) if len(items) else (gallery, query)
        wrong = f"{found.root}: {other} has images, but {empty} has none"
        return [Finding("error", wrong, f"Add images to {empty}: queries are ranked against the gallery.")]
    cameras: dict[int, set[int]] = defaultdict(set)
    for pid, camid in np.unique(np.stack([items.pid, items.camid]), axis=1).T.tolist():
        cameras[pid].add(camid)
    absent = set(queries.pid.tolist()) - cameras.keys()
    if absent:
        wrong = f"{len(absent):,} identities of {query} are not in {gallery}: {_first(absent, found)}"
        remedy = f"Add a gallery image of each, by another camera, or take their images out of {query}."
        return [Finding("error", f"{found.root}: {wrong}", remedy)]
    used = set(queries.camid.tolist()) | set(items.camid.tolist())
    if len(used) == 1:
        wrong = f"{found.root}: {query} and {gallery} have one camera only, {found.names.camera(used.pop())}"
        remedy = (
            "A gallery image of the query's own camera does not count. No cameras known? Use 0 in query, 1 in gallery."
        )
        return [Finding("error", wrong, remedy)]
    ids = zip(queries.pid.tolist(), queries.camid.tolist(), strict=True)
    alone = [number for number, (pid, camid) in enumerate(ids) if cameras[pid] <= {camid}]
    if alone:
        wrong = f"{len(alone):,} of {len(queries):,} images of {query} {NO_OTHER_CAMERA} {gallery}: "
        wrong += f"{queries[alone[0]].name}{', ...' if len(alone) > 1 else ''}"
        level = "error" if len(alone) == len(queries) else "warning"
        return [Finding(level, wrong, "They are skipped and counted; check the camera numbers.")]
    return []


def _first(pids: set[int], found: Found) -> str:
    names = [found.names.person(pid) for pid in sorted(pids)]
    return first_names(names, 5)
