"""The learning rate of Section IV-B."""

import pytest

from sorn.config import ScheduleConfig
from sorn.schedule import learning_rate


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 3e-5), (5, 1.65e-4), (10, 3e-4), (29, 3e-4), (30, 3e-5), (59, 3e-5), (60, 3e-6), (79, 3e-6)],
)
def test_the_papers_curve(epoch, rate):
    assert learning_rate(ScheduleConfig(), epoch) == pytest.approx(rate)


def test_the_warm_up_rises_within_an_epoch_and_drops_fall_at_its_start():
    config = ScheduleConfig()
    assert learning_rate(config, 0.5) == pytest.approx(3e-5 + 0.05 * (3e-4 - 3e-5))
    assert learning_rate(config, 29.99) == pytest.approx(3e-4)


def test_no_warm_up_starts_at_the_base_rate():
    assert learning_rate(ScheduleConfig(warmup_epochs=0), 0) == pytest.approx(3e-4)
