"""Agreement of masks, by hand; stripes are those that the network's own scores would choose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.evaluation.mask_metrics import Agreement, Stripes, measure
from pipeline.runs.config import Config, EvalConfig
from sorn.batch import reduce_masks
from sorn.branches import visibility_scores
from sorn.config import SORNConfig
from sorn.parts import FOOT, HEAD, TORSO

SIZE = (48, 16)  # three rows of features


def mask(*rows: tuple[int, int, int]) -> np.ndarray:
    """uint8 [48, 16] with the class in rows [start, stop), the rest background."""
    found = np.zeros(SIZE, np.uint8)
    for start, stop, part in rows:
        found[start:stop] = part
    return found


def agreement(*pairs: tuple[np.ndarray, np.ndarray], stripes: Stripes | None = None, workers: int = 1) -> Agreement:
    batches = [lambda pair=pair: (pair[0][None], pair[1][None]) for pair in pairs]
    return measure(batches, stripes or Stripes(3, 8, 0.5), workers)


EXACT = mask((0, 16, HEAD), (16, 32, TORSO), (32, 40, FOOT))
LABEL = mask((0, 16, HEAD), (16, 20, TORSO), (20, 24, FOOT))
# Of 48 rows, 16 are head in both and 4 torso in both; 24 are background in LABEL, and 8 of them in both.


def test_figures_by_hand() -> None:
    found = agreement((LABEL, EXACT)).figures()
    assert found.images == 1 and found.pixel_accuracy == pytest.approx(28 / 48)
    expected = {"background": 8 / 24, "head": 1, "torso": 4 / 16, "foot": 0}
    assert {part: value for part, value in found.iou.items() if value is not None} == pytest.approx(expected)
    assert found.mean_iou == pytest.approx(sum(expected.values()) / 4)
    assert found.iou["upper arm"] is None


def test_stripes_by_hand() -> None:
    """At tau = 0.5 the exact mask shows all three stripes, its last by exactly a half; the label the upper two."""
    more = mask((0, 48, TORSO))
    found = agreement((LABEL, EXACT), (EXACT, EXACT), (more, LABEL)).figures().stripes
    assert (found.count, found.tau) == (3, 0.5)
    assert found.agreement == pytest.approx(7 / 9) and found.per_stripe == pytest.approx([1, 1, 1 / 3])
    assert found.said_hidden == pytest.approx(1 / 9) and found.said_visible == pytest.approx(1 / 9)
    assert found.visible_share == pytest.approx(8 / 9)
    assert found.agreement + found.said_hidden + found.said_visible == pytest.approx(1)


@pytest.mark.parametrize(("labels", "count"), [(8, 3), (5, 2), (2, 4)])
def test_stripes_are_those_that_matching_uses(labels: int, count: int) -> None:
    """A network that predicts the reduced mask gets the same indicators."""
    masks = np.random.default_rng(0).choice(8, (6, 96, 32), p=[0.3, *[0.1] * 7]).astype(np.uint8)
    reduced = reduce_masks(torch.from_numpy(masks), (24, 8), labels, "majority")
    logits = torch.nn.functional.one_hot(reduced, labels).permute(0, 3, 1, 2).float()
    scores = visibility_scores(logits, count).numpy()
    tau = float(np.median(scores))
    assert 0 < tau < 1
    stripes = Stripes(count, labels, tau)
    assert np.array_equal(stripes.indicators(stripes.scores(masks)), scores >= np.float32(tau))


def test_more_stripes_than_rows_are_not_compared() -> None:
    found = agreement((LABEL, EXACT), stripes=Stripes(4, 8, 0.5))
    assert found.figures().stripes is None and found.figures().mean_iou > 0
    assert found.worst_first().tolist() == [0]


def test_the_worst_have_the_fewest_stripes_then_the_lowest_iou() -> None:
    shifted = np.roll(EXACT, 2, axis=0)
    found = agreement((EXACT, EXACT), (LABEL, EXACT), (mask(), EXACT), (shifted, EXACT))
    assert found.worst_first().tolist() == [2, 1, 3, 0]
    worst = found.worst(np.array(["same", "label", "nothing", "shifted"]), 5)
    assert [item.name for item in worst] == ["nothing", "label", "shifted"]  # the first does not differ at all
    assert worst[0].stripe_agreement == 0 and worst[0].mean_iou == pytest.approx(8 / 48 / 4)


def test_threads_change_neither_order_nor_numbers_and_torch_keeps_its_own() -> None:
    rng, before = np.random.default_rng(1), torch.get_num_threads()
    pairs = [tuple(rng.integers(0, 8, (2, *SIZE)).astype(np.uint8)) for _ in range(9)]
    one, four = (agreement(*pairs, workers=workers) for workers in (1, 4))
    assert np.array_equal(one.counts, four.counts) and np.array_equal(one.said, four.said)
    assert torch.get_num_threads() == before
    assert len(one.of(np.array([2, 5]))) == 2 and np.array_equal(one.of(np.array([5])).counts[0], one.counts[5])


def test_stripes_come_from_the_configuration() -> None:
    assert Stripes.of(Config(model=SORNConfig(stripes=6, labels=5), eval=EvalConfig(tau=0.3))) == Stripes(6, 5, 0.3)
