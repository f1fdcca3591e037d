"""Stage `labeler`: training of DANet on ground truth.

Reads the split `labeler`, images with part masks; writes danet.safetensors. Only LABELER=danet without a weights file
needs it (see `chain` in the driver). The split belongs to SynPed or to a CSV dataset, for example one that `sorn data
coco` makes from DensePose-COCO.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.ground_truth import require_own
from pipeline.datasets.manifest import mask_path
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.runs.inputs import OUTSIDE, Input, initial_weights
from pipeline.runs.run import Run
from pipeline.runs.shipped import known_networks
from pipeline.runs.stored_options import as_json
from pipeline.training.imagenet import IMAGENET, imagenet_setting

NAME = "labeler"
VERSION = 2
SPLIT = "labeler"


def settings(run: Run) -> Mapping[str, object]:
    options = as_json(run.config.danet)
    init, described = initial_weights("danet.init", run.config.danet.init), run.paths.settled.labeler_config
    options["init"] = imagenet_setting(run.config.danet.backbone, described) if init == IMAGENET else init
    return options


def inputs(run: Run) -> list[Input]:
    records = run.finished("data").provided("records")
    masks = files_digest(run.root, _pairs(run)[1])
    return [Input("data", "records", records), Input(OUTSIDE, "mask files", masks)]


def run(run: Run, fingerprint: str) -> Path:
    from pipeline.training.danet import LabelerTraining  # torch takes seconds to import

    LabelerTraining(run.config, run.paths, fingerprint, *_pairs(run)).run()
    return run.paths.labeler_checkpoint


def finish(run: Run, checkpoint: Path) -> Path:
    return checkpoint


def outputs(run: Run) -> list[Path]:
    return [run.paths.labeler_checkpoint, run.paths.labeler_config]


def provides(run: Run) -> dict[str, str]:
    return {"checkpoint": digest_file(run.paths.labeler_checkpoint)}


def _pairs(run: Run) -> tuple[list[ImageRecord], list[Path]]:
    """Images of the split and their masks. Raises UserError if there are none."""
    records = list(run.records.of_split(SPLIT))
    if not records:
        raise UserError(
            f"{run.paths.dataset} has no split '{SPLIT}', and so no part masks to train DANet on",
            "Train it elsewhere (make labeler DATASET=synped) and give the file: "
            f"--set masks.options.weights=runs/synped/labeler/danet.safetensors. {known_networks()}",
        )
    masks = [mask_path(run.manifest, run.root, record) for record in records]
    missing = [mask for mask in masks if not mask.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(records)} images of the split '{SPLIT}' have no mask, first {missing[0]}",
            "Put the masks there, or give their place in the manifest (masks = ...).",
        )
    require_own(records, list(map(str, masks)))
    return records, masks
