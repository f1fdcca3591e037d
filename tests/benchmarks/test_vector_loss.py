"""vector_loss.py: its vectors are those of the export for trackers, and its first row is Eq. 15."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from random_banks import bank, relevance
from vector_loss import joined, similarities, table

from sorn.matching import similarity_blocks
from sorn.metrics import evaluate
from sorn.rules import Rule
from sorn.tracking import one_vector

TAU = 0.15


def test_the_vectors_are_those_of_the_export() -> None:
    own = bank(1, 12)
    whole, local, scores = (torch.from_numpy(array) for array in (own.global_, own.local, own.visibility))
    found = SimpleNamespace(global_feature=whole, local_features=local, visibility=scores)
    expected = one_vector(found, TAU).numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(joined(own, TAU), expected, atol=1e-6)


def test_the_table_has_the_figures_of_an_evaluation() -> None:
    query, gallery = bank(2, 30), bank(3, 90)
    lines = table(query, gallery, TAU)
    metrics = evaluate(
        ((rows, block) for rows, (block,) in similarity_blocks(query, gallery, [Rule("sorn", TAU)])),
        relevance(query, gallery),
    )
    assert lines[2] == f"| Eq. 15 |  | {100 * metrics.rank(1):.1f} | {100 * metrics.mean_ap:.1f} | 1 |"
    assert [line.split("|")[2].strip() for line in lines[2:7]] == ["", "40", "40", "40", "16"]
    exact = similarities(query, gallery, "sorn", TAU)
    far = np.abs(exact - joined(query, TAU) @ joined(gallery, TAU).T).mean()
    assert lines[-1] == f"`joined` and Eq. 15 differ by {far:.3f} in the mean."
