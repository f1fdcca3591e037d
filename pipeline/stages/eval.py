"""Stage 3: reads a checkpoint and the query and gallery shards, writes features.h5, report.json, report.md, pictures.

Features depend on the checkpoint and the images alone: another threshold, protocol or picture starts from features.h5.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from pipeline import feature_store, stamp
from pipeline.config import Config, as_json
from pipeline.errors import UserError
from pipeline.layout import Paths
from pipeline.manifest import QUERY_SPLITS, Protocol, load_manifest
from pipeline.progress import progress
from sorn.features import FeatureBank

if TYPE_CHECKING:  # torch takes seconds to import, and `sorn status` imports this module
    from pipeline.shard_dataset import ShardDataset
    from sorn.batch import Batch

NAME = "eval"
VERSION = 1

QUERY_SPLIT = {"test": "query", "val": "val_query"}

EXAMPLES = 256
# Queries whose maps and parts are kept for pictures and part scores; drawn at random, whatever the protocol.
EXTRACTION_VERSION = 1
# Of what features.h5 holds for a given checkpoint and images.


def settings(config: Config, paths: Paths) -> dict[str, Any]:
    return {"eval": as_json(config.eval), "protocol": dataclasses.asdict(_protocol(config, paths))}


def inputs(config: Config, paths: Paths) -> dict[str, str]:
    stamps = {stage: stamp.read(paths.folder(stage)) for stage in ("data", "masks", "train")}
    for stage, found in stamps.items():
        if found is None:
            dataset = paths.trained_on if stage == "train" and paths.trained_on else paths.dataset
            wrong = f"the {stage} stage of {dataset} has not finished: no stamp in {paths.folder(stage)}"
            raise UserError(wrong, f"Run: make {stage} DATASET={dataset}")
    data, masks, train = (found.provides for found in stamps.values() if found is not None)
    digests = {"manifest": data["manifest"], "records": data["records"], "checkpoint": train["checkpoint"]}
    for split in _splits(config):
        if split not in masks:
            stored = ", ".join(sorted(masks))
            raise UserError(f"{paths.dataset} has no images of split '{split}'", f"It has: {stored}; see eval.split.")
        digests[f"images of {split}"] = masks[split]
    return digests


def run(config: Config, paths: Paths, fingerprint: str) -> Path:
    from pipeline.report.build import build_report
    from pipeline.report.document import terminal_lines
    from pipeline.report.scores import check_answerable
    from pipeline.shard_dataset import ShardDataset

    protocol = _protocol(config, paths)
    query, gallery = (ShardDataset(paths.shard_index, split) for split in _splits(config))
    check_answerable(paths.dataset, protocol, query, gallery)
    trained = json.loads(paths.train_config.read_text(encoding="utf-8"))
    banks = _features(config, paths, trained, query, gallery)
    report = build_report(config, paths, protocol, banks, trained, query, gallery)
    click.echo("\n".join(terminal_lines(report)))
    return paths.report_md


def outputs(paths: Paths) -> list[Path]:
    return [paths.features, paths.report_json, paths.report_md, *sorted(paths.pictures.glob("*.png"))]


def provides(paths: Paths) -> dict[str, str]:
    return {}


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


def _features(
    config: Config, paths: Paths, trained: dict[str, Any], query: ShardDataset, gallery: ShardDataset
) -> feature_store.Banks:
    """features.h5, extracted now unless it was already, from this checkpoint and these images."""
    size = tuple(trained["image_size"])
    if size != query.image_size:
        raise UserError(
            f"the network was trained on images of {size[0]}x{size[1]}, the shards in {paths.folder('masks')} are "
            f"{query.image_size[0]}x{query.image_size[1]}",
            f"Run: make masks DATASET={paths.dataset} ARGS='--set masks.image_size=[{size[0]},{size[1]}]'",
        )
    checkpoint = stamp.digest_file(paths.checkpoint)
    images = [data.index.splits[data.split].digest for data in (query, gallery)]
    fingerprint = stamp.digest_json([EXTRACTION_VERSION, checkpoint, images, config.eval.precision, EXAMPLES])
    kept = _kept_features(paths, fingerprint)
    if kept is not None:
        return kept
    banks, examples, precision = _extract(config, paths, trained, query, gallery)
    made_from = json.dumps({"model": trained["model"], "precision": precision}, sort_keys=True)
    attrs = {"fingerprint": fingerprint, "checkpoint_sha256": checkpoint, "config": made_from}
    feature_store.write_banks(paths.features, *banks, attrs, examples)
    return feature_store.read_banks(paths.features)


def _kept_features(paths: Paths, fingerprint: str) -> feature_store.Banks | None:
    """The features already there, if they are these; a damaged file is named and counts as absent."""
    if not paths.features.is_file():
        return None
    try:
        if feature_store.read_attrs(paths.features).get("fingerprint") != fingerprint:
            return None
        banks = feature_store.read_banks(paths.features)
    except UserError as error:
        click.echo(f"eval: {error.wrong}; extracting anew", err=True)
        return None
    click.echo(f"eval: {paths.features} holds the features of this checkpoint and these images; not extracting again")
    return banks


def _extract(
    config: Config, paths: Paths, trained: dict[str, Any], query: ShardDataset, gallery: ShardDataset
) -> tuple[tuple[FeatureBank, FeatureBank], feature_store.Examples, str]:
    """Both banks, what the network sees in some queries, and the precision it computed in."""
    import torch

    from pipeline import checkpoints
    from sorn import engine
    from sorn.config import SORNConfig
    from sorn.network import SORN

    try:
        device = engine.pick_device(config.runtime.device)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"device '{config.runtime.device}' cannot be used: {error}", "Use --device cpu.") from error
    precision = engine.pick_precision(config.eval.precision, device)
    model = SORN(SORNConfig(**trained["model"]))
    checkpoints.load_weights(paths.checkpoint, model)
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def batches(data: ShardDataset, chosen: list[int], label: str) -> Iterator[Batch]:
        """Read here and not in workers: a shard gives thousands of images per second, the network takes them slower."""
        size = config.eval.batch_size
        read = (data.__getitems__(chosen[start : start + size]) for start in range(0, len(chosen), size))
        return progress(read, len(chosen), label, step=size)

    def bank(data: ShardDataset) -> FeatureBank:
        everything = batches(data, list(range(len(data))), f"features of {data.split}")
        features = engine.extract_features(model, everything, device, precision)
        return FeatureBank(*features, data.pid, data.camid, data.name)

    chosen = sorted(np.random.default_rng(0).permutation(len(query))[:EXAMPLES].tolist())
    seen = [engine.explain(model, batch, device, precision) for batch in batches(query, chosen, "maps and parts")]
    maps, parts = (np.concatenate(field) for field in zip(*seen, strict=True))
    examples = feature_store.Examples(query.name[chosen], maps.astype(np.float16), parts)
    return (bank(query), bank(gallery)), examples, precision
