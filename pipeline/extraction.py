"""The work of stage 3 that needs the network: checkpoint and shards -> features.h5, extracted once.

Features depend on the checkpoint, the images and the joints stored with them alone: another threshold, protocol,
picture or way to pick stripes starts from features.h5. An external segmenter, where one is asked for, adds its scores
to the features that are there; they stay until another one is asked for or the features are extracted anew.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
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
from pipeline.segmenter import Segmenter
from pipeline.shard_dataset import ShardDataset
from sorn import engine
from sorn.batch import Batch
from sorn.config import SORNConfig
from sorn.features import FeatureBank
from sorn.network import SORN
from sorn.pose import stripe_visibility
from sorn.segmenter import visible_stripes

EXAMPLES = 256
# Queries whose maps and parts are kept for pictures and part scores; drawn at random, whatever the protocol.
EXTRACTION_VERSION = 2
# Of what features.h5 holds for a given checkpoint and images.


def features(
    config: Config,
    paths: Paths,
    trained: dict[str, Any],
    query: ShardDataset,
    gallery: ShardDataset,
    segmenter: Segmenter | None = None,
) -> feature_store.Banks:
    """features.h5, extracted now unless it was already, from this checkpoint and these images; with the scores of the
    segmenter, if there is one.
    """
    size = tuple(trained["image_size"])
    if size != query.image_size:
        raise UserError(
            f"the network was trained on images of {size[0]}x{size[1]}, the shards in {paths.folder('masks')} are "
            f"{query.image_size[0]}x{query.image_size[1]}",
            f"Run: make masks DATASET={paths.dataset} ARGS='--set masks.image_size=[{size[0]},{size[1]}]'",
        )
    if segmenter is not None:
        segmenter.require_size(query.image_size)
    checkpoint = stamp.digest_file(paths.checkpoint)
    splits = [data.index.splits[data.split] for data in (query, gallery)]
    images = [split.digest for split in splits]
    joints = [] if query.index.pose is None else [split.detection_digest for split in splits]
    fingerprint = stamp.digest_json([EXTRACTION_VERSION, checkpoint, images, joints, config.eval.precision, EXAMPLES])
    banks = _kept_features(paths, fingerprint)
    if banks is None:
        attrs = {"fingerprint": fingerprint, "checkpoint_sha256": checkpoint}
        banks = _extract(config, paths, trained, query, gallery, attrs)
        _write(paths, banks)
    if segmenter is not None and not segmenter.made(banks.attrs):
        banks = _segment(config, segmenter, query, gallery, banks)
        _write(paths, banks)
    return banks


def _write(paths: Paths, banks: feature_store.Banks) -> None:
    feature_store.write_banks(paths.features, banks.query, banks.gallery, banks.attrs, banks.examples)


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
    config: Config,
    paths: Paths,
    trained: dict[str, Any],
    query: ShardDataset,
    gallery: ShardDataset,
    attrs: dict[str, str],
) -> feature_store.Banks:
    """Both banks, and what the network sees in some queries. attrs: what they are made from, as far as it is known."""
    device, size = pick_device(config.runtime.device), config.eval.batch_size
    precision = engine.pick_precision(config.eval.precision, device)
    model = _network(paths.checkpoint, trained["model"], device)

    def bank(data: ShardDataset) -> FeatureBank:
        everything = _batches(data, range(len(data)), size, f"features of {data.split}")
        extracted = engine.extract_features(model, everything, device, precision)
        stripes = extracted[1].shape[1]
        pose = None if data.index.pose is None else stripe_visibility(data.keypoints, stripes)
        return FeatureBank(*extracted, data.pid, data.camid, data.name, pose)

    chosen = sorted(np.random.default_rng(0).permutation(len(query))[:EXAMPLES].tolist())
    shown = _batches(query, chosen, size, "maps and parts")
    seen = [engine.explain(model, batch, device, precision) for batch in shown]
    maps, parts = (np.concatenate(field) for field in zip(*seen, strict=True))
    examples = feature_store.Examples(query.name[chosen], maps.astype(np.float16), parts)
    made_from = json.dumps({"model": trained["model"], "precision": precision}, sort_keys=True)
    return feature_store.Banks(bank(query), bank(gallery), {**attrs, "config": made_from}, examples)


def _segment(
    config: Config, segmenter: Segmenter, query: ShardDataset, gallery: ShardDataset, banks: feature_store.Banks
) -> feature_store.Banks:
    """The banks with the segmenter's scores of their stripes."""
    device, size = pick_device(config.runtime.device), config.eval.batch_size
    precision = engine.pick_precision(config.eval.precision, device)
    model = _network(segmenter.weights, segmenter.about["model"], device)

    def scored(bank: FeatureBank, data: ShardDataset) -> FeatureBank:
        everything = _batches(data, range(len(data)), size, f"stripes of {data.split}")
        scores = visible_stripes(model, everything, bank.local.shape[1], device, precision)
        return dataclasses.replace(bank, segmenter=scores)

    attrs = {**banks.attrs, "segmenter": segmenter.describe(precision)}
    return feature_store.Banks(scored(banks.query, query), scored(banks.gallery, gallery), attrs, banks.examples)


def _network(weights: Path, model: dict[str, Any], device: torch.device) -> SORN:
    with torch.device("meta"):
        network = SORN(SORNConfig(**model))
    checkpoints.load_weights(weights, network)
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _batches(data: ShardDataset, chosen: Sequence[int], size: int, label: str) -> Iterator[Batch]:
    """Read here and not in workers: a shard gives thousands of images per second, the network takes them slower."""
    read = (data.__getitems__(chosen[start : start + size]) for start in range(0, len(chosen), size))
    return progress(read, len(chosen), label, step=size)
