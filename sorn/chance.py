"""Chance level of every figure: its expectation for a random ranking.

Takes arrays and returns numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from sorn.metrics import RANKS, Relevance


def chance(relevant: Relevance, formula: str = "standard", single_shot: bool = False) -> dict[str, float]:
    """Expected value of each figure for a random ranking.

    The expectation is exact. The mean is over the queries that have a match.
    """
    return _expected(relevant, single_shot, lambda n, m: _random_figures(n, m, formula))


def chance_cmc(relevant: Relevance, single_shot: bool = False, length: int = 50) -> np.ndarray:
    """Expected CMC curve of a random ranking at ranks 1..length, float64 [length]."""
    ranks = range(1, length + 1)
    curve = _expected(
        relevant, single_shot, lambda n, m: dict(zip(map(str, ranks), _random_cmc(n, m, ranks), strict=True))
    )
    return np.array(list(curve.values()))


def _expected(
    relevant: Relevance, single_shot: bool, figures_of: Callable[[int, int], dict[str, float]]
) -> dict[str, float]:
    """Mean of the expected figures over the queries that have a match.

    figures_of: (images that count, matches among them) -> figures.
    """
    persons = int(relevant.group.max(initial=-1)) + 1
    pairs = [
        (persons, 1) if single_shot else (len(relevant.group) - len(dropped), len(matches))
        for matches, dropped in zip(relevant.matches, relevant.dropped, strict=True)
        if len(matches)
    ]
    figures = {pair: figures_of(*pair) for pair in set(pairs)}
    names = figures_of(1, 1)
    return {name: float(np.mean([figures[pair][name] for pair in pairs])) if pairs else float("nan") for name in names}


def _random_figures(n: int, m: int, formula: str) -> dict[str, float]:
    """Expected figures when m matches lie anywhere among n images, every order equally likely.

    Position r holds a match with probability m / n, and then each of the r - 1 positions before it with probability (m
    - 1) / (n - 1).
    """
    positions = np.arange(1, n + 1)
    harmonic = float((1 / positions).sum())
    pair = (m - 1) / (n - 1) if n > 1 else 0.0
    standard = (harmonic + pair * (n - harmonic)) / n
    # P(last match at r), from r = n downwards: P(n) = m / n, and P(r) = P(r + 1) (r - m + 1) / r.
    steps = np.maximum(positions[:-1] - m + 1, 0) / positions[:-1]
    last = m / n * np.append(np.cumprod(steps[::-1])[::-1], 1.0)
    figures = {f"rank-{k}": share for k, share in zip(RANKS, _random_cmc(n, m, RANKS), strict=True)}
    figures["mAP"] = standard if formula == "standard" else (standard + m / n) / 2
    figures["mINP"] = float((last * m / positions).sum())
    return figures


def _random_cmc(n: int, m: int, ranks: Iterable[int]) -> list[float]:
    """Probability of a match among the first k images, for each k.

    m matches lie anywhere among n images.
    """
    # P(no match among the first k) = product over i < k of (n - m - i) / (n - i).
    misses = np.cumprod(np.maximum(n - m - np.arange(n), 0) / (n - np.arange(n)))
    return [1 - float(misses[min(k, n) - 1]) for k in ranks]
