"""Agreement of part masks with references: pixels, classes, visible stripes.

Stripes are those of matching: the mask reduced by majority to 4h x 4w, as training sees it (Section III-E), v_p the
share of foreground in stripe p of the feature map (Eq. 11), visible where v_p >= tau (Eq. 12).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.label_report import DifferingImage, MaskAgreement, StripeAgreement
from pipeline.runs.config import Config
from pipeline.runtime.threads import single_torch_thread
from sorn import metrics
from sorn.parts import CLASSES
from sorn.threads import use_one_torch_thread

STRIDE = 16  # of the backbone: the feature map is H/16 x W/16
BATCH = 16  # masks compared at a time: enough for torch, and what they become stays in the cache

Masks = Callable[[], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Stripes:
    """Rule that decides which stripes are visible.

    count: P. labels: K, the classes that training reduces masks to. tau: threshold of Eq. 12.
    """

    count: int
    labels: int
    tau: float

    @staticmethod
    def of(config: Config) -> Stripes:
        return Stripes(config.model.stripes, config.model.labels, config.eval.tau)

    def fit(self, size: tuple[int, int]) -> bool:
        """Whether images of that size have a feature row for every stripe."""
        return self.count <= size[0] // STRIDE

    def scores(self, masks: np.ndarray) -> np.ndarray:
        """v_p: masks [B, H, W] uint8 -> float32 [B, P]."""
        import torch  # takes seconds to import, and labels without a reference need none

        from sorn.batch import reduce_masks
        from sorn.branches import MASK_SCALE, foreground_shares

        height, width = (side // STRIDE * MASK_SCALE for side in masks.shape[1:])
        reduced = reduce_masks(torch.from_numpy(masks), (height, width), self.labels, "majority")
        found: np.ndarray = foreground_shares(reduced != 0, self.count).numpy()
        return found

    def indicators(self, scores: np.ndarray) -> np.ndarray:
        """I_p: scores v_p [B, P] float32 -> bool [B, P]."""
        from sorn.rules import indicators

        return indicators(scores, self.tau) > 0


@dataclass(frozen=True)
class Agreement:
    """Of n images. counts: pixels, int64 [n, 8, 8], [reference, mask].

    true, said: bool [n, P], the visible stripes of the reference and of the masks; P = 0 where the images are too low
    for that many stripes.
    """

    counts: np.ndarray
    true: np.ndarray
    said: np.ndarray
    stripes: Stripes

    def __len__(self) -> int:
        return len(self.counts)

    def of(self, chosen: np.ndarray) -> Agreement:
        """That of the images which bool [n] or int64 [m] chooses."""
        return Agreement(self.counts[chosen], self.true[chosen], self.said[chosen], self.stripes)

    def stripe_agreement(self) -> np.ndarray:
        """Share of the stripes that agree, float64 [n]; 1 without stripes."""
        return (self.true == self.said).mean(axis=1) if self.true.shape[1] else np.ones(len(self))

    def image_iou(self) -> np.ndarray:
        """mIoU of each image over the classes that occur in it, float64 [n]."""
        return np.array([metrics.mean_iou(counts) for counts in self.counts])

    def worst_first(self) -> np.ndarray:
        """Positions by agreeing stripes, then by mIoU, rising, int64 [n]."""
        return np.lexsort((self.image_iou(), self.stripe_agreement()))

    def worst(self, names: Sequence[str], count: int) -> tuple[DifferingImage, ...]:
        """The first `count` of those that differ at all.

        names: of the n images.
        """
        iou, same = self.image_iou(), self.stripe_agreement()
        first = [i for i in self.worst_first().tolist() if iou[i] < 1][:count]
        return tuple(DifferingImage(names[i], float(iou[i]), float(same[i])) for i in first)

    def figures(self) -> MaskAgreement:
        """Of all images together."""
        total = self.counts.sum(axis=0)
        iou = [None if np.isnan(value) else float(value) for value in metrics.class_iou(total)]
        return MaskAgreement(
            len(self),
            metrics.mean_iou(total),
            metrics.pixel_accuracy(total),
            dict(zip(CLASSES, iou, strict=True)),
            stripe_agreement(self.true, self.said, self.stripes) if self.true.shape[1] else None,
        )


def stripe_agreement(true: np.ndarray, said: np.ndarray, stripes: Stripes) -> StripeAgreement:
    """Agreement of visible stripes.

    true, said: bool [n, P], the visible stripes of the references and of the masks that are scored.
    """
    same = true == said
    return StripeAgreement(
        stripes.count,
        stripes.tau,
        float(same.mean()),
        tuple(float(value) for value in same.mean(axis=0)),
        said_hidden=float((true & ~said).mean()),
        said_visible=float((~true & said).mean()),
        visible_share=float(true.mean()),
    )


def measure(batches: Iterable[Masks], stripes: Stripes, workers: int = 1) -> Agreement:
    """Agreement of masks with their references, batch by batch.

    batches: at least one call that returns masks and references, both uint8 [B, H, W] of one size. They are made by
    `workers` threads, so that reading and computing share the cores; results keep their order.
    """

    def compare(read: Masks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        masks, references = read()
        pairs = zip(masks, references, strict=True)
        counts = [metrics.confusion(mask, reference, len(CLASSES)) for mask, reference in pairs]
        if not stripes.fit(masks.shape[1:]):
            return np.stack(counts), np.zeros((len(masks), 0), bool), np.zeros((len(masks), 0), bool)
        return (
            np.stack(counts),
            stripes.indicators(stripes.scores(references)),
            stripes.indicators(stripes.scores(masks)),
        )

    # Steps this small took ten times longer when torch's own threads had to wait for each other.
    with (
        single_torch_thread(needed=True),
        ThreadPoolExecutor(max(1, workers), initializer=use_one_torch_thread) as pool,
    ):
        counts, true, said = (np.concatenate(field) for field in zip(*pool.map(compare, batches), strict=True))
    return Agreement(counts, true, said, stripes)
