"""The work of stage 3 that needs the network: checkpoint and shards -> features.h5, extracted once.

Features depend on the checkpoint, the images and the joints stored with them alone: another threshold, protocol,
picture or way to pick stripes starts from features.h5.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
import numpy as np
import torch

from pipeline import checkpoints, feature_store, stamp
from pipeline.config import Config
from pipeline.device import pick_device
from pipeline.errors import UserError
from pipeline.layout import Paths
from pipeline.progress import progress
from pipeline.shard_dataset import ShardDataset
from sorn import engine
from sorn.batch import Batch
from sorn.config import SORNConfig
from sorn.features import FeatureBank
from sorn.network import SORN
from sorn.pose import stripe_visibility

EXAMPLES = 256
# Queries whose maps and parts are kept for pictures and part scores; drawn at random, whatever the protocol.
EXTRACTION_VERSION = 2
# Of what features.h5 holds for a given checkpoint and images.


def features(
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
    splits = [data.index.splits[data.split] for data in (query, gallery)]
    images = [split.digest for split in splits]
    joints = [] if query.index.pose is None else [split.detection_digest for split in splits]
    fingerprint = stamp.digest_json([EXTRACTION_VERSION, checkpoint, images, joints, config.eval.precision, EXAMPLES])
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
    device = pick_device(config.runtime.device)
    precision = engine.pick_precision(config.eval.precision, device)
    with torch.device("meta"):
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
        extracted = engine.extract_features(model, everything, device, precision)
        stripes = extracted[1].shape[1]
        pose = None if data.index.pose is None else stripe_visibility(data.keypoints, stripes)
        return FeatureBank(*extracted, data.pid, data.camid, data.name, pose)

    chosen = sorted(np.random.default_rng(0).permutation(len(query))[:EXAMPLES].tolist())
    seen = [engine.explain(model, batch, device, precision) for batch in batches(query, chosen, "maps and parts")]
    maps, parts = (np.concatenate(field) for field in zip(*seen, strict=True))
    examples = feature_store.Examples(query.name[chosen], maps.astype(np.float16), parts)
    return (bank(query), bank(gallery)), examples, precision
