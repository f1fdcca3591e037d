"""Evaluation and feature extraction against bare products, part distances and fp32. Reads a run's shards, if given.

Matching: features in memory -> CMC and mAP, at the sizes of Market-1501 and Occluded-Duke, beside the bare float32
product of the same size (twice: features as they are stored, and already side by side). Part distances one by one and
a sorted gallery with Python over it, as part-based tools rank, are timed on a tenth of the queries and multiplied.
Every variant and eleven thresholds: what the eval stage computes, in one pass. Memory: the most that a process of its
own has held beyond the features, also with a gallery of 1,000,000, 20 matches per query; its time beside a half and a
quarter of it.
Extraction: ResNet-50, 384x128, batches of 16, random weights; fp32 NCHW as usual, and as the eval stage does it, with
the precision of `auto` and in fp32, each in a process of its own. With --run, also what bf16 does to the figures of a
trained network.
With --stored, only the memory of a process that evaluates a features.h5 with 2,000 queries and so many gallery images
of 8 kB: every variant and threshold, first answers, pairs and intervals. Nothing is subtracted: the interpreter,
libraries and mapped features count. Needs that much room in the temporary folder.
Run: python benchmarks/bench_eval.py [--quick] [--run runs/synped_demo-danet] [--rounds N]
     python benchmarks/bench_eval.py --stored 200000 1000000
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from eval_peers import MARKET, OCCLUDED_DUKE, Shape, banks, concatenated, part_distances, ranked_by_sorting
from extraction_runs import extraction_rate, precision_effect
from report import Figure, emit, interleave, median
from stored_banks import memory_mib, peak
from training_runs import in_own_process

from pipeline.runs.config import EvalConfig
from pipeline.runtime.arithmetic import pick_precision
from sorn import metrics
from sorn.features import FeatureBank
from sorn.metrics import Evaluation, Metrics
from sorn.ranking import rank
from sorn.rerank import Reranked
from sorn.rules import Rule

MARKET_GOAL, DUKE_GOAL, EVERYTHING_GOAL = 1.15, 1.2, 2.4  # seconds over those of the bare product
PEER_GOAL, RANKING_GOAL, MEMORY_GOAL = 6.0, 0.25, 300.0
EXTRACTION_GOALS = {"bf16": 2.8, "fp32": 1.5}  # by what `auto` is here
GLOBAL, SORN_RULE = Rule("global"), Rule("sorn", 0.15)
EVERYTHING = [GLOBAL, Rule("global+local"), SORN_RULE, *(Rule("sorn", tau) for tau in EvalConfig().tau_sweep)]
STORED_GOALS = {200_000: 900e6 / 2**20, 1_000_000: 1.2e9 / 2**20}  # gallery -> MiB
MATCHES = 20_000  # images of the 1000 persons who are asked for
TENTH = 10


def evaluated(query: FeatureBank, gallery: FeatureBank, rules: list[Rule]) -> list[Metrics]:
    relevant = metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
    evaluations: dict[Rule | Reranked, Evaluation] = {rule: Evaluation(relevant) for rule in rules}
    for _ in rank(query, gallery, evaluations):
        pass
    return [evaluation.metrics() for evaluation in evaluations.values()]


def ranked(query: FeatureBank, gallery: FeatureBank, similarity: np.ndarray) -> Metrics:
    relevant = metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
    return metrics.evaluate([(slice(0, len(query)), similarity)], relevant)


def matching(rounds: int) -> tuple[dict[str, list[float]], dict[str, Figure]]:
    rows: dict[str, list[float]] = {}
    figures: dict[str, Figure] = {}
    query, gallery = banks(MARKET)
    a, b = concatenated(query), concatenated(gallery)
    similarity = torch.nn.functional.normalize(a) @ torch.nn.functional.normalize(b).T
    rows |= interleave(
        {
            "Market: bare product": lambda: a @ b.T,
            "Market: ours, features to CMC and mAP": partial(evaluated, query, gallery, [GLOBAL]),
            "Market: ours, ranking alone": partial(ranked, query, gallery, similarity.numpy()),
        },
        rounds,
    )
    (found,) = evaluated(query, gallery, [GLOBAL])
    ratio = over(rows, "Market: ours, features to CMC and mAP", "Market: bare product")
    alone = median(rows["Market: ours, ranking alone"])
    figures["market_over_product"] = Figure(ratio, f"<={MARKET_GOAL}", ratio <= MARKET_GOAL)
    figures["market_ranking_seconds"] = Figure(alone, f"<={RANKING_GOAL}", alone <= RANKING_GOAL)
    figures["market_mAP"] = Figure(found.mean_ap)
    del a, b, similarity
    query, gallery = banks(OCCLUDED_DUKE)
    a, b = concatenated(query), concatenated(gallery)
    some = query.take(np.arange(0, len(query), TENTH))

    def peer() -> tuple[float, float]:
        return ranked_by_sorting(part_distances(some, gallery, SORN_RULE.tau), some, gallery)

    rows |= interleave(
        {
            "Occluded-Duke: bare product": lambda: a @ b.T,
            "Occluded-Duke: ours, features to CMC and mAP": partial(evaluated, query, gallery, [SORN_RULE]),
            "Occluded-Duke: ours, 3 variants and 11 thresholds": partial(evaluated, query, gallery, EVERYTHING),
            "Occluded-Duke: part by part and sorted, a tenth": peer,
        },
        rounds,
    )
    (found,) = evaluated(query, gallery, [SORN_RULE])
    ours = "Occluded-Duke: ours, features to CMC and mAP"
    ratio = over(rows, ours, "Occluded-Duke: bare product")
    faster = TENTH * over(rows, "Occluded-Duke: part by part and sorted, a tenth", ours)
    everything = over(rows, "Occluded-Duke: ours, 3 variants and 11 thresholds", "Occluded-Duke: bare product")
    figures["duke_over_product"] = Figure(ratio, f"<={DUKE_GOAL}", ratio <= DUKE_GOAL)
    figures["duke_times_faster_than_parts"] = Figure(faster, f">={PEER_GOAL:g}", faster >= PEER_GOAL)
    figures["duke_everything_over_product"] = Figure(everything, f"<={EVERYTHING_GOAL}", everything <= EVERYTHING_GOAL)
    figures["duke_mAP"] = Figure(found.mean_ap)
    return rows, figures


def over(rows: dict[str, list[float]], one: str, other: str) -> float:
    return median(a / b for a, b in zip(rows[one], rows[other], strict=True))


def peak_and_seconds(shape: Shape, rules: list[Rule]) -> tuple[float, float, float]:
    """MiB beyond the features and what was there, seconds of the evaluation, mAP."""
    query, gallery = banks(shape)
    evaluated(query.take(np.arange(64)), gallery.take(np.arange(256)), rules)  # libraries allocate at first use
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = memory_mib("VmRSS")
    start = time.perf_counter()
    found = evaluated(query, gallery, rules)[0]
    return memory_mib("VmHWM") - before, time.perf_counter() - start, found.mean_ap


def memory(quick: bool) -> dict[str, Figure]:
    figures = {}
    cases = [
        ("market", MARKET, [GLOBAL]),
        ("duke", OCCLUDED_DUKE, [SORN_RULE]),
        ("duke_everything", OCCLUDED_DUKE, EVERYTHING),
    ]
    for name, shape, rules in cases[-1:] if quick else cases:
        peak, _, _ = in_own_process(peak_and_seconds, shape, rules)
        figures[f"{name}_peak_mib"] = Figure(peak, f"<={MEMORY_GOAL:g}", peak <= MEMORY_GOAL)
    sizes = [100_000] if quick else [250_000, 500_000, 1_000_000]
    seconds = []
    for gallery in sizes:
        shape = Shape(1000, gallery, 1000, gallery - MATCHES, 6, 512, 0, 2.0)
        peak, took, _ = in_own_process(peak_and_seconds, shape, [GLOBAL])
        seconds.append(took)
        figures[f"gallery_{gallery}_seconds"] = Figure(took)
    figures["largest_gallery_peak_mib"] = Figure(peak, f"<={MEMORY_GOAL:g}", peak <= MEMORY_GOAL)
    if quick:
        return figures
    slope, start = np.polyfit(sizes, seconds, 1)
    fit = np.abs(np.polyval([slope, start], sizes) / seconds - 1).max()
    figures["seconds_per_100000_images"] = Figure(slope * 100_000)
    figures["linear_fit_worst_deviation"] = Figure(float(fit))
    return figures


def stored(sizes: list[int]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for gallery in sizes:
        most, before, seconds = peak(gallery)
        goal = next((goal for size, goal in STORED_GOALS.items() if gallery <= size), None)
        held = Figure(most) if goal is None else Figure(most, f"<={goal:g}", most <= goal)
        figures |= {f"stored_{gallery}_peak_mib": held, f"stored_{gallery}_start_mib": Figure(before)}
        figures[f"stored_{gallery}_seconds"] = Figure(seconds)
    return figures


def extraction(rounds: int) -> tuple[dict[str, list[float]], dict[str, Figure]]:
    auto, usual = pick_precision("auto", torch.device("cpu")), "extraction, fp32 NCHW"
    ways = {usual: "fp32 NCHW", **{f"extraction, ours, {precision}": precision for precision in (auto, "fp32")}}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in ways if number % 2 else reversed(ways):
            rates[name].append(in_own_process(extraction_rate, ways[name]))
    ratio, goal = over(rates, f"extraction, ours, {auto}", usual), EXTRACTION_GOALS[auto]
    return rates, {
        "extraction_over_fp32": Figure(ratio, f">={goal}", ratio >= goal),
        "extraction_fp32_over_fp32": Figure(over(rates, "extraction, ours, fp32", usual)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="one round, one memory, a gallery of 100,000: within two minutes"
    )
    parser.add_argument("--rounds", type=int, help="default 5, or 1 with --quick")
    parser.add_argument("--run", type=Path, help="a finished run, e.g. runs/synped_demo-danet")
    parser.add_argument("--stored", type=int, nargs="+", metavar="GALLERY", help="gallery images, e.g. 200000 1000000")
    given = parser.parse_args()
    if given.stored:
        emit("eval of stored features", {}, stored(given.stored))
        return
    rounds = given.rounds or (1 if given.quick else 5)
    print(f"{rounds} rounds, {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    rows, figures = matching(rounds)
    emit("eval matching", rows, figures | memory(given.quick))
    rates, figures = extraction(rounds)
    if given.run:
        figures |= {name: Figure(value) for name, value in precision_effect(given.run).items()}
    emit("eval extraction", rates, figures, unit="images/s")


if __name__ == "__main__":
    main()
