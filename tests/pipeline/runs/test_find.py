"""Which finished training is meant by a name."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.runs.find import find_trained, find_training


@pytest.fixture
def runs(tmp_path) -> Path:
    """Two runs of a, one with an experiment, and one of b that never finished."""
    for run in ("a-import", "a-import/experiments/small", "a-danet"):
        (tmp_path / run / "train").mkdir(parents=True)
        for name in ("stamp.json", "model.safetensors", "config.json"):
            (tmp_path / run / "train" / name).write_text("{}")
    (tmp_path / "b-import/experiments/small/train").mkdir(parents=True)
    return tmp_path


def test_runs_and_experiments_are_found_by_their_names(runs):
    assert find_trained("a-danet", runs).full_name == "a-danet"
    assert find_trained("a-import/experiments/small", runs).full_name == "a-import/experiments/small"
    assert find_training("a-import/experiments/small", runs) == runs / "a-import/experiments/small/train"


def test_an_experiment_is_nobodys_default(runs):
    (runs / "a-danet/train/stamp.json").unlink()
    assert find_trained("a", runs).full_name == "a-import"
    (runs / "a-import/train/stamp.json").unlink()
    with pytest.raises(UserError, match=r"no finished training run of 'a'.*Found: a-import/experiments/small\."):
        find_trained("a", runs)


def test_two_and_none_are_errors_with_the_names(runs):
    with pytest.raises(UserError, match=r"several runs were trained on a: a-danet, a-import\. Name one"):
        find_trained("a", runs)
    with pytest.raises(UserError, match=r"no finished training run of 'b-import/experiments/small'"):
        find_trained("b-import/experiments/small", runs)
