"""Frozen layers of a training, and norms synchronised between processes."""

from __future__ import annotations

from pipeline.errors import UserError
from pipeline.runs.config import TrainConfig
from sorn.network import SORN
from sorn.sync_batchnorm import synchronised


def prepare_layers(model: SORN, options: TrainConfig, processes: int) -> None:
    """Layers of a network as `train.early`, `train.norms` and `train.batch_norm` ask for.

    Call it when the network is on its device, with its initial weights. Raises UserError for norms of a backbone that
    cannot be synchronised; frozen ones need not be.
    """
    started = options.init != "none"  # random layers are nothing to keep
    if started and options.early == "frozen":
        model.backbone.freeze_early()
    if started and options.norms == "frozen":
        model.backbone.freeze_norms()
    if options.batch_norm == "local" or processes == 1:
        return
    for branch in model.children():
        try:
            synchronised(branch, kept=model.backbone.frozen)
        except ValueError as error:
            wrong = f"train.batch_norm = sync, and in {model.config.backbone} {error}"
            raise UserError(wrong, "Use --set train.batch_norm=local, or another backbone.") from error
