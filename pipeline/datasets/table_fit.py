"""Class tables against the ids of label maps. No files.

A table is contradicted by ids that it has not, by parts that are too large, and by their order from head to foot.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pipeline.datasets.class_tables import UNKNOWN
from pipeline.datasets.shipped_tables import TABLES
from sorn.parts import BACKGROUND, CLASSES, FOOT, HEAD, LOWER_LEG, TORSO, UPPER_LEG

ORDER = (HEAD, TORSO, UPPER_LEG, LOWER_LEG, FOOT)  # of a person who stands or sits; arms may be anywhere
_MOUTH = ("lower lip", "upper lip", "lower teeth", "upper teeth", "tongue")
SMALL = frozenset({*_MOUTH, "eyeglass", "glasses", "sunglasses", "eyewear", "watch", "wristband", "jewelry"})
SMALL_SHARE = 0.05  # of the person: none of these is larger
LARGEST_SHARES = {HEAD: 0.5, FOOT: 0.3}  # of the person, on average
LEAST_SHARE = 0.01  # of the person: an id with less says nothing about the order
LEVEL = 0.04  # of the map's height: ids whose middles lie nearer are at one level
MOST_WRONG = 0.25  # of the order: people bend and sit, and tools make mistakes
RIVALS = (("sapiens28", "sapiens29"),)  # tables that read each other's maps without an unknown id
LEAST_PARTS = 3  # in maps that tell tables apart: outlines tell nothing
CLEARLY = 0.05  # by so much less of one of two tables must be wrong, where both know all ids


@dataclass(frozen=True)
class IdRegion:
    """Pixels of one id in one map.

    row: their middle, as a share of the map's height.
    """

    pixels: int
    row: float


@dataclass
class IdStatistics:
    """Ids of some label maps."""

    maps: list[dict[int, IdRegion]] = field(default_factory=list)

    def add(self, ids: np.ndarray) -> None:
        """Count a map, [h, w] of integers or bool."""
        values, inverse = np.unique(ids, return_inverse=True)
        rows = np.repeat((np.arange(ids.shape[0]) + 0.5) / ids.shape[0], ids.shape[1])
        counts = np.bincount(inverse.ravel(), minlength=len(values))
        sums = np.bincount(inverse.ravel(), weights=rows, minlength=len(values))
        found = zip(values.tolist(), counts.tolist(), sums.tolist(), strict=True)
        self.maps.append({int(value): IdRegion(count, total / count) for value, count, total in found})

    @property
    def pixels(self) -> Counter[int]:
        """Id -> its pixels in all maps."""
        total: Counter[int] = Counter()
        for regions in self.maps:
            total.update({value: region.pixels for value, region in regions.items()})
        return total


@dataclass(frozen=True)
class TableFit:
    """One class table against some label maps.

    unknown: id -> pixels, of ids that the table has not. wrong: share of the pixels compared that lie in the wrong
    order. oversized, upside_down: the worst case in words, "" for none.
    """

    name: str
    unknown: Mapping[int, int]
    wrong: float
    oversized: str
    upside_down: str

    @property
    def contradiction(self) -> str:
        """Reason why the table cannot be meant, in words; "" for none."""
        if self.unknown:
            named = ", ".join(map(str, sorted(self.unknown)[:4]))
            return f"it has no id {named}{', ...' if len(self.unknown) > 4 else ''}"
        return self.oversized or (self.upside_down if self.wrong > MOST_WRONG else "")


def fit_table(name: str, labels: Mapping[int, tuple[str, int]], statistics: IdStatistics) -> TableFit:
    """Judgement of one table. labels: id -> (its label, our part id)."""
    unknown = {value: pixels for value, pixels in statistics.pixels.items() if value not in labels}
    wrong: Counter[tuple[int, int]] = Counter()
    weights = {True: 0.0, False: 0.0}
    shares: dict[int, float] = defaultdict(float)
    for regions in statistics.maps:
        seen = {value: one for value, one in regions.items() if value in labels and labels[value][1] != BACKGROUND}
        person = sum(one.pixels for one in seen.values())
        for value, one in seen.items():
            shares[value] += one.pixels / person / len(statistics.maps)
        ordered = [value for value in seen if labels[value][1] in ORDER and seen[value].pixels >= LEAST_SHARE * person]
        for upper, lower in _pairs(ordered, labels):
            distance = seen[lower].row - seen[upper].row
            if abs(distance) > LEVEL:
                weights[distance > 0] += min(seen[upper].pixels, seen[lower].pixels) / person
                wrong[upper, lower] += distance < 0
    total = sum(weights.values())
    share = weights[False] / total if total else 0.0
    return TableFit(name, unknown, share, _oversized(labels, shares), _upside_down(labels, wrong, statistics))


def fit_shipped(statistics: IdStatistics) -> list[TableFit]:
    """Judgement of every shipped table, the best first."""
    fits = [fit_table(name, shipped_labels(name), statistics) for name in TABLES]
    return sorted(fits, key=lambda fit: (bool(fit.contradiction), round(fit.wrong, 2), len(TABLES[fit.name])))


def better(name: str, lookup: np.ndarray, statistics: IdStatistics) -> tuple[str, str]:
    """Shipped table that fits label maps better than the given one.

    It comes with what contradicts the given one, in words. lookup: of the given table, as `load_table` returns it.
    ("", "") where the given one fits, and where none does.
    """
    given = fit_table(name, shipped_labels(name) if name in TABLES else own_labels(lookup), statistics)
    if given.contradiction:
        best = fit_shipped(statistics)[0]
        labels = shipped_labels(best.name)
        parts = {labels[value][1] for value in statistics.pixels if value in labels} - {BACKGROUND}
        return ("", "") if best.contradiction or len(parts) < LEAST_PARTS else (best.name, given.contradiction)
    for rivals in RIVALS:
        if name in rivals:
            (other,) = set(rivals) - {name}
            fit = fit_table(other, shipped_labels(other), statistics)
            if not fit.contradiction and fit.wrong + CLEARLY < given.wrong:
                return other, given.upside_down
    return "", ""


def shipped_labels(name: str) -> dict[int, tuple[str, int]]:
    """Id -> (label, part id) of a shipped table.

    Hands have no part id: like lower arms they have no place in the order.
    """
    known = enumerate(TABLES[name])
    return {value: (label, CLASSES.index(ours) if ours in CLASSES else UNKNOWN) for value, (label, ours) in known}


def own_labels(lookup: np.ndarray) -> dict[int, tuple[str, int]]:
    """Id -> (name of its class, part id) of a user's table.

    lookup: as `load_table` returns it. 0 is background where the table leaves it out.
    """
    known = {0: (CLASSES[BACKGROUND], BACKGROUND)}
    return known | {value: (CLASSES[part], part) for value, part in enumerate(lookup.tolist()) if part != UNKNOWN}


def _pairs(values: list[int], labels: Mapping[int, tuple[str, int]]) -> Iterable[tuple[int, int]]:
    """Ids of which one belongs above the other."""
    place = {value: ORDER.index(labels[value][1]) for value in values}
    return ((upper, lower) for upper in values for lower in values if place[upper] < place[lower])


def _oversized(labels: Mapping[int, tuple[str, int]], shares: Mapping[int, float]) -> str:
    """shares: id -> mean share of the person."""
    large = {value: share for value, share in shares.items() if labels[value][0] in SMALL and share > SMALL_SHARE}
    if large:
        worst = max(large, key=lambda value: large[value])
        return f"id {worst}, there {labels[worst][0]}, covers {large[worst]:.0%} of the person"
    for part, most in LARGEST_SHARES.items():
        found = sum(share for value, share in shares.items() if labels[value][1] == part)
        if found > most:
            return f"there the class {CLASSES[part]} covers {found:.0%} of the person"
    return ""


def _upside_down(
    labels: Mapping[int, tuple[str, int]], wrong: Counter[tuple[int, int]], statistics: IdStatistics
) -> str:
    if not wrong or not wrong.most_common(1)[0][1]:
        return ""
    ((upper, lower), count) = wrong.most_common(1)[0]
    names = f"id {upper}, there {labels[upper][0]}, lies below id {lower}, there {labels[lower][0]}"
    return f"{names}, in {count} of {len(statistics.maps)} maps"
