"""The average of a network's weights, with values worked out by hand."""

import pytest
import torch

from sorn.averaging import WeightAverage


def network() -> torch.nn.Module:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    model[0].weight.data.fill_(0.0)
    return model


def test_the_first_steps_count_more_until_the_decay_is_reached():
    model = network()
    average = WeightAverage(model, 0.9)
    for step, value, expected in ((0, 1.0, 0.9), (1, 2.0, 0.9 * 2 / 11 + 2.0 * 9 / 11), (1000, 3.0, None)):
        before = average.network[0].weight.item()
        model[0].weight.data.fill_(value)
        average.update(step)
        expected = 0.9 * before + 0.1 * value if expected is None else expected
        assert average.network[0].weight.item() == pytest.approx(expected)
    assert model[0].weight.item() == 3.0  # the training goes on from its own weights


def test_running_statistics_are_averaged_and_counters_are_the_newest():
    model = network()
    average = WeightAverage(model, 0.5)
    model.load_state_dict({**model.state_dict(), "1.running_mean": torch.tensor([4.0])})  # as a training resumes
    model[1].num_batches_tracked.fill_(7)
    average.update(1000)
    assert average.network[1].running_mean.item() == 2.0 and average.network[1].num_batches_tracked == 7
    assert not average.network.training and not any(weight.requires_grad for weight in average.network.parameters())
