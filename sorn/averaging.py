"""Average of a network's weights over the steps of a training."""

from __future__ import annotations

import copy

import torch

from sorn.network import SORN


class WeightAverage:
    """Exponential moving average of all weights and running statistics of a network.

    network: a copy that holds the average, in evaluation mode; counters in it are the newest. decay: in (0, 1). The
    first steps count more, as in TensorFlow's averages, so that a short training forgets its start: the decay of step n
    is at most (1 + n) / (10 + n).
    """

    def __init__(self, model: SORN, decay: float) -> None:
        self.network, self.decay = copy.deepcopy(model).requires_grad_(False).eval(), decay
        pairs = list(zip(self.network.state_dict().values(), model.state_dict().values(), strict=True))
        self._means = [mean for mean, _ in pairs if mean.is_floating_point()]
        self._values = [value for mean, value in pairs if mean.is_floating_point()]
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """The weights after one more step.

        step: its number in the whole training, from 0. Waits for no device.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._means, self._values, 1 - decay)
        for counter, newest in self._counters:
            counter.copy_(newest)
