"""One vector per image beside Eq. 15: the table of docs/formats.md, "For trackers".

Reads features.h5 of an evaluation, or val-features.h5 beside it; writes nothing. Rank-1, mAP and the correlation with
Eq. 15 over all pairs, for the vectors of `sorn export --tracker` and for others that it does not offer. Gallery images
of the query's own person and camera are left out of the ranking.
Run: python benchmarks/vector_loss.py runs/<run>/eval/val-features.h5 [--tau 0.15]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.features.store import read_banks
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.metrics import Metrics, evaluate, relevance
from sorn.rules import Rule, indicators

ROW = "| {name} | {numbers} | {rank1:.1f} | {mean_ap:.1f} | {correlation} |"


def similarities(query: FeatureBank, gallery: FeatureBank, variant: str, tau: float) -> np.ndarray:
    """Similarities of a variant, float32 [Nq, Ng]."""
    blocks = similarity_blocks(query, gallery, [Rule(variant, tau)])
    return np.concatenate([block.copy() for _, (block,) in blocks])


def joined(bank: FeatureBank, tau: float, weight: float = 1) -> np.ndarray:
    """Vectors of `--vector joined`, float64 [N, D]. weight: of the global feature against a stripe."""
    shown = indicators(bank.visibility, tau)[..., None]
    stripes = (units(bank.local) * shown).reshape(len(bank), -1)
    return units(np.concatenate([np.sqrt(weight) * units(bank.global_), stripes], axis=1))


def units(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 over the last axis, float64; a zero vector stays zero."""
    wide = vectors.astype(np.float64)
    found: np.ndarray = wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-12)
    return found


def rows(query: FeatureBank, gallery: FeatureBank, tau: float) -> Iterator[tuple[str, int | None, np.ndarray]]:
    """Name, numbers of a vector (None for Eq. 15) and similarities [Nq, Ng]."""
    whole, stripes = query.global_.shape[1], query.local[0].size
    yield "Eq. 15", None, similarities(query, gallery, "sorn", tau)
    yield "`joined`", whole + stripes, joined(query, tau) @ joined(gallery, tau).T
    twice = joined(query, tau, 2) @ joined(gallery, tau, 2).T
    yield "`joined`, global weighted twice as much (not offered)", whole + stripes, twice
    every = similarities(query, gallery, "global+local", tau)
    yield "all stripes, hidden ones too (`global+local`)", whole + stripes, every
    yield "`global`", whole, similarities(query, gallery, "global", tau)


def table(query: FeatureBank, gallery: FeatureBank, tau: float) -> list[str]:
    """Lines of the table in Markdown, and how far `joined` is from Eq. 15 in the mean."""
    relevant = relevance(query.pid, query.camid, gallery.pid, gallery.camid)
    lines = ["| | numbers | rank-1 | mAP | correlation with Eq. 15 |", "|---|--:|--:|--:|--:|"]
    reference, distance = None, 0.0
    for name, numbers, found in rows(query, gallery, tau):
        reference = found if reference is None else reference
        metrics: Metrics = evaluate([(slice(0, len(query)), found.astype(np.float32))], relevant)
        same = float(np.corrcoef(reference.ravel(), found.ravel())[0, 1])
        distance = float(np.abs(reference - found).mean()) if name == "`joined`" else distance
        lines.append(
            ROW.format(
                name=name,
                numbers="" if numbers is None else f"{numbers:,}",
                rank1=100 * metrics.rank(1),
                mean_ap=100 * metrics.mean_ap,
                correlation="1" if numbers is None else f"{same:.3f}",
            )
        )
    return [*lines, "", f"`joined` and Eq. 15 differ by {distance:.3f} in the mean."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path)
    parser.add_argument("--tau", type=float, default=0.15)
    options = parser.parse_args()
    banks = read_banks(options.features)
    print(f"{len(banks.query):,} queries, {len(banks.gallery):,} gallery images; one query is", end=" ")
    print(f"{100 / len(banks.query):.1f} points\n")
    print("\n".join(table(banks.query, banks.gallery, options.tau)))


if __name__ == "__main__":
    main()
