"""Validation images of an evaluation, by which thresholds are chosen.

Reads and writes val-features.h5, reads calibration.json. A calibration records what it was made from. While that stays
the same, the calibration of the evaluation before, or the one beside the checkpoint, is taken as it is: the validation
images are neither extracted nor matched again.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass

import torch

from pipeline.errors import UserError
from pipeline.evaluation.calibration import SETTINGS, Calibration, beside_checkpoint, read_calibration
from pipeline.evaluation.pair_scores import PairTask, certainty, count_pairs
from pipeline.evaluation.scores import BankPair, seen_by
from pipeline.features.extraction import Extraction
from pipeline.io.files import digest_json
from pipeline.runs.config import EvalConfig
from pipeline.runtime import distributed

logger = logging.getLogger(__name__)

CALIBRATION_VERSION = 1
# Increased when a calibration changes for the same features and options.


@dataclass(frozen=True)
class ThresholdSource:
    """Validation images, or the calibration that they have given before.

    made_from: digest of all that the calibration depends on, "" for one that is not taken again. dataset: its name.
    banks: None where the calibration is `known`.
    """

    made_from: str
    dataset: str
    banks: BankPair | None = None
    known: Calibration | None = None

    def calibration(
        self, checkpoint: str, options: EvalConfig, device: torch.device | str = "cpu"
    ) -> Calibration | None:
        """Calibration by these images, None where their pairs tell no rates.

        checkpoint: sha256 of the weights.
        """
        if self.banks is None:
            return self.known
        task = PairTask(*self.banks, self.dataset, "val", options, device)
        if task.wrong():
            logger.warning(f"eval: {task.wrong()}, so thresholds are chosen on the images that are reported")
            return None
        pairs = count_pairs(task)
        rates = certainty(pairs, [pairs.calibration(checkpoint)]).thresholds
        return dataclasses.replace(pairs.calibration(checkpoint, rates), made_from=self.made_from)


def find_threshold_source(extraction: Extraction, dataset: str) -> ThresholdSource | None:
    """Known calibration of the validation images, else their features.

    The processes of torchrun share the work: None in all but process 0. Raises UserError as `Extraction.banks` does.
    """
    options = extraction.options
    made_from = _digest(extraction, dataset)
    known = _known(extraction, made_from) if distributed.here().number == 0 else None
    if distributed.meet(value=known is not None):
        if known is not None:
            extraction.keep()
        return ThresholdSource(made_from, dataset, known=known) if known is not None else None
    banks = extraction.banks()
    if banks is None:
        return None
    pair = seen_by(banks.query, options.visibility), seen_by(banks.gallery, options.visibility)
    return ThresholdSource(made_from, dataset, pair)


def _digest(extraction: Extraction, dataset: str) -> str:
    """Digest of the features and of all that thresholds depend on; "" for tracks, whose frames it does not know."""
    options = extraction.options
    if options.tracks:
        return ""
    segmenter = extraction.segmenter.sha256 if extraction.segmenter and options.visibility == "segmenter" else ""
    settings = {name: getattr(options, name) for name in SETTINGS}
    return digest_json([CALIBRATION_VERSION, extraction.fingerprint, dataset, segmenter, settings])


def _known(extraction: Extraction, made_from: str) -> Calibration | None:
    """Calibration of the same images, network and options; None without."""
    paths = extraction.paths
    for path in (paths.settled.calibration, beside_checkpoint(paths, extraction.options)) if made_from else ():
        try:
            found = read_calibration(path) if path.is_file() else None
        except UserError as error:
            logger.warning(f"eval: {error.wrong}")
            continue
        if found is not None and found.made_from == made_from:
            logger.info(f"eval: {path} is of this checkpoint and these validation images; not matching them again")
            return found
    return None
