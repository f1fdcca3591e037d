"""Matching rules (Eq. 12, Table II): what is compared of two images.

Beside the variants of the paper there are those that compare part groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sorn.config import OF_PAPER, OF_PARTS, VARIANTS, check_choice
from sorn.features import FeatureBank
from sorn.parts import PART_TAU


@dataclass(frozen=True)
class Rule:
    """Matching rule: a variant, and the thresholds of stripes and part groups.

    tau: of Eq. 12, for "sorn" and "sorn+parts". part_tau: least share of the image that a visible part group has, for
    the variants of OF_PARTS. exact: whether the visible stripes are those of the ground truth (`FeatureBank.exact`).
    """

    variant: str
    tau: float = 0.0
    part_tau: float = PART_TAU
    exact: bool = False

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, VARIANTS)


def indicators(visibility: np.ndarray, tau: float) -> np.ndarray:
    """Visibility indicators I_p of Eq. 12: 1 where v_p >= tau, else 0.

    Visibility scores v_p [N, P] float32 -> [N, P] float32.
    """
    return (visibility >= np.float32(tau)).astype(np.float32)


def variants(bank: FeatureBank) -> tuple[str, ...]:
    """Matching variants that a bank allows.

    Of the paper's, only "global" without stripes, and all but "global" without global features. Those of part groups
    need a part branch, and "sorn+parts" also stripes.
    """
    stripes, parts = bank.local.shape[1] > 0, bank.part_features is not None
    found = OF_PAPER[:1] if not stripes else OF_PAPER if bank.global_.shape[1] else OF_PAPER[1:]
    return found + (OF_PARTS if stripes else OF_PARTS[:1]) if parts else found


def of_paper(bank: FeatureBank) -> str:
    """The paper's fullest variant that a bank allows."""
    return [name for name in variants(bank) if name in OF_PAPER][-1]
