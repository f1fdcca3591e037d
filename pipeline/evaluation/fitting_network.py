"""Checks of a trained network before its evaluation."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UserError
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.config import EvalConfig
from pipeline.runs.consent import RELABEL
from pipeline.runs.run import Run
from sorn.parts import CLASSES


def require_fitting(run: Run, trained: CheckpointInfo, stored: tuple[int, int]) -> None:
    """Check of a network for the options of an evaluation.

    stored: height, width of the images in the shards. Raises UserError for a network without features, without stripes
    that an external segmenter could score, without the labels that places need, and for images of another size.
    """
    folder, options = run.paths.folder("train"), run.config.eval
    _require_features(folder, options, trained)
    _require_labels(folder, options, trained)
    _require_size(run, trained, stored)


def _require_features(folder: Path, options: EvalConfig, trained: CheckpointInfo) -> None:
    """Raise UserError for a network without features, or without stripes for an external segmenter."""
    if trained.finds_parts_only:
        raise UserError(
            f"the network in {folder} has only the semantic branch, so it has no features to match",
            "Use it to score the stripes of another network: --set eval.visibility=segmenter "
            "--set eval.segmenter=FOLDER, a copy of that folder.",
        )
    if options.segmenter and not trained.model.local_branch:
        raise UserError(
            f"the network in {folder} has no local branch, and so no stripes for eval.segmenter to score",
            "Evaluate it without, or train it with --set model.local_branch=true.",
        )


def _require_labels(folder: Path, options: EvalConfig, trained: CheckpointInfo) -> None:
    """Raise UserError for pictures to be placed by a network that does not know their parts."""
    labels = trained.model.labels if trained.model.semantic_branch else 0
    if options.place and labels != len(CLASSES):
        raise UserError(
            f"eval.place puts pictures where the parts in them belong, and the network in {folder} predicts "
            f"{labels or 'no'} labels",
            "Leave it out: --set eval.place=false; or train another network, with --set model.labels="
            f"{len(CLASSES)} --set model.semantic_branch=true.",
        )


def _require_size(run: Run, trained: CheckpointInfo, stored: tuple[int, int]) -> None:
    """Raise UserError for shards of another image size than the network was trained on."""
    height, width = trained.image_size
    if (height, width) == stored:
        return
    fitting = run.command.adding((f"masks.image_size=[{height},{width}]",))
    raise UserError(
        f"the network was trained on images of {height}x{width}, the shards in {run.paths.folder('masks')} are "
        f"{stored[0]}x{stored[1]}",
        f"Run: {fitting.make('eval', RELABEL)}",
    )
