"""Decisions of a search: thresholds of a similarity or a rate, and what a calibration must fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.evaluation.calibration import Calibration, RateTable, RuleCalibration, write_calibration
from pipeline.search.decision import Demand, decide, percentage, rate_of
from sorn.rules import Rule

ALL = RateTable(500, 10_000, 80, (0.5, 0.1, 0.01, 0.001), (0.1, 0.2, 0.3, 0.4), (0.0, 0.1, 0.2, 0.3))
OWN = dataclasses.replace(ALL, thresholds=(0.2, 0.4, 0.6, 0.8))
RULE = RuleCalibration(ALL, (ALL, OWN))
CALIBRATION = Calibration(
    1, "sha", "mine", "val", 100, 300, 80, 0.15, 0.005, False, False, False, "network", {"sorn": RULE}
)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    write_calibration(tmp_path / "calibration.json", CALIBRATION)
    return tmp_path


SORN = Rule("sorn", 0.15)


def decided(network: Path, *demand: object, rule: Rule = SORN, sha256: str = "sha", flip: bool = False):
    return decide(Demand(*demand), rule, 2, network, sha256, flip)


def test_without_a_demand_every_picture_is_a_hit_and_its_rate_is_told(network):
    found = decided(network)
    assert found.accepted(np.array([-1.0, 1.0]), np.array([0, 1])).all() and found.words == ""
    assert (found.rate(0.45, 0), found.rate(0.45, 1), found.source) == (0.001, 0.1, "mine, split val")
    assert decided(network / "none").rate(0.5, 0) is None


def test_a_rate_has_a_threshold_for_each_number_of_stripes_in_common(network):
    found = decided(network, None, 0.01)
    assert found.thresholds == (0.3, 0.6)
    similarity, common = np.array([0.3, 0.29, 0.6, 0.59], np.float32), np.array([0, 0, 1, 1])
    assert found.accepted(similarity, common).tolist() == [True, False, True, False]
    assert found.words.startswith("a false-match rate of at most 1% on mine, split val: a similarity of 0.300 to 0.600")


def test_a_similarity_is_one_threshold_for_all(network):
    found = decided(network / "none", 0.5)
    assert (
        found.thresholds == (0.5, 0.5) and found.words == "a similarity of at least 0.5" and found.rate(0.5, 0) is None
    )


@pytest.mark.parametrize("wrong", [1.5, -1.01, float("nan")])
def test_a_similarity_outside_its_range_is_refused(wrong):
    with pytest.raises(
        UserError, match=r"a similarity lies between -1 and 1\. Give one of that range: --at-least 0\.5"
    ):
        Demand(wrong)


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, 3.0, float("nan")])
def test_a_rate_outside_its_range_is_refused(wrong):
    with pytest.raises(UserError, match=r"expected a share between 0 and 1, .* --false-match-rate 1%"):
        Demand(None, wrong)


def test_only_one_of_both_sets_the_threshold():
    with pytest.raises(UserError, match="both set the threshold"):
        Demand(0.5, 0.01)


@pytest.mark.parametrize(
    ("text", "rate"), [("1%", 0.01), ("0.1 %", 0.001), ("0.01", 0.01), (" 1e-3 ", 0.001), (0.02, 0.02), (None, None)]
)
def test_rates_are_shares_or_percentages(text, rate):
    assert rate_of(text) == (None if rate is None else pytest.approx(rate))


@pytest.mark.parametrize("text", ["one", "1%%", "1.2.3", "-1%"])
def test_other_texts_are_no_rates(text):
    with pytest.raises(UserError, match=r"it is no number\. For example: --false-match-rate 1%"):
        rate_of(text)


def test_percentages_have_no_zeros_at_the_end():
    assert [percentage(rate) for rate in (0.01, 0.0015, 1.0)] == ["1%", "0.15%", "100%"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "other"}, "is of another checkpoint"),
        ({"rule": Rule("global", 0.15)}, "is of the variants sorn"),
        ({"rule": Rule("sorn", 0.2)}, r"is of tau = 0\.15"),
        ({"flip": True}, "is of flip = False"),
    ],
)
def test_a_rate_needs_a_calibration_that_fits(network, change, said):
    with pytest.raises(UserError, match=f"{said}; it does not fit a search with .*--calibration FILE"):
        decided(network, None, 0.01, **change)
    assert decided(network, **change).rates is None  # without a rate it is not needed


@pytest.mark.parametrize(
    ("change", "fitting", "evaluated"),
    [
        ({"rule": Rule("sorn", 0.2)}, "Search with --tau 0.15.", "--set eval.tau=0.2'"),
        ({"flip": True}, "Search without --flip.", "--set eval.flip=true'"),
        (
            {"rule": Rule("sorn", 0.15, 0.1), "flip": True},
            "Search with --part-tau 0.005 and without --flip.",
            "=0.1 --",
        ),
    ],
)
def test_the_remedy_names_the_options_that_fit(network, change, fitting, evaluated):
    with pytest.raises(UserError) as refused:
        decided(network, None, 0.01, **change)
    assert refused.value.remedy.startswith(fitting) and evaluated in refused.value.remedy


def test_a_rate_without_a_calibration_or_below_what_it_tells_is_refused(network):
    with pytest.raises(UserError, match=r"there is no calibration .*make eval DATASET=mine\.csv TRAINED_ON=RUN"):
        decided(network / "none", None, 0.01)
    with pytest.raises(UserError, match=r"0\.01% is lower than .* can tell\. Its lowest is: --false-match-rate 0\.1%"):
        decided(network, None, 0.0001)


def test_another_calibration_may_be_named(network, tmp_path):
    other = tmp_path / "other.json"
    write_calibration(other, dataclasses.replace(CALIBRATION, dataset="cameras"))
    assert decided(network, None, 0.01, other).source == "cameras, split val"
    with pytest.raises(UserError, match="there is no calibration"):
        decided(network, None, None, tmp_path / "gone.json")
