#!/usr/bin/env bash
# torchmetrics' RetrievalMAP does not count a match whose score is 0 or less: the ranking is the same, and the figure is
# another. Scores need not be probabilities elsewhere in re-ID: a cosine may be below 0, and with negative distances as
# scores every query has average precision 0. The other retrieval metrics do not agree among themselves: reciprocal
# rank, recall and precision drop such matches too, nDCG, hit rate and R-precision count them. The documentation says
# "probabilities" and no more.
# Observed 2026-11-29 with torchmetrics 1.9.0, one query with matches at ranks 2 and 3 of 3: average precision 0.583
# with scores of 0.9, 0.6 and 0.3; 0.500 with the same less 0.5; 0.000 less 1.
# This program computes its figures itself (sorn/metrics.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import torch
import torchmetrics
from torchmetrics import retrieval

match = torch.tensor([False, True, True])
query = torch.zeros(3, dtype=torch.long)
scores = {"0 to 1": torch.tensor([0.9, 0.6, 0.3])}
scores["less 0.5"], scores["less 1"] = scores["0 to 1"] - 0.5, scores["0 to 1"] - 1


def figures(metric):
    return [round(metric(values, match, indexes=query).item(), 3) for values in scores.values()]


print(f"torchmetrics {torchmetrics.__version__}: the same ranking with scores", ", ".join(scores))
seen = {}
for metric in (
    retrieval.RetrievalMAP(),
    retrieval.RetrievalMRR(),
    retrieval.RetrievalRecall(top_k=2),
    retrieval.RetrievalPrecision(top_k=2),
    retrieval.RetrievalNormalizedDCG(),
    retrieval.RetrievalHitRate(top_k=2),
    retrieval.RetrievalRPrecision(),
):
    name = type(metric).__name__
    seen[name] = figures(metric)
    print(f"  {name}: {seen[name]}")
right, half, none = seen["RetrievalMAP"]
assert abs(right - (1 / 2 + 2 / 3) / 2) < 1e-3
sys.exit(0 if half < right and none == 0 and len(set(seen["RetrievalNormalizedDCG"])) == 1 else 1)
PYTHON
