"""Stage `data`: the list of images of a dataset.

Finds the images, or renders those of SynPed. Reads all images; writes records.csv and summary.json. Images are not
copied: records hold their paths. The input of later stages is a digest of names, ids, splits and contents. So moving a
dataset or touching its files retrains nothing.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from pipeline.datasets.discovery import find_records, look
from pipeline.datasets.findings import errors_first, judge
from pipeline.datasets.image_files import broken_files, read_all, read_file
from pipeline.datasets.leaks import leaks
from pipeline.datasets.manifest import Manifest, mask_path
from pipeline.datasets.record_table import FileValues, RecordTable
from pipeline.datasets.records import Finding, ImageFile
from pipeline.datasets.records_file import read_records, write_records
from pipeline.datasets.summary import read_summary, summarise, tell, write_summary
from pipeline.errors import UserError
from pipeline.io.digest_column import DigestColumn
from pipeline.io.digests import digest_files
from pipeline.io.files import digest_json
from pipeline.io.texts import first_equal
from pipeline.runs.earlier_ids import earlier_ids
from pipeline.runs.inputs import OUTSIDE, Input
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runs.ways_on import require_own

logger = logging.getLogger(__name__)

NAME = "data"
MAKE = f"make {NAME}"
VERSION = 1
RENDERING = "rendering {}"


def settings(run: Run) -> Mapping[str, object]:
    """No options: none changes the list of images."""
    return {}


def inputs(run: Run) -> list[Input]:
    """Manifest, and contents of the dataset's folders.

    Raises UserError if the dataset is missing, and if the folder of the stage belongs to another one.
    """
    require_own(run)
    manifest = run.manifest
    found = _rendered_inputs(run) if manifest.rendered else {"images": look(manifest, run.paths.data_root)}
    return [Input(OUTSIDE, key, text) for key, text in {"manifest": manifest.digest(), **found}.items()]


def run(run: Run, fingerprint: str) -> Path:
    """Write records.csv, summary.json and the contact sheet of SynPed.

    Raises UserError for an unusable dataset.
    """
    manifest, paths, workers = run.manifest, run.paths, run.config.runtime.workers
    if manifest.rendered:
        _render(manifest, paths, workers)
    found = find_records(manifest, paths.data_root, earlier_ids(paths))
    findings = judge(manifest, found)
    _refuse(findings, paths)
    records = _read_files(found.records, run, workers)
    findings = errors_first([*findings, *leaks(records)])
    write_records(paths.records, records)
    summary = summarise(manifest, found, findings, records)
    write_summary(paths.data_summary, summary)
    tell(summary)
    if manifest.rendered:
        from pipeline.datasets.synped.sheet import contact_sheet

        shown = ("query", "gallery") if manifest.evaluation_only else ("train", "query")
        folders = [
            image_set.prefix.rstrip("/") for split in shown for image_set in manifest.set if image_set.split == split
        ]
        contact_sheet(_rendered_root(manifest, paths), paths.contact_sheet, tuple(folders))
        logger.info(f"  pictures and their masks to look at: {paths.contact_sheet}")
    return paths.records


def finish(run: Run, records: Path) -> Path:
    return records


def outputs(run: Run) -> list[Path]:
    paths = run.paths
    return [path for path in (paths.records, paths.data_summary, paths.contact_sheet) if path.is_file()]


def provides(run: Run) -> dict[str, str]:
    """Digests of the records and of the manifest.

    records: of the content of the images. manifest: of terms and protocols, which reports show. tracks: of
    the tracks, if there are any.
    """
    summary = read_summary(run.paths.data_summary, run.make(NAME))  # written a moment ago
    tracks = {"tracks": summary.tracks} if summary.tracks else {}
    return {"records": summary.content, "manifest": run.manifest.digest(), **tracks}


def _rendered_root(manifest: Manifest, paths: Paths) -> Path:
    return paths.data_root.absolute() / manifest.roots[0]


def _render(manifest: Manifest, paths: Paths, workers: int) -> None:
    """Render the missing images of SynPed."""
    from pipeline.datasets.synped.dataset import write_dataset

    recipe = manifest.rendered
    assert recipe is not None
    write_dataset(_rendered_root(manifest, paths), recipe.size, recipe.seed, workers, recipe.style)


def _rendered_inputs(run: Run) -> dict[str, str]:
    """Recipe of SynPed, and number of its rendering.

    A missing or changed file increases the number. So the inputs are the same before and after a rendering, unlike a
    listing of the files.
    """
    from pipeline.datasets.synped.plan import RENDERER_VERSION, SIZES

    manifest, rendered = run.manifest, run.manifest.rendered
    assert rendered is not None
    root = _rendered_root(manifest, run.paths)
    recipe = [RENDERER_VERSION, repr(SIZES.get(rendered.size)), rendered.seed, rendered.style]
    last = run.stamp(NAME)
    rendering = last.inputs["images"] if last and "renderer" in last.inputs else RENDERING.format(1)
    damaged = _damaged(manifest, root, run.paths)
    if last and damaged:
        number = int(rendering.split()[1]) + 1
        rendering = f"{RENDERING.format(number)} ({damaged} were missing or changed)"
    return {"renderer": digest_json(recipe), "images": rendering}


def _damaged(manifest: Manifest, root: Path, paths: Paths) -> int:
    """Number of images that changed since they were read, or have no mask."""
    known = _known(paths, root)
    if known is None:
        return 0
    contents = zip(known.digests, digest_files(known.paths), strict=True)
    return sum(
        not (then == now and mask_path(manifest, root, record).is_file())
        for record, (then, now) in zip(known, contents, strict=True)
        if record.path.is_relative_to(root)
    )


def _known(paths: Paths, root: Path) -> RecordTable | None:
    """Images of the last records.csv, with the paths of now; None if it or the summary is missing or damaged.

    root: folder of the dataset.
    """
    try:
        records = read_records(paths.records, MAKE)
        return records.moved(Path(read_summary(paths.data_summary, MAKE).root), root)
    except UserError:
        return None


def _refuse(findings: list[Finding], paths: Paths) -> None:
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        more = f" ({len(errors) - 1} more: sorn data check {paths.dataset})" if len(errors) > 1 else ""
        raise UserError(errors[0].wrong, errors[0].remedy + more)


def _mendable(finding: Finding, manifest: Manifest) -> Finding:
    """Finding with the remedy of a rendered image: it can be rendered again."""
    again = "Delete this file: it is rendered again."
    return dataclasses.replace(finding, remedy=again) if manifest.rendered else finding


def _read_files(records: RecordTable, run: Run, workers: int) -> RecordTable:
    """The images with their files. New contents are read and decoded, the others keep their known properties."""
    known, paths = _known(run.paths, run.root), records.paths
    rows = _rows_of(digest_files(paths), known)
    unread = np.flatnonzero(rows < 0)
    first = unread[first_equal(paths.at(unread))]  # of the images in one file
    shared = {row: FileValues(0, 0, "", 0, 0) for row in first[first != unread].tolist()}
    errors: list[UserError] = []

    def values() -> Iterator[FileValues]:
        firsts = map(int, first)
        for number, row in enumerate(map(int, rows)):
            if row >= 0:
                assert known is not None
                yield known.file_values(row)._replace(mtime_ns=os.stat(paths[number]).st_mtime_ns)
                continue
            source = next(firsts)
            file = shared[source] if source != number else _file_values(next(results), errors)
            if number in shared:
                shared[number] = file
            yield file

    with closing(read_all(read_file, paths.at(unread[first == unread]), "data", workers)) as results:
        found = records.with_files(values())
        next(results, None)  # so that the last image is counted
    _refuse([_mendable(finding, run.manifest) for finding in broken_files(errors)], run.paths)
    return found


def _file_values(result: ImageFile | UserError, errors: list[UserError]) -> FileValues:
    """Values of a file that was read; an error is added to the others."""
    if isinstance(result, UserError):
        errors.append(result)
        return FileValues(0, 0, "", 0, 0)
    return FileValues(*dataclasses.astuple(result))


def _rows_of(contents: DigestColumn, known: RecordTable | None) -> np.ndarray:
    """Row of each content among known files, int [N]; -1 for a new content."""
    rows = np.full(len(contents), -1)
    if known is None or not len(known):
        return rows
    digests = known.digests
    keys, wanted = digests.numbers, contents.numbers
    order = np.argsort(keys)
    places = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
    for number in np.flatnonzero(keys[places] == wanted).tolist():
        if digests[int(places[number])] == contents[number]:
            rows[number] = places[number]
    return rows
