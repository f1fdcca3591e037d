"""Stage `labeler`: trains DANet on images with exact part masks. Reads the split `labeler`; writes danet.safetensors.

Only LABELER=danet without a weights file of its own needs it (see `needed`). The split is SynPed's, or that of a CSV
dataset, e.g. what `sorn data coco` makes of DensePose-COCO.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.datasets.manifest import load_manifest, mask_path
from pipeline.datasets.mask_files import listing_digest
from pipeline.datasets.records import ImageRecord, read_records
from pipeline.datasets.summary import read_summary
from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.runs import stamp
from pipeline.runs.config import Config, as_json
from pipeline.runs.layout import Paths

NAME = "labeler"
VERSION = 2
SPLIT = "labeler"


def settings(config: Config, paths: Paths) -> dict[str, Any]:
    options = as_json(config.danet)
    init = Path(config.danet.init)
    if init.suffix:
        if not init.is_file():
            raise UserError(f"danet.init = {init}: no such file", "Give a weights file, 'imagenet' or 'none'.")
        options["init"] = {"file": init.name, "sha256": digest_file(init)}
    return options


def inputs(config: Config, paths: Paths) -> dict[str, str]:
    before = stamp.read(paths.folder("data"))
    if before is None:
        wrong = f"the data stage has not finished in {paths.folder('data')}"
        raise UserError(wrong, f"Run: make data DATASET={paths.dataset}")
    masks = _pairs(paths)[1]
    return {"records": before.provided("records"), "mask files": listing_digest(_root(paths), masks)}


def run(config: Config, paths: Paths, fingerprint: str) -> Path:
    from pipeline.training.danet import LabelerTraining  # torch takes seconds to import

    LabelerTraining(config, paths, fingerprint, *_pairs(paths)).run()
    return paths.labeler_checkpoint


def outputs(paths: Paths) -> list[Path]:
    return [paths.labeler_checkpoint, paths.labeler_config]


def provides(paths: Paths) -> dict[str, str]:
    return {"checkpoint": digest_file(paths.labeler_checkpoint)}


def _root(paths: Paths) -> Path:
    return Path(read_summary(paths.data_summary, paths.dataset)["root"])


def _pairs(paths: Paths) -> tuple[list[ImageRecord], list[Path]]:
    """The images of the split and their masks. Raises UserError where there are none."""
    records = [record for record in read_records(paths.records, paths.dataset) if record.split == SPLIT]
    if not records:
        raise UserError(
            f"{paths.dataset} has no split '{SPLIT}': there are no part masks here to train DANet on",
            "Train it elsewhere (make labeler DATASET=synped) and give the file: "
            "--set masks.options.weights=runs/synped/labeler/danet.safetensors",
        )
    manifest, root = load_manifest(paths.dataset), _root(paths)
    masks = [mask_path(manifest, root, record) for record in records]
    missing = [mask for mask in masks if not mask.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(records)} images of the split '{SPLIT}' have no mask, first {missing[0]}",
            "Put the masks there, or say in the manifest where they are (masks = ...).",
        )
    return records, masks
