"""Stage 3: reads a checkpoint and the query and gallery shards, writes features.h5, report.json, .md, .html, pictures.

Features depend on the checkpoint, the images and the joints stored with them alone: another threshold, protocol,
picture or way to pick stripes starts from features.h5. Only a new external segmenter looks at the images again.
Ranks of torchrun share what the network does; matching and the report are for the first one.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import QUERY_SPLITS, Protocol, load_manifest
from pipeline.datasets.records import read_rows
from pipeline.datasets.summary import read_summary
from pipeline.errors import UserError
from pipeline.features.external_segmenter import Segmenter, find_segmenter
from pipeline.runs import stamp
from pipeline.runs.config import Config, as_json
from pipeline.runs.find import describe
from pipeline.runs.layout import Paths

logger = logging.getLogger(__name__)

NAME = "eval"
VERSION = 4

POSE = "pose"  # among what the masks stage provides: the digest of its joints, if it looked for any
QUERY_SPLIT = {"test": "query", "val": "val_query"}


def settings(config: Config, paths: Paths) -> dict[str, Any]:
    options = as_json(config.eval)
    del options["segmenter"]  # where it lies changes nothing; what it is, is an input
    return {"eval": options, "protocol": dataclasses.asdict(_protocol(config, paths))}


def inputs(config: Config, paths: Paths) -> dict[str, str]:
    stamps = {}
    for stage in ("data", "masks", "train"):
        found = stamp.read(paths.folder(stage))
        if found is None:
            dataset = paths.trained_on if stage == "train" and paths.trained_on else paths.dataset
            wrong = f"the {stage} stage of {dataset} has not finished: no stamp in {paths.folder(stage)}"
            raise UserError(wrong, f"Run: make {stage} DATASET={dataset}")
        stamps[stage] = found
    digests = {name: stamps["data"].provided(name) for name in ("manifest", "records")}
    digests["checkpoint"] = stamps["train"].provided("checkpoint")
    masks = stamps["masks"].provides
    for split in _splits(config):
        if split not in masks:
            stored = ", ".join(sorted(masks.keys() - {POSE}))
            raise UserError(f"{paths.dataset} has no images of split '{split}'", f"It has: {stored}; see eval.split.")
        digests[f"images of {split}"] = masks[split]
    if config.eval.visibility == "pose":
        if POSE not in masks:
            wrong = f"eval.visibility = pose needs joints, and the shards in {paths.folder('masks')} hold none"
            options = "--set masks.pose=joints --set eval.visibility=pose"
            raise UserError(wrong, f"Run: make eval DATASET={paths.dataset} ARGS='{options}', or with keypoint_rcnn.")
        digests[POSE] = masks[POSE]
    segmenter = _segmenter(config)
    if segmenter is not None:
        digests["segmenter"] = segmenter.sha256
    return digests


def run(config: Config, paths: Paths, fingerprint: str) -> Path:
    # torch takes seconds to import, and `sorn status` imports this module
    from pipeline.evaluation.evaluate import EvaluatedImages, evaluate
    from pipeline.evaluation.origin import read_origin
    from pipeline.evaluation.scores import check_answerable
    from pipeline.features.extraction import features
    from pipeline.reports.evaluation.build import write_report
    from pipeline.reports.evaluation.text import terminal_lines
    from pipeline.runtime.device import pick_device
    from pipeline.shards.dataset import ShardDataset

    protocol = _protocol(config, paths)
    query, gallery = (ShardDataset(paths.shard_index, split) for split in _splits(config))
    check_answerable(paths.dataset, protocol, query, gallery)
    trained = describe(paths.folder("train"))
    _require_features(config, paths, trained["model"])
    banks = features(config, paths, trained, query, gallery, _segmenter(config))
    if banks is None:  # another rank has them, and reports
        return paths.report_html
    manifest = load_manifest(paths.dataset)
    root = Path(read_summary(paths.data_summary, paths.dataset)["root"])
    images = EvaluatedImages(banks, query, gallery, ExactMasks(manifest, root, read_rows(paths.records, paths.dataset)))
    origin = read_origin(config, paths, manifest, trained)
    result = evaluate(images, origin, protocol, config.eval, pick_device(config.runtime.device))
    write_report(result, paths)
    logger.info("\n".join(terminal_lines(result.report)))
    return paths.report_html


def outputs(paths: Paths) -> list[Path]:
    files = [paths.features, paths.query_results, paths.report_json, paths.report_md, paths.report_html]
    return [*files, *sorted(paths.pictures.glob("*.png"))]


def provides(paths: Paths) -> dict[str, str]:
    return {}


def _segmenter(config: Config) -> Segmenter | None:
    return find_segmenter(Path(config.eval.segmenter)) if config.eval.segmenter else None


def _require_features(config: Config, paths: Paths, model: dict[str, Any]) -> None:
    """Raise UserError for a network that has nothing to match, or no stripes for a segmenter to pick."""
    if not model["local_branch"] and not model["global_branch"]:
        raise UserError(
            f"the network in {paths.folder('train')} is a segmenter alone: it has no features to match",
            "Let it pick the stripes of another network: --set eval.visibility=segmenter --set eval.segmenter=FOLDER, "
            "a copy of that folder.",
        )
    if config.eval.segmenter and not model["local_branch"]:
        raise UserError(
            f"the network in {paths.folder('train')} has no local branch, and so no stripes for eval.segmenter to pick",
            "Evaluate it without, or train it with --set model.local_branch=true.",
        )


def _splits(config: Config) -> tuple[str, str]:
    query = QUERY_SPLIT[config.eval.split]
    return query, QUERY_SPLITS[query]


def _protocol(config: Config, paths: Paths) -> Protocol:
    """The manifest's protocol of that name, with the options that replace its own."""
    protocol = load_manifest(paths.dataset).find_protocol(config.eval.protocol)
    if config.eval.shots:
        protocol = dataclasses.replace(protocol, shots=config.eval.shots, trials=config.eval.trials)
    if config.eval.split == "test":
        return protocol
    if config.eval.protocol != "default":
        raise UserError(
            f"eval.protocol = '{protocol.name}' belongs to the test split, but eval.split = '{config.eval.split}'",
            "Leave eval.protocol at default, or evaluate with --set eval.split=test.",
        )
    query, gallery = _splits(config)
    text = "every validation query against the validation gallery"
    return dataclasses.replace(protocol, description=text, query_prefix=f"{query}/", gallery_prefix=f"{gallery}/")
