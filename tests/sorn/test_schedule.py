"""The learning rate of Section IV-B, and the optimizers that follow it."""

import pytest
import torch

from sorn.config import ScheduleConfig
from sorn.schedule import build_optimizer, learning_rate, set_learning_rate


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


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 1e-5), (1, 5.5e-5), (2, 1e-4), (4, 0.75e-4), (5, 5e-5), (6, 0.25e-4), (8, 0.0)]
)
def test_half_a_cosine_from_the_end_of_the_warm_up_to_the_last_epoch(epoch, rate):
    cosine = {"shape": "cosine", "base_lr": 1e-4, "warmup_start_lr": 1e-5, "milestones": (1, 3)}
    config = ScheduleConfig(epochs=8, warmup_epochs=2, **cosine)
    assert learning_rate(config, epoch) == pytest.approx(rate, abs=1e-12)


def test_a_cosine_without_epochs_after_the_warm_up_is_the_warm_up():
    config = ScheduleConfig(shape="cosine", epochs=3, warmup_epochs=5)
    assert learning_rate(config, 2.5) == pytest.approx((3e-5 + 3e-4) / 2)


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.ModuleDict({"backbone": torch.nn.Linear(1, 1, bias=False), "head": torch.nn.Linear(1, 1)})


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, rate: float) -> None:
    """One step down a slope of 1."""
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    set_learning_rate(optimizer, rate)
    optimizer.step()


def test_sgd_by_hand():
    """v = 0.9 v + g + decay w; w = w - rate v."""
    model = network()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    config = ScheduleConfig(optimizer="sgd", momentum=0.9, backbone_rate=0.1, base_lr=0.1, warmup_epochs=0)
    optimizer = build_optimizer(model, config, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.1, 0.01])
    step(model, optimizer, 0.1)  # v = 1.5
    assert model["head"].weight.item() == pytest.approx(1 - 0.15)
    assert model["head"].bias.item() == pytest.approx(1 - 0.15)
    assert model["backbone"].weight.item() == pytest.approx(1 - 0.015)
    step(model, optimizer, 0.01)  # after a drop, for both
    assert model["head"].weight.item() == pytest.approx(0.85 - 0.01 * (0.9 * 1.5 + 1 + 0.5 * 0.85))
    assert model["backbone"].weight.item() == pytest.approx(0.985 - 0.001 * (0.9 * 1.5 + 1 + 0.5 * 0.985))


def test_adam_is_adam_and_the_backbone_can_be_slower():
    """The first step of Adam is the rate, whatever the slope."""
    model, plain = network(), network()
    before = [parameter.item() for parameter in model.parameters()]
    optimizer = build_optimizer(model, ScheduleConfig(), 0.0)
    assert isinstance(optimizer, torch.optim.Adam) and len(optimizer.param_groups) == 1
    own = torch.optim.Adam(plain.parameters(), lr=0.0, fused=True)
    for group in own.param_groups:
        group["share"] = 1.0
    for rate in (0.1, 0.2):
        step(model, optimizer, rate)
        step(plain, own, rate)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))
    slow = network()
    step(slow, build_optimizer(slow, ScheduleConfig(backbone_rate=0.5), 0.0), 0.1)
    moved = [a - b.item() for a, b in zip(before, slow.parameters(), strict=True)]
    assert moved == pytest.approx([0.05, 0.1, 0.1], abs=1e-5)  # the backbone, and the head's weight and bias


def test_weights_that_do_not_learn_are_in_no_group():
    model = network()
    model["backbone"].requires_grad_(False)
    for config in (ScheduleConfig(), ScheduleConfig(optimizer="sgd", backbone_rate=0.1)):
        optimizer = build_optimizer(model, config, 0.5)
        assert [weights.shape for group in optimizer.param_groups for weights in group["params"]] == [(1, 1), (1,)]
        assert len(optimizer.state) in (0, 2)


def test_the_groups_come_back_from_a_state():
    config = ScheduleConfig(optimizer="sgd", backbone_rate=0.1)
    saved = build_optimizer(network(), config, 0.0).state_dict()
    other = build_optimizer(network(), config, 0.0)
    other.load_state_dict(saved)
    set_learning_rate(other, 1.0)
    assert [group["lr"] for group in other.param_groups] == [1.0, 0.1]


def test_a_first_step_that_overflows_leaves_no_undefined_momentum(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's fused SGD makes the momentum of a first step in undefined memory, and a skipped step leaves it so."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)  # with nan
    model = network()
    optimizer = build_optimizer(model, ScheduleConfig(optimizer="sgd"), 0.0)
    scaler = torch.amp.GradScaler("cpu", enabled=True)
    torch.use_deterministic_algorithms(True)
    try:
        for factor in (float("inf"), 1.0, 1.0):
            optimizer.zero_grad()
            scaler.scale(sum((factor * p).sum() for p in model.parameters())).backward()
            scaler.step(optimizer)
            scaler.update()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert all(torch.equal(optimizer.state[p]["momentum_buffer"], torch.full_like(p, 1.9)) for p in model.parameters())
