"""The report of one evaluation: feature banks and shards -> scores, pictures, report.json, report.md, report.html."""

from __future__ import annotations

from typing import Any

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Manifest, Protocol
from pipeline.evaluation.colour_baseline import colour_bank
from pipeline.evaluation.mask_metrics import Stripes
from pipeline.evaluation.oracle_stripes import decisions, exact_banks
from pipeline.evaluation.per_query import write_query_results
from pipeline.evaluation.schema import SCHEMA_VERSION
from pipeline.evaluation.scores import PartReference, Scores, part_scores, restrict, score, seen_by
from pipeline.features.extraction import Extraction
from pipeline.features.store import Banks
from pipeline.io.text import parse_json, read_json
from pipeline.reports.evaluation.illustrations import Illustrator
from pipeline.reports.evaluation.page import write_page
from pipeline.reports.evaluation.shown_queries import shown_queries
from pipeline.reports.evaluation.text import write_report
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.config import Config, as_json
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runtime.device import pick_device
from pipeline.shards.index import ShardIndex
from sorn.sample import Sample


def build_report(run: Run, protocol: Protocol, banks: Banks, extraction: Extraction) -> dict[str, Any]:
    """Write the report and its pictures; what report.json holds is returned."""
    config, paths, manifest = run.config, run.paths, run.manifest
    query, gallery, trained = extraction.query, extraction.gallery, extraction.trained
    examples = banks.examples
    assert examples is not None, "the eval stage writes examples into every feature bank"
    place = {str(name): (data, row) for data in (gallery, query) for row, name in enumerate(data.name)}

    def sample_of(name: str) -> Sample:
        data, row = place[name]
        return data[row]

    options, labels = config.eval, trained.model.labels
    asked, ranked = (
        seen_by(restrict(bank, prefix), options.visibility)
        for bank, prefix in ((banks.query, protocol.query_prefix), (banks.gallery, protocol.gallery_prefix))
    )
    exact = ExactMasks(manifest, run.root, run.rows)
    colours = (colour_bank(asked, query), colour_bank(ranked, gallery)) if options.colour else None
    stripes = Stripes(asked.local.shape[1], labels, options.tau)
    seen = exact_banks(asked, ranked, exact, stripes, query.image_size)
    device = pick_device(config.runtime.device)
    scores = score(asked, ranked, protocol, options, examples.name, device, colours, seen)
    reference = PartReference(sample_of, exact, query.index.labeler["name"], labels)
    report = {
        "schema_version": SCHEMA_VERSION,
        "protocol": protocol_text(manifest, protocol, config, query.index.pose, banks.attrs),
        "single_shot": bool(protocol.shots),
        "unit": "fractions in [0, 1]",
        "metrics": {variant: found.figures() for variant, found in scores.metrics.items()},
        "chance": scores.chance,
        "cmc": {
            **{variant: found.cmc().tolist() for variant, found in scores.metrics.items()},
            "chance": scores.chance_cmc.tolist(),
        },
        "tau_sweep": [
            {"tau": tau, "rank-1": found.rank(1), "mAP": found.mean_ap} for tau, found in scores.sweep.items()
        ],
        "shown": {kind: [str(asked.name[i]) for i in numbers] for kind, numbers in scores.shown.items()},
        "labels": label_quality(paths),
        "parts": part_scores(examples, reference, asked.name),
        "stripes": {
            "query": decisions(asked, seen[0], stripes),
            "gallery": decisions(ranked, seen[1], stripes),
        }
        if seen
        else None,
        "paper": [row for row in manifest.paper if row.get("protocol", protocol.name) == protocol.name],
        "dataset": _dataset(run, scores, query.unreadable + gallery.unreadable),
        "provenance": _provenance(run, banks.attrs, trained, query.index),
    }
    illustrator = Illustrator(
        paths.pictures, reference, options.tau, options.ranked_gallery, options.seed, options.visibility
    )
    write_query_results(paths.query_results, asked, scores.relevant, scores.metrics)
    shown = shown_queries(scores, sample_of, options.tau, options.ranked_gallery)
    explained = illustrator.explained(scores, examples)
    drawn = [shown[number] for number in scores.shown["random"]]
    write_report(paths, report, illustrator.draw(drawn, explained))
    queries_file = paths.query_results.relative_to(paths.report_html.parent).as_posix()
    write_page(paths.report_html, report, scores, list(shown.values()), explained, illustrator, queries_file)
    return report


def protocol_text(
    manifest: Manifest, protocol: Protocol, config: Config, pose: dict[str, Any] | None, attrs: dict[str, str]
) -> str:
    """The protocol's full name: dataset, query set, filter, shots, AP formula, what picks stripes. pose: the finder.
    attrs: of the features.
    """
    options, description = config.eval, protocol.description.rstrip(".")
    shots = f"one random gallery image per person, {protocol.trials} draws" if protocol.shots else "all gallery images"
    by = f" on the landmarks of {pose['name']}" if pose and options.visibility == "pose" else ""
    if options.visibility == "segmenter":
        by = f" on the part masks of a segmenter trained on {parse_json(attrs['segmenter'])['trained_on']}"
    return (
        f"{manifest.title}, split {options.split}, protocol {protocol.name}: {description}; gallery images of the "
        f"query's own person and camera left out; {shots}; {options.average_precision} AP; tau {options.tau:g}{by}"
    )


def label_quality(paths: Paths) -> dict[str, Any] | None:
    """Of the labels that the network was trained on, if they are of this run: `all` of labels.json, and its labeler."""
    if paths.trained_on:
        return None
    try:
        found = read_json(paths.label_report_json)
        return {"labeler": found["labeler"], **found["all"]}
    except (OSError, ValueError, KeyError):
        return None


def _dataset(run: Run, scores: Scores, unreadable: list[str]) -> dict[str, Any]:
    manifest = run.manifest
    warnings = [finding["wrong"] for finding in run.summary["findings"] if finding["level"] == "warning"]
    if unreadable:
        warnings.append(f"{len(unreadable)} unreadable images are left out: {', '.join(unreadable[:3])}")
    return {
        "name": manifest.name,
        "title": manifest.title,
        "licence": manifest.licence,
        "notice": manifest.notice,
        "camera_policy": manifest.camera_policy,
        "query_images": len(scores.query),
        "gallery_images": len(scores.gallery),
        "warnings": warnings,
    }


def _provenance(run: Run, attrs: dict[str, Any], trained: CheckpointInfo, index: ShardIndex) -> dict[str, Any]:
    config, paths = run.config, run.paths
    stamps = {name: run.stamp(name) for name in ("data", "masks", "train")}
    train = stamps["train"]
    return {
        "labeler": index.labeler,
        "pose": index.pose,
        "segmenter": parse_json(attrs["segmenter"]) if config.eval.visibility == "segmenter" else None,
        "trained_on": paths.trained_on or paths.run_name,
        "command": run.make("eval"),
        "checkpoint_sha256": attrs["checkpoint_sha256"],
        "features": parse_json(attrs["config"]),
        "training": trained.document,
        "config": as_json(config.eval),
        "stamps": {name: found.fingerprint for name, found in stamps.items() if found},
        "versions": train.versions if train else {},
    }
