"""Calibration of a trained network: its false-match rates over its similarities.

Reads and writes calibration.json, beside a checkpoint and in an evaluation.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.evaluation.certainty import ThresholdFigures
from pipeline.io import documents
from pipeline.io.files import write_json
from pipeline.io.text import read_json
from pipeline.runs.config import EvalConfig
from pipeline.runs.find import place_of
from pipeline.runs.layout import CALIBRATION, STAMP, Paths
from pipeline.runs.shipped import ships
from pipeline.runtime.arithmetic import INT8
from sorn.error_rates import PairCounts

SCHEMA_VERSION = 1
SETTINGS = ("tau", "part_tau", "flip", "adapt_norms", "place", "visibility")
# Options of [eval] that features and visible stripes depend on; fields of `Calibration` of the same names.
FEWEST_PERSONS = 20  # that pairs with some number of stripes in common must show, before they have rates of their own


@dataclass(frozen=True)
class RateTable:
    """Thresholds of some false-match rates, measured on some pairs.

    same, different: number of pairs. persons: in the pairs of different people. rates: FMR, falling. thresholds: lowest
    similarity with at most that rate, rising. missed: FNMR there. Each rate has at least ten wrong pairs.
    """

    same: int
    different: int
    persons: int
    rates: tuple[float, ...]
    thresholds: tuple[float, ...]
    missed: tuple[float, ...]

    @classmethod
    def of(cls, counts: PairCounts, persons: int) -> RateTable:
        rows = counts.table() if counts.usable else []
        rates, thresholds, missed = zip(*rows, strict=True) if rows else ((), (), ())
        pairs = int(counts.same.sum()), int(counts.different.sum())
        return cls(*pairs, persons, rates, thresholds, tuple(round(value, 6) for value in missed))

    def threshold(self, rate: float) -> float | None:
        """Threshold of the highest listed rate that is at most `rate`.

        None where no rate is that low.
        """
        return next((limit for told, limit in zip(self.rates, self.thresholds, strict=True) if told <= rate), None)

    def rate(self, similarity: float) -> float:
        """Lowest listed rate whose threshold a similarity reaches.

        1 where it reaches none.
        """
        reached = [rate for rate, limit in zip(self.rates, self.thresholds, strict=True) if similarity >= limit]
        return reached[-1] if reached else 1.0


@dataclass(frozen=True)
class RuleCalibration:
    """Calibration of one matching variant.

    all: of all pairs. by_common: of those with 0, 1, 2, ... stripes and part groups in common.
    """

    all: RateTable
    by_common: tuple[RateTable, ...]

    def table(self, common: int, rate: float) -> RateTable:
        """Table for pairs with so much in common, else for all pairs.

        Their own needs enough persons, and must list a rate of at most `rate`.
        """
        own = self.by_common[common]
        return own if own.persons >= FEWEST_PERSONS and own.threshold(rate) is not None else self.all

    def thresholds(self, rate: float) -> tuple[float, ...] | None:
        """Threshold by number in common.

        None where no rate is that low.
        """
        found = [self.table(common, rate).threshold(rate) for common in range(len(self.by_common))]
        return tuple(limit for limit in found if limit is not None) if None not in found else None

    def rate(self, similarity: float, common: int) -> float:
        """Upper bound of the share of wrong pairs that are as similar.

        common: stripes and part groups that the pair has in common.
        """
        own = self.by_common[common]
        return (own if own.persons >= FEWEST_PERSONS and own.rates else self.all).rate(similarity)


@dataclass(frozen=True)
class Calibration:
    """Contents of calibration.json.

    checkpoint_sha256: of the weights. dataset, split: of the pairs. tau, part_tau: thresholds of visible stripes and
    part groups. flip, adapt_norms, place, visibility: options of the features, as in `eval`. rules: variant -> its
    rates. measured: of the paper's fullest variant, rates at thresholds with their intervals. note: in words, "" for
    nothing. made_from: digest of features and options (`threshold_source`), "" where the pairs are those of a report.
    int8: digest of the int8 network of the features, "" in another precision.
    """

    schema_version: int
    checkpoint_sha256: str
    dataset: str
    split: str
    queries: int
    gallery_images: int
    persons: int
    tau: float
    part_tau: float
    flip: bool
    adapt_norms: bool
    place: bool | str
    visibility: str
    rules: dict[str, RuleCalibration]
    measured: tuple[ThresholdFigures, ...] = ()
    note: str = ""
    made_from: str = ""
    int8: str = ""

    @property
    def source(self) -> str:
        """Dataset and split, in words."""
        return f"{self.dataset}, split {self.split}"

    @property
    def plain(self) -> bool:
        """Whether its features are those of `sorn search`."""
        return not self.adapt_norms and not self.place and self.visibility == "network"

    def fits(self, options: EvalConfig) -> bool:
        """Whether an evaluation with these options has the same features and stripes."""
        return all(getattr(self, name) == getattr(options, name) for name in SETTINGS)


def beside_checkpoint(paths: Paths, options: EvalConfig) -> Path:
    """Path of the calibration beside a checkpoint.

    That of its int8 network is beside that one.
    """
    return paths.int8_calibration if options.precision == INT8 else paths.checkpoint_calibration


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write calibration.json whole or not at all."""
    write_json(path, documents.to_json(calibration), allow_nan=False)


def read_calibration(path: Path) -> Calibration:
    """Calibration of a file.

    Raises UserError for a file that is missing, damaged or of another schema version.
    """
    try:
        found = documents.from_json(Calibration, documents.require_version(read_json(path), SCHEMA_VERSION))
        _require_tables(found.rules)
        return found
    except FileNotFoundError as error:
        raise UserError(f"there is no calibration {path}", measure(path.parent)) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no calibration: {reason(error)}", measure(path.parent)) from error


def measure(network: Path, options: tuple[str, ...] = ()) -> str:
    """Remedy for a network without a calibration.

    network: its folder. options: those of the evaluation, as for --set.
    """
    place, words = place_of(network), "".join(f" --set {option}" for option in options)
    if (network / STAMP).is_file() and not ships(network) and not place.evaluated:
        command = f"sorn eval {shlex.quote(place.full_name)} --runs {shlex.quote(str(place.runs))}{words} --force"
        return f"Measure it: {command}"
    name = network.name if ships(network) else "RUN"
    given = f" ARGS='{words.strip()}'" if words else ""
    return (
        f"Evaluate it on pictures of known people, make eval DATASET=mine.csv TRAINED_ON={name}{given}, and name the "
        f"{CALIBRATION} in the folder of that report: --calibration FILE"
    )


def _require_tables(rules: dict[str, RuleCalibration]) -> None:
    """Raise ValueError for tables whose columns do not belong together."""
    for variant, rule in rules.items():
        for table in (rule.all, *rule.by_common):
            falling = _sorted(tuple(-rate for rate in table.rates)) and _sorted(table.thresholds)
            if not len(table.rates) == len(table.thresholds) == len(table.missed) or not falling:
                raise ValueError(f"rules.{variant}: rates and thresholds do not belong together")


def _sorted(values: Sequence[float]) -> bool:
    return list(values) == sorted(values)
