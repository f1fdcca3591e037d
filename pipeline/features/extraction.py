"""The work of stage 3 that needs the network: checkpoint and shards -> features.h5, extracted once.

Features depend on the checkpoint, the images and the joints stored with them alone: another threshold, protocol,
picture or way to pick stripes starts from features.h5. An external segmenter, where one is asked for, adds its scores
to the features that are there; they stay until another one is asked for or the features are extracted anew.

Both are made in parts (pipeline.features.chunks), which ranks of torchrun share and a killed run goes on from.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

import numpy as np
import torch

from pipeline.errors import UserError
from pipeline.features import store
from pipeline.features.chunks import FeatureParts, Seen
from pipeline.features.equal_pictures import unite_equal_pictures
from pipeline.features.external_segmenter import Segmenter
from pipeline.features.network import Inference
from pipeline.io.disk import require_space
from pipeline.io.files import digest_file, digest_json
from pipeline.io.hdf5 import HeldOpen
from pipeline.runs.config import Config, read_model
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed
from pipeline.runtime.progress import progress
from pipeline.shards.dataset import ShardDataset
from sorn import engine
from sorn.batch import Batch
from sorn.segmenter import visible_stripes

logger = logging.getLogger(__name__)

EXAMPLES = 256
# Queries whose maps and parts are kept for pictures and part scores; drawn at random, whatever the protocol.
EXTRACTION_VERSION = 3
# Of what features.h5 holds for a given checkpoint and images.
NAMED = 3  # images in a warning


def features(
    config: Config,
    paths: Paths,
    trained: dict[str, Any],
    query: ShardDataset,
    gallery: ShardDataset,
    segmenter: Segmenter | None = None,
) -> store.Banks | None:
    """features.h5, extracted now unless it was already, from this checkpoint and these images; with the scores of the
    segmenter, if there is one.

    Ranks share the work and part when it is done: the first one gets the banks, the others None.
    """
    _require_size(paths, trained, query, segmenter)
    checkpoint = digest_file(paths.checkpoint)
    splits = [data.index.splits[data.split] for data in (query, gallery)]
    images = [split.digest for split in splits]
    joints = [] if query.index.pose is None else [split.detection_digest for split in splits]
    fingerprint = digest_json([EXTRACTION_VERSION, checkpoint, images, joints, config.eval.precision, EXAMPLES])
    banks = _kept_features(paths, fingerprint) if distributed.here().number == 0 else None
    if not distributed.meet(said=banks is not None):
        attrs = {"fingerprint": fingerprint, "checkpoint_sha256": checkpoint}
        banks = _extract(config, paths, trained, query, gallery, attrs)
    if segmenter is not None and not distributed.meet(said=banks is not None and segmenter.made(banks.attrs)):
        banks = _segment(config, paths, segmenter, read_model(trained["model"]).stripes, query, gallery, banks)
    if banks is not None:
        _warn_of_zeros(paths, banks)
    distributed.meet()
    distributed.leave()
    if distributed.here().world > 1:
        torch.set_num_threads(
            distributed.cores() * distributed.here().local_world
        )  # the others end here: matching has their cores
    return banks


def _require_size(paths: Paths, trained: dict[str, Any], query: ShardDataset, segmenter: Segmenter | None) -> None:
    size = tuple(trained["image_size"])
    if size != query.image_size:
        raise UserError(
            f"the network was trained on images of {size[0]}x{size[1]}, the shards in {paths.folder('masks')} are "
            f"{query.image_size[0]}x{query.image_size[1]}",
            f"Run: make masks DATASET={paths.dataset} ARGS='--set masks.image_size=[{size[0]},{size[1]}]'",
        )
    if segmenter is not None:
        segmenter.require_size(query.image_size)


def _kept_features(paths: Paths, fingerprint: str) -> store.Banks | None:
    """The features already there, if they are these; a damaged file is named and counts as absent."""
    if not paths.features.is_file():
        return None
    try:
        if store.read_attrs(paths.features).get("fingerprint") != fingerprint:
            return None
        banks = store.read_banks(paths.features)
    except HeldOpen:
        raise
    except UserError as error:
        logger.warning(f"eval: {error.wrong}; extracting anew")
        return None
    logger.info(f"eval: {paths.features} holds the features of this checkpoint and these images; not extracting again")
    return banks


def _extract(
    config: Config,
    paths: Paths,
    trained: dict[str, Any],
    query: ShardDataset,
    gallery: ShardDataset,
    attrs: dict[str, str],
) -> store.Banks | None:
    """Both banks, and what the network sees in some queries. attrs: what they are made from, as far as it is known."""
    inference = Inference(paths.checkpoint, trained["model"], config.runtime.device, config.eval.precision)
    size = inference.batch_size(config.eval.batch_size)

    def look(data: ShardDataset, chosen: np.ndarray) -> Seen:
        batch = _read(data, chosen, inference)
        return engine.extract_features(inference.network, [batch], inference.device, inference.precision)

    computed = digest_json([attrs["fingerprint"], inference.precision, size])
    parts = FeatureParts(paths, computed, (query, gallery), "features")
    parts.make(inference, look, size)
    if distributed.here().number:
        return None
    unite_equal_pictures(parts.parts, size)
    examples = _examples(inference, query, size)
    made_from = json.dumps({"model": trained["model"], "precision": inference.precision}, sort_keys=True)
    require_space(paths.features, parts.bytes + examples.maps.nbytes + examples.parts.nbytes)
    rows = (parts.rows(query), parts.rows(gallery))
    store.join_banks(paths.features, *rows, {**attrs, "config": made_from}, examples)
    parts.remove()
    return store.read_banks(paths.features)


def _examples(inference: Inference, query: ShardDataset, size: int) -> store.Examples:
    """What the network sees in some queries, for pictures and part scores."""

    def explain(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batch = _read(query, chosen, inference)
        maps, parts = engine.explain(inference.network, batch, inference.device, inference.precision)
        return maps.astype(np.float16), parts

    chosen = np.sort(np.random.default_rng(0).permutation(len(query))[:EXAMPLES])
    batches = [(chosen[first : first + size],) for first in range(0, len(chosen), size)]
    seen = list(progress(inference.run(explain, batches), len(chosen), "maps and parts", step=size))
    maps, parts = (np.concatenate(field) for field in zip(*seen, strict=True))
    return store.Examples(query.name[chosen], maps, parts)


def _segment(
    config: Config,
    paths: Paths,
    segmenter: Segmenter,
    stripes: int,
    query: ShardDataset,
    gallery: ShardDataset,
    banks: store.Banks | None,
) -> store.Banks | None:
    """The banks with the segmenter's scores of their stripes, in features.h5 too. banks: None on other ranks."""
    inference = Inference(segmenter.weights, segmenter.about["model"], config.runtime.device, config.eval.precision)
    size = inference.batch_size(config.eval.batch_size)
    network, device, precision = inference.network, inference.device, inference.precision

    def look(data: ShardDataset, chosen: np.ndarray) -> Seen:
        """Scores alone: a bank without features, whose visibility is the segmenter's."""
        scores = visible_stripes(network, [_read(data, chosen, inference)], stripes, device, precision)
        return np.zeros((len(chosen), 0), np.float32), np.zeros((*scores.shape, 0), np.float32), scores

    images = [data.index.splits[data.split].digest for data in (query, gallery)]
    computed = digest_json([EXTRACTION_VERSION, segmenter.sha256, stripes, images, precision, size])
    parts = FeatureParts(paths, computed, (query, gallery), "stripes")
    parts.make(inference, look, size)
    if banks is None:
        return None
    scored = [
        dataclasses.replace(bank, segmenter=np.concatenate([part.visibility for part in parts.rows(data).pieces]))
        for bank, data in ((banks.query, query), (banks.gallery, gallery))
    ]
    attrs = {**banks.attrs, "segmenter": segmenter.describe(precision)}
    store.write_banks(paths.features, scored[0], scored[1], attrs, banks.examples)
    parts.remove()
    return store.Banks(scored[0], scored[1], attrs, banks.examples)


def _read(data: ShardDataset, chosen: np.ndarray, inference: Inference) -> Batch:
    return data.read(chosen, *data.empty(len(chosen), pin=inference.on_gpu))


def _warn_of_zeros(paths: Paths, banks: store.Banks) -> None:
    for side, bank in (("query", banks.query), ("gallery", banks.gallery)):
        names = bank.name[store.zero_images(bank)]
        if len(names):
            some = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
            logger.warning(
                f"eval: {paths.features}: the features of {len(names)} {side} images are zero, so these resemble "
                f"nobody: {some}"
            )
