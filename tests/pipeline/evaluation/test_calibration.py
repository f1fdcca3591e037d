"""calibration.json: what is written is read again; rates are told from above, thresholds from below."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.evaluation.calibration import Calibration, RateTable, RuleCalibration, read_calibration, write_calibration
from pipeline.runs.config import EvalConfig

ALL = RateTable(500, 10_000, 80, (0.5, 0.1, 0.01, 0.001), (0.1, 0.2, 0.3, 0.4), (0.0, 0.1, 0.2, 0.3))
OWN = RateTable(50, 2_000, 40, (0.5, 0.1, 0.01), (0.2, 0.4, 0.6), (0.0, 0.1, 0.2))
FEW = dataclasses.replace(OWN, persons=19)
NOTHING = RateTable(0, 0, 0, (), (), ())
RULE = RuleCalibration(ALL, (NOTHING, FEW, OWN))
CALIBRATION = Calibration(
    1, "c" * 64, "mine", "val", 100, 300, 80, 0.15, 0.005, False, False, False, "network", {"sorn": RULE}
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(path, CALIBRATION)
    assert read_calibration(path) == CALIBRATION


def test_a_threshold_is_that_of_the_highest_rate_that_is_told_and_not_above() -> None:
    assert ALL.threshold(0.01) == 0.3 and ALL.threshold(0.05) == 0.3 and ALL.threshold(0.6) == 0.1
    assert ALL.threshold(0.0005) is None and NOTHING.threshold(0.5) is None


def test_the_rate_of_a_similarity_is_told_from_above() -> None:
    assert [ALL.rate(value) for value in (0.05, 0.1, 0.29, 0.3, 0.99)] == [1.0, 0.5, 0.1, 0.01, 0.001]


def test_few_persons_or_pairs_have_the_thresholds_of_all_pairs() -> None:
    assert RULE.thresholds(0.01) == (0.3, 0.3, 0.6)
    assert RULE.thresholds(0.001) == (0.4, 0.4, 0.4)  # too few pairs have two stripes in common
    assert RULE.thresholds(0.0001) is None
    assert [RULE.rate(0.45, common) for common in range(3)] == [0.001, 0.001, 0.1]


@pytest.mark.parametrize(
    "change",
    [{"tau": 0.2}, {"part_tau": 0.1}, {"flip": True}, {"adapt_norms": True}, {"place": True}, {"place": "either"}],
)
def test_a_calibration_fits_an_evaluation_with_its_options(change) -> None:
    assert CALIBRATION.fits(EvalConfig()) and not CALIBRATION.fits(EvalConfig(**change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.pop("split"), "split is missing"),
        (lambda found: found.update(schema_version=2), "schema version 2"),
        (lambda found: found["rules"]["sorn"]["all"]["rates"].reverse(), "do not belong together"),
        (lambda found: found["rules"]["sorn"]["all"]["missed"].pop(), "do not belong together"),
        (lambda found: found["rules"]["sorn"].update(all=3), "expected a table"),
    ],
)
def test_a_damaged_calibration_is_refused(tmp_path: Path, change, said) -> None:
    path = tmp_path / "calibration.json"
    write_calibration(path, CALIBRATION)
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(UserError, match=f"{path} is no calibration: .*{said}.*--calibration FILE"):
        read_calibration(path)
