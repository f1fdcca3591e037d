"""Evaluation of the val split during a training."""

from __future__ import annotations

import dataclasses
import logging
import math

import numpy as np
import torch

from pipeline.datasets.manifest import QUERY_SPLITS
from pipeline.errors import UserError
from pipeline.evaluation.scores import check_answerable
from pipeline.runs.run import Run
from pipeline.shards.dataset import ShardDataset
from sorn import engine, matching, metrics
from sorn.features import FeatureBank
from sorn.network import SORN
from sorn.rules import Rule, of_paper

logger = logging.getLogger(__name__)

UNUSABLE = (
    "train: the features of the val split are not finite yet; if that goes on, lower the rate (--set "
    "schedule.base_lr=...) or compute in fp32 (--set train.precision=fp32)"
)
QUERY, GALLERY = "val_query", QUERY_SPLITS["val_query"]


class Validation:
    """Evaluation of a network on the val split.

    Uses the paper's fullest variant of matching that the network has. Raises UserError for a dataset without val split,
    and if no query of it has a match.
    """

    def __init__(self, run: Run) -> None:
        self.config, paths = run.config.eval, run.paths
        model = run.config.model
        if not (model.local_branch or model.global_branch):
            every = run.config.train.validate_every
            wrong = (
                f"train.validate_every = {every} needs features, and a network with only the semantic branch has none"
            )
            raise UserError(wrong, "Train it with --set train.validate_every=0.")
        try:
            self.query, self.gallery = (ShardDataset(paths.shard_index, split) for split in (QUERY, GALLERY))
        except UserError as error:
            wrong = f"train.validate_every asks for the val split of {paths.dataset}: {error.wrong}"
            remedy = "Hold pids out for it in the manifest, or train with --set train.validate_every=0."
            raise UserError(wrong, remedy) from error
        protocol = run.manifest.find_protocol("default")
        protocol = dataclasses.replace(protocol, query_prefix=f"{QUERY}/", gallery_prefix=f"{GALLERY}/")
        check_answerable(paths.dataset, protocol, self.query, self.gallery, run.names)

    def figures(self, model: SORN, device: torch.device, precision: str) -> dict[str, float]:
        """mAP and rank-1, fractions in [0, 1].

        nan, with a warning, for features that are not finite: the statistics of batch normalisation may need more
        epochs.
        """
        query, gallery = (self._bank(model, data, device, precision) for data in (self.query, self.gallery))
        if not all(np.isfinite(values).all() for bank in (query, gallery) for values in bank.features):
            logger.warning(UNUSABLE)
            return {"mAP": math.nan, "rank-1": math.nan}
        relevant = metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
        rule = Rule(of_paper(query), self.config.tau)
        blocks = ((rows, similarity) for rows, (similarity,) in matching.similarity_blocks(query, gallery, [rule]))
        scores = metrics.evaluate(blocks, relevant, self.config.average_precision)
        return {"mAP": scores.mean_ap, "rank-1": scores.rank(1)}

    def _bank(self, model: SORN, data: ShardDataset, device: torch.device, precision: str) -> FeatureBank:
        size = self.config.batch_size
        batches = (data.__getitems__(range(first, min(first + size, len(data)))) for first in range(0, len(data), size))
        features = engine.extract_features(model, batches, device, precision)
        return FeatureBank.of(features, data.pid, data.camid, data.name)
