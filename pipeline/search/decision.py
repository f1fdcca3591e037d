"""Decision of a search: similar enough or not, and how sure.

Reads the calibration.json beside a network, or another one that is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.evaluation.calibration import Calibration, RuleCalibration, measure, read_calibration
from pipeline.runs.config import EvalConfig
from pipeline.runs.layout import CALIBRATION, INT8_FOLDER
from pipeline.runtime.arithmetic import INT8
from sorn.config import spelled
from sorn.rules import Rule

USUAL = {name: getattr(EvalConfig(), name) for name in ("tau", "part_tau", "flip")}
# Options of an evaluation that a search has too.

LOWEST, HIGHEST = -1.0, 1.0
# Of a similarity.

RATE = re.compile(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*(%?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Demand:
    """What a hit must reach.

    at_least: similarity, None for any. rate: false-match rate whose threshold it must reach, None for any. calibration:
    file, None for the one beside the network.
    """

    at_least: float | None = None
    rate: float | None = None
    calibration: Path | None = None

    def __post_init__(self) -> None:
        low, high = LOWEST, HIGHEST
        if self.at_least is not None and not low <= self.at_least <= high:
            wrong = f"at least {self.at_least:g}: a similarity lies between {low:g} and {high:g}"
            raise UserError(wrong, "Give one of that range: --at-least 0.5; or a rate: --false-match-rate 1%")
        if self.rate is not None and not 0 < self.rate < 1:
            wrong = f"false-match rate {self.rate:g}: expected a share between 0 and 1, or a percentage"
            raise UserError(wrong, "For example: --false-match-rate 1%")
        if self.at_least is not None and self.rate is not None:
            wrong = f"at least {self.at_least:g} and a false-match rate of {self.rate:g} both set the threshold"
            raise UserError(wrong, "Give one of them: --at-least or --false-match-rate.")


@dataclass(frozen=True)
class Decision:
    """Thresholds of a search, and the rates of wrong pairs.

    thresholds: by number of stripes and part groups in common; None where every picture is a hit. rates: None without a
    calibration that fits. words: for people, "" without thresholds. source: of the rates, in words.
    """

    thresholds: tuple[float, ...] | None = None
    rates: RuleCalibration | None = None
    words: str = ""
    source: str = ""

    def accepted(self, similarity: np.ndarray, common: np.ndarray) -> np.ndarray:
        """Pictures that are similar enough, bool [n].

        common: stripes and part groups in common, int64 [n].
        """
        if self.thresholds is None:
            return np.ones(len(similarity), bool)
        found: np.ndarray = similarity >= np.array(self.thresholds, np.float32)[common]
        return found

    def rate(self, similarity: float, common: int) -> float | None:
        """Upper bound of the share of wrong pairs that are as similar.

        None where it is unknown.
        """
        return self.rates.rate(similarity, common) if self.rates else None


def decide(demand: Demand, rule: Rule, kinds: int, network: Path, sha256: str, flip: bool, int8: str = "") -> Decision:
    """Decision of a search.

    kinds: largest number of stripes and part groups in common, plus one. network: folder of the checkpoint. flip:
    whether features are averaged with those of mirror images. int8: digest of its int8 network, which has a calibration
    of its own; "" for another precision. Raises UserError for a rate without a calibration that fits, and for one that
    is lower than its pairs can tell.
    """
    found = _calibration(demand, rule, network, sha256, flip, int8)
    rates = found.rules[rule.variant] if found else None
    if rates is not None and len(rates.by_common) != kinds:
        raise UserError(f"the calibration of {network} is of another number of stripes", measure(network))
    source = found.source if found else ""
    if demand.at_least is not None:
        words = f"a similarity of at least {demand.at_least:g}"
        return Decision((demand.at_least,) * kinds, rates, words, source)
    if demand.rate is None:
        return Decision(None, rates, "", source)
    assert rates is not None, "a rate without a calibration is refused"
    thresholds = rates.thresholds(demand.rate)
    if thresholds is None:
        least = min(rates.all.rates, default=1.0)
        wrong = f"a false-match rate of {percentage(demand.rate)} is lower than the calibration on {source} can tell"
        raise UserError(wrong, f"Its lowest is: --false-match-rate {percentage(least)}")
    limits = f"{min(thresholds):.3f}" + (f" to {max(thresholds):.3f}" if len(set(thresholds)) > 1 else "")
    words = f"a false-match rate of at most {percentage(demand.rate)} on {source}: a similarity of {limits}"
    return Decision(thresholds, rates, f"{words}, by what is visible" if len(set(thresholds)) > 1 else words, source)


def rate_of(text: str | float | None) -> float | None:
    """Rate from "1%", "0.01" or a number. Raises UserError for another text."""
    if text is None or isinstance(text, int | float):
        return text
    found = RATE.fullmatch(text)
    try:
        assert found is not None
        return float(found[1]) / (100 if found[2] else 1)
    except (AssertionError, ValueError) as error:
        wrong = f"false-match rate = '{text}': it is no number"
        raise UserError(wrong, "For example: --false-match-rate 1%") from error


def percentage(rate: float) -> str:
    """A rate in percent, without zeros at the end."""
    return f"{100 * rate:.4g}%"


def _calibration(demand: Demand, rule: Rule, network: Path, sha256: str, flip: bool, int8: str) -> Calibration | None:
    """Calibration that fits; None without one where none is needed."""
    path, needed = (
        demand.calibration or (network / INT8_FOLDER if int8 else network) / CALIBRATION,
        demand.rate is not None or demand.calibration is not None,
    )
    if not needed and not path.is_file():
        return None
    own: Mapping[str, object] = {"tau": rule.tau, "part_tau": rule.part_tau, "flip": flip}
    unusual = tuple(f"eval.{name}={spelled(value)}" for name, value in own.items() if value != USUAL[name])
    in_int8 = (network / INT8_FOLDER / CALIBRATION).is_file()  # then an evaluation may recall that precision
    wanted = INT8 if int8 else "auto" if in_int8 else ""
    again = measure(network, unusual + ((f"eval.precision={wanted}",) if wanted else ()))
    try:
        found = read_calibration(path)
    except UserError as error:
        if needed:
            raise UserError(error.wrong, again) from error
        return None
    other = [name for name, value in own.items() if getattr(found, name) != value]
    wrong, remedy = ", ".join(f"{name} = {getattr(found, name)}" for name in other), again
    if found.checkpoint_sha256 != sha256:
        wrong = "another checkpoint"
    elif found.int8 != int8:
        wrong = "another precision, or of another int8 network"
    elif rule.variant not in found.rules:
        wrong = f"the variants {', '.join(found.rules)}"
    elif not found.plain:
        wrong = "features that no search has (eval.place, eval.adapt_norms or eval.visibility)"
    elif other:
        remedy = f"Search {' and '.join(_with(name, getattr(found, name)) for name in other)}. Or else: {again}"
    if not wrong:
        return found
    if needed:
        own_text = f"a search with {rule.variant}, tau {rule.tau:g}{' and --flip' if flip else ''}"
        raise UserError(f"{path} is of {wrong}; it does not fit {own_text}", remedy)
    return None


def _with(name: str, value: float | bool) -> str:
    """Words for an option of the search with this value."""
    if name == "flip":
        return "with --flip" if value else "without --flip"
    return f"with --{name.replace('_', '-')} {value:g}"
