"""Evaluation: feature banks, masks and protocol -> scores and report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Manifest, Protocol
from pipeline.evaluation.calibration import Calibration
from pipeline.evaluation.certainty import Certainty
from pipeline.evaluation.colour_baseline import colour_bank
from pipeline.evaluation.intervals import person_intervals
from pipeline.evaluation.mask_metrics import Stripes
from pipeline.evaluation.oracle_stripes import decisions, exact_banks
from pipeline.evaluation.origin import Origin
from pipeline.evaluation.pair_scores import CountedPairs, PairTask, certainty
from pipeline.evaluation.part_masks import PartReference, part_scores
from pipeline.evaluation.published import Measured, published
from pipeline.evaluation.report import (
    BothStripes,
    EvaluatedDataset,
    Provenance,
    Report,
    SweepPoint,
    VariantFigures,
)
from pipeline.evaluation.review import Reviewed, review
from pipeline.evaluation.scores import BankPair, RankingTask, Scores, restrict, score, seen_by
from pipeline.evaluation.threshold_source import ThresholdSource
from pipeline.features.int8.record import Int8Record
from pipeline.features.store import Banks, Examples
from pipeline.io.documents import from_json
from pipeline.io.text import parse_json
from pipeline.runs.config import EITHER, EvalConfig
from pipeline.runs.made_by import MadeBy
from pipeline.runtime.arithmetic import INT8
from pipeline.shards.dataset import ShardDataset
from sorn.sample import Sample

PLACED = {
    False: "",
    True: "; cut pictures put where the parts in them belong",
    EITHER: "; cut queries compared as they are and at their place, and the larger similarity counts",
}
# By eval.place, in the name of the protocol.


@dataclass(frozen=True)
class EvaluatedImages:
    """Query and gallery images of one protocol: features, shards and ground-truth masks.

    pair: banks of the protocol's images, with the scores that `eval.visibility` names. examples, attrs: of the feature
    bank. query, gallery: shards of all images of the splits. device: where similarities are computed. val: what
    thresholds are chosen by; None without. carried: the calibration beside a checkpoint of another run; None without.
    """

    protocol: Protocol
    pair: BankPair
    examples: Examples
    attrs: dict[str, str]
    query: ShardDataset
    gallery: ShardDataset
    exact: ExactMasks
    device: torch.device
    val: ThresholdSource | None = None
    carried: Calibration | None = None

    @cached_property
    def _place(self) -> dict[str, tuple[ShardDataset, int]]:
        return {str(name): (data, row) for data in (self.gallery, self.query) for row, name in enumerate(data.name)}

    def sample(self, name: str) -> Sample:
        data, row = self._place[name]
        return data[row]


def select_pair(banks: Banks, protocol: Protocol, visibility: str) -> BankPair:
    """Query and gallery banks of a protocol.

    visibility: where the visibility scores come from, as in `eval.visibility`.
    """
    query = seen_by(restrict(banks.query, protocol.query_prefix), visibility)
    return query, seen_by(restrict(banks.gallery, protocol.gallery_prefix), visibility)


@dataclass(frozen=True)
class Result:
    """Scores and report of one evaluation.

    reference: the masks that predicted parts of `examples` are scored against. calibration: of the network, None where
    the pairs tell no rates.
    """

    report: Report
    scores: Scores
    examples: Examples
    reference: PartReference
    options: EvalConfig
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Sure:
    """Certainty of an evaluation, and the calibration it comes with.

    why_not: why there is none, "" where there is.
    """

    certainty: Certainty | None = None
    calibration: Calibration | None = None
    why_not: str = ""


def evaluate(images: EvaluatedImages, origin: Origin, options: EvalConfig) -> Result:
    """Scores of every matching variant under one protocol, and their report.

    Raises UserError for a ground-truth mask that cannot be one of its image.
    """
    protocol, examples = images.protocol, images.examples
    attrs, manifest, index = images.attrs, origin.manifest, images.query.index
    full_name = protocol_text(manifest, protocol, options, index.pose, attrs)
    query, gallery = images.pair
    labels = origin.model.labels
    colours = _colours(images) if options.colour is not False and not (options.place or options.tracks) else None
    stripes = Stripes(query.local.shape[1], labels, options.tau)
    exact = None  # of placed pictures and of tracks, the stripes are others than those of ground truth and colours
    if not (options.place or options.tracks):
        exact = exact_banks(query, gallery, images.exact, stripes, images.query.image_size)
    task = RankingTask(*(exact or images.pair), protocol, options, images.device, origin.names)
    pairs = CountedPairs.none(PairTask(*images.pair, manifest.name, options.split, options, images.device))
    scores = score(task, examples.name, colours, pairs.consumers if not pairs.task.wrong() else [])
    reference = PartReference(images.sample, images.exact, index.labeler.name, labels)
    unreadable = tuple(images.query.unreadable + images.gallery.unreadable)
    sure = _sure(images, pairs)
    paper = published(Measured(manifest, protocol, options, origin.records, origin.trained_dataset, len(unreadable)))
    report = Report(
        protocol=full_name,
        single_shot=bool(protocol.shots),
        metrics={variant: VariantFigures.of(found) for variant, found in scores.metrics.items()},
        chance=scores.chance,
        cmc=curves(scores),
        tau_sweep=tuple(SweepPoint.of(tau, found) for tau, found in scores.sweep.items()),
        shown={kind: tuple(str(query.name[i]) for i in numbers) for kind, numbers in scores.shown.items()},
        labels=origin.labels,
        parts=part_scores(examples, reference, query.name),
        stripes=BothStripes(*(decisions(bank, stripes) for bank in exact)) if exact else None,
        paper=paper.rows,
        paper_left_out=paper.left_out,
        intervals=person_intervals(scores.metrics, query.pid),
        warnings=review(Reviewed(scores, options, origin, bool(protocol.shots), unreadable, sure.certainty)),
        certainty=sure.certainty,
        certainty_left_out=sure.why_not,
        dataset=_dataset(origin, scores, unreadable),
        provenance=Provenance(
            labeler=index.labeler,
            pose=index.pose,
            segmenter=parse_json(attrs["segmenter"]) if options.visibility == "segmenter" else None,
            trained_on=origin.trained_on,
            command=origin.command,
            checkpoint_sha256=attrs["checkpoint_sha256"],
            features=parse_json(attrs["config"]),
            int8=from_json(Int8Record, parse_json(attrs["int8"])) if "int8" in attrs else None,
            training=origin.training,
            config=options,
            stamps=origin.stamps,
            versions=origin.versions,
        ),
    )
    return Result(report, scores, examples, reference, options, sure.calibration)


def _sure(images: EvaluatedImages, counted: CountedPairs) -> Sure:
    """Certainty of counted pairs, with thresholds chosen on the validation images where there are any."""
    checkpoint, task = images.attrs["checkpoint_sha256"], counted.task
    if task.wrong():
        return Sure(why_not=task.wrong())
    chosen = images.val and images.val.calibration(checkpoint, task.options, images.device)
    own = chosen or counted.calibration(checkpoint)
    carried = [images.carried] if images.carried and images.carried.source != own.source else []
    found = certainty(counted, [own, *(one for one in carried if task.fullest in one.rules)])
    return Sure(found, own if chosen else counted.calibration(checkpoint, found.thresholds))


def protocol_text(
    manifest: Manifest, protocol: Protocol, options: EvalConfig, pose: MadeBy | None, attrs: dict[str, str]
) -> str:
    """Full name of the protocol, for the head of a report.

    It names dataset, query set, filter, shots, AP formula, the source of the visibility scores, and options of the
    extraction that change the features. attrs: of the features.
    """
    description = protocol.description.rstrip(".")
    shots = f"one random gallery image per person, {protocol.trials} draws" if protocol.shots else "all gallery images"
    by = f" on the landmarks of {pose.name}" if pose and options.visibility == "pose" else ""
    if options.visibility == "segmenter":
        by = f" on the part masks of a segmenter trained on {parse_json(attrs['segmenter'])['trained_on']}"
    by += "; features averaged with those of mirror images" if options.flip else ""
    by += PLACED[options.place]
    by += "; features averaged over the frames of each track" if options.tracks else ""
    by += "; norms adapted to the unlabelled gallery" if options.adapt_norms else ""
    by += "; features in int8" if options.precision == INT8 else ""
    return (
        f"{manifest.title}, split {options.split}, protocol {protocol.name}: {description}; gallery images of the "
        f"query's own person and camera left out; {shots}; {options.average_precision} AP; tau {options.tau:g}{by}"
    )


def curves(scores: Scores) -> dict[str, tuple[float, ...]]:
    """CMC of every variant, and of chance."""
    arrays = {variant: found.cmc() for variant, found in scores.metrics.items()} | {"chance": scores.chance_cmc}
    return {name: tuple(array.tolist()) for name, array in arrays.items()}


def _colours(images: EvaluatedImages) -> BankPair:
    query, gallery = images.pair
    return colour_bank(query, images.query), colour_bank(gallery, images.gallery)


def _dataset(origin: Origin, scores: Scores, unreadable: tuple[str, ...]) -> EvaluatedDataset:
    manifest, warnings = origin.manifest, [finding.wrong for finding in origin.findings]
    if unreadable:
        warnings.append(f"{len(unreadable)} unreadable images are left out: {', '.join(unreadable[:3])}")
    return EvaluatedDataset(
        name=manifest.name,
        title=manifest.title,
        licence=manifest.licence,
        notice=manifest.notice,
        camera_policy=manifest.camera_policy,
        query_images=len(scores.query),
        gallery_images=len(scores.gallery),
        warnings=tuple(warnings),
    )
