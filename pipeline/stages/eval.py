"""Stage `eval`: features, figures and report of a checkpoint.

Reads a checkpoint and the shards of query and gallery, and those of the validation split, by which thresholds are
chosen, unless a calibration tells these already. Writes features.h5, report.json, .md, .html, calibration.json and
pictures; the calibration also beside the checkpoint, where that is of the same run.
Features depend only on the checkpoint, the images and their keypoints. So another threshold, protocol, picture or
source of visibility scores starts from features.h5. Only a new external segmenter reads the images again. The processes
of torchrun share the work of the network; process 0 does the matching and writes the report.
"""

from __future__ import annotations

import dataclasses
import logging
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import QUERY_SPLITS, Protocol
from pipeline.datasets.tracks import track_of
from pipeline.errors import UserError
from pipeline.features.external_segmenter import find_segmenter
from pipeline.features.int8.record import RECORD, require_cpu, require_packages, require_shards
from pipeline.io.files import digest_file
from pipeline.io.text import parse_json
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.config import EvalConfig
from pipeline.runs.inputs import OUTSIDE, POSE, Input
from pipeline.runs.layout import INT8_FOLDER, VAL_FEATURES, Paths
from pipeline.runs.run import Run
from pipeline.runs.shipped import require_sound_folder
from pipeline.runs.stamp import Stamp
from pipeline.runs.stored_options import as_json
from pipeline.runtime.arithmetic import INT8
from pipeline.runtime.threads import use_all_cores

if TYPE_CHECKING:
    from pipeline.evaluation.calibration import Calibration
    from pipeline.evaluation.evaluate import EvaluatedImages
    from pipeline.evaluation.scores import BankPair

logger = logging.getLogger(__name__)

NAME = "eval"
VERSION = 4

QUERY_SPLIT = {"test": "query", "val": "val_query"}


def settings(run: Run) -> Mapping[str, object]:
    options = as_json(run.config.eval)
    del options["segmenter"]  # its path does not change the result; its digest is an input
    return {"eval": options, "protocol": dataclasses.asdict(_protocol(run))}


def check(run: Run) -> None:
    """Check of the options before the other stages do their work.

    Raises UserError for an unknown protocol, visibility scores of keypoints that no shard will have, a segmenter that
    is not there, and int8 without its packages or on a GPU.
    """
    options = run.config.eval
    _protocol(run)
    find_segmenter(options.segmenter)
    if options.precision == INT8:
        require_cpu(run.runtime.device)
        if not (run.paths.folder("train") / INT8_FOLDER / RECORD).is_file():
            require_packages()
            if run.paths.trained_on:
                require_shards(run.paths.folder("train"))
    if options.visibility == "pose" and run.config.masks.keypoints == "none":
        raise UserError(
            "eval.visibility = pose needs keypoints, and masks.keypoints = none",
            "Find them with --set masks.keypoints=joints, keypoint_rcnn or blazepose, or use "
            "--set eval.visibility=network.",
        )
    if options.visibility == "segmenter" and not run.paths.trained_on and not run.config.model.local_branch:
        raise UserError(
            "eval.visibility = segmenter scores stripes, and model.local_branch = false has none",
            "Leave one of them out.",
        )


def inputs(run: Run) -> list[Input]:
    data, masks, train = (run.finished(stage) for stage in ("data", "masks", "train"))
    found = [Input("data", key, data.provided(key)) for key in ("manifest", "records")]
    found.append(Input("train", "checkpoint", train.provided("checkpoint")))
    if run.paths.trained_on:
        _require_whole(run.paths, train)
    options, dataset = run.config.eval, run.paths.dataset
    for split in _splits(options):
        if split not in masks.provides:
            stored = ", ".join(sorted(masks.provides.keys() - {POSE}))
            raise UserError(f"{dataset} has no images of split '{split}'", f"It has: {stored}; see eval.split.")
        found.append(Input("masks", split, masks.provides[split]))
    found += [Input("masks", split, masks.provides[split]) for split in _val_splits(options, masks.provides)]
    if options.visibility == "pose":
        if POSE not in masks.provides:
            wrong = f"eval.visibility = pose needs keypoints, and the shards in {run.paths.folder('masks')} have none"
            again = run.command.adding(("masks.keypoints=joints",)).make("eval")
            raise UserError(wrong, f"Run: {again}; or with keypoint_rcnn or blazepose in place of joints.")
        found.append(Input("masks", POSE, masks.provides[POSE]))
    if options.tracks:
        found.append(Input("data", "tracks", _tracks_digest(run, data)))
    segmenter = find_segmenter(options.segmenter)
    if segmenter is not None:
        found.append(Input(OUTSIDE, "segmenter", segmenter.sha256))
    return found


def run(run: Run, fingerprint: str) -> tuple[CheckpointInfo, EvaluatedImages | None]:
    """Extract the features.

    Raises UserError if no query has a match, and for a network without features.
    """
    from pipeline.evaluation.evaluate import EvaluatedImages, select_pair
    from pipeline.evaluation.fitting_network import require_fitting
    from pipeline.evaluation.scores import check_answerable
    from pipeline.evaluation.threshold_source import find_threshold_source
    from pipeline.features.extraction import Extraction  # torch takes seconds to import
    from pipeline.runtime.device import pick_device
    from pipeline.shards.dataset import ShardDataset
    from sorn.tracks import track_bank

    options = run.config.eval
    device, folder = run.runtime.device, run.paths.folder("train")
    query, gallery = (ShardDataset(run.paths.shard_index, split) for split in _splits(options))
    trained = describe(folder)
    require_fitting(run, trained, query.image_size)
    protocol = _protocol(run)
    check_answerable(run.paths.dataset, protocol, query, gallery, run.names)
    every = zip(run.records.names, run.records.sizes[:, ::-1].tolist(), strict=True) if options.place else ()
    sizes = {name: (height, width) for name, (height, width) in every}
    int8 = None
    if options.precision == INT8:
        from pipeline.features.int8.prepare import prepared

        require_cpu(device)
        int8 = prepared(folder, trained, digest_file(run.paths.checkpoint))
    banks = Extraction(run.paths, trained, query, gallery, options, device, sizes, int8=int8).banks()
    val, splits = None, _val_splits(options, query.index.splits)
    if splits:
        asked, ranked = (ShardDataset(run.paths.shard_index, split) for split in splits)
        chosen_by = Extraction(run.paths, trained, asked, ranked, options, device, sizes, VAL_FEATURES, 0, int8)
        val = find_threshold_source(chosen_by, run.manifest.name)
    if banks is None:
        return trained, None
    assert banks.examples is not None, "the extraction writes examples into every feature bank"
    masks, where = ExactMasks(run.manifest, run.root, run.records), pick_device(device)
    pair = select_pair(banks, protocol, options.visibility)
    if options.tracks:
        tracks = track_of(run.records)

        def averaged(sides: BankPair) -> BankPair:
            query_bank, gallery_bank = (track_bank(bank, tracks, options.tau, options.part_tau) for bank in sides)
            return query_bank, gallery_bank

        pair = averaged(pair)
        if val is not None and val.banks is not None:
            val = dataclasses.replace(val, banks=averaged(val.banks))
    images = EvaluatedImages(protocol, pair, banks.examples, banks.attrs, query, gallery, masks, where, val=val)
    return trained, dataclasses.replace(images, carried=_carried(run, banks.attrs))


def finish(run: Run, extracted: tuple[CheckpointInfo, EvaluatedImages]) -> Path:
    """Evaluation and its report."""
    from pipeline.evaluation.evaluate import evaluate
    from pipeline.evaluation.origin import read_origin
    from pipeline.reports.evaluation.build import write_report

    use_all_cores()
    trained, images = extracted
    result = evaluate(images, read_origin(run, trained), run.config.eval)
    write_report(result, run.paths, run.runtime.workers)
    _write_calibration(run, result.calibration, _int8_digest(images.attrs))
    return run.paths.report_html


def outputs(run: Run) -> list[Path]:
    paths = run.paths
    files = [paths.features, paths.query_results, paths.report_json, paths.report_md, paths.report_html]
    more = [path for path in (paths.val_features, paths.calibration) if path.is_file()]
    lists = [path for kind in ("*.js", "*.jpg") for path in sorted(paths.lists.glob(kind))]
    return [*files, *more, *sorted(paths.pictures.glob("*.png")), *lists]


def provides(run: Run) -> dict[str, str]:
    return {}


def _carried(run: Run, attrs: Mapping[str, str]) -> Calibration | None:
    """Calibration beside the checkpoint of another run; None without one that fits."""
    from pipeline.evaluation.calibration import beside_checkpoint, read_calibration

    path = beside_checkpoint(run.paths, run.config.eval)
    if not run.paths.trained_on or not path.is_file() or run.config.eval.tracks:
        return None
    try:
        found = read_calibration(path)
    except UserError as error:
        logger.warning(f"eval: {error}")
        return None
    same = (found.checkpoint_sha256, found.int8) == (attrs["checkpoint_sha256"], _int8_digest(attrs))
    fits = same and found.fits(run.config.eval)
    return found if fits else None


def _int8_digest(attrs: Mapping[str, str]) -> str:
    """Digest of the int8 network of features, "" in another precision. attrs: of the feature bank."""
    return str(parse_json(attrs["config"]).get("int8", ""))


def _write_calibration(run: Run, calibration: Calibration | None, int8: str) -> None:
    """Write the calibration into the evaluation and, for a checkpoint of the same run, beside it.

    There a search finds it, whose features are those of single pictures. int8: digest of the int8 network.
    """
    from pipeline.evaluation.calibration import beside_checkpoint, write_calibration

    paths, options = run.paths, run.config.eval
    paths.calibration.unlink(missing_ok=True)
    if calibration is None:
        return
    calibration = dataclasses.replace(calibration, int8=int8)
    write_calibration(paths.calibration, calibration)
    if not options.tracks and calibration.plain and not paths.trained_on:
        write_calibration(beside_checkpoint(paths, options), calibration)


def _tracks_digest(run: Run, data: Stamp) -> str:
    """Digest of the tracks. Raises UserError for a dataset without tracks."""
    if "tracks" not in data.provides:
        again = f"{run.command.make('data')} ARGS=--force"
        raise UserError(
            f"eval.tracks = true, and {run.paths.folder('data')} knows no tracks of {run.paths.dataset}",
            f"Give images their tracks in a column `track`. Is it there? Run: {again}; or --set eval.tracks=false.",
        )
    return data.provides["tracks"]


def _require_whole(paths: Paths, train: Stamp) -> None:
    """Raise UserError for the checkpoint of another run that is not the one of its stamp: no stage here looks at it."""
    path = paths.checkpoint
    require_sound_folder(path.parent)
    if path.is_file() and digest_file(path) != train.provided("checkpoint"):
        look = f"sorn verify {shlex.quote(str(paths.trained_on))} --runs {shlex.quote(str(paths.runs))}"
        raise UserError(f"{path} was changed after it was written", f"Copy it again, or make it again: {look}")


def _splits(options: EvalConfig) -> tuple[str, str]:
    query = QUERY_SPLIT[options.split]
    return query, QUERY_SPLITS[query]


def _val_splits(options: EvalConfig, stored: Collection[str]) -> tuple[str, ...]:
    """Splits by whose images thresholds are chosen; empty where they are reported or not there."""
    query = QUERY_SPLIT["val"]
    splits = (query, QUERY_SPLITS[query])
    return splits if options.split != "val" and all(split in stored for split in splits) else ()


def _protocol(run: Run) -> Protocol:
    """Protocol of the manifest, with the options that replace its values."""
    options = run.config.eval
    query, gallery = _splits(options)
    protocol = run.manifest.find_protocol(options.protocol)
    if options.shots:
        protocol = dataclasses.replace(protocol, shots=options.shots, trials=options.trials)
    if options.split == "test":
        return protocol
    if options.protocol != "default":
        raise UserError(
            f"eval.protocol = '{protocol.name}' belongs to the test split, but eval.split = '{options.split}'",
            "Leave eval.protocol at default, or evaluate with --set eval.split=test.",
        )
    text = "every validation query against the validation gallery"
    return dataclasses.replace(protocol, description=text, query_prefix=f"{query}/", gallery_prefix=f"{gallery}/")
