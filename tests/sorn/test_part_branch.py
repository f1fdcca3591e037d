"""Pooling over part groups against numpy, and what the part branch learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sorn.config import LossConfig, SORNConfig
from sorn.losses import sorn_loss
from sorn.network import SORN
from sorn.part_branch import part_means, part_shares, part_weights
from sorn.parts import LABELLINGS, PART_GROUPS


def network(**options: object) -> SORN:
    torch.manual_seed(0)
    config = {"identities": 3, "backbone": "resnet18", "set_channels": 4, "semantic_channels": 8, "part_branch": True}
    return SORN(SORNConfig(**(config | options)))  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", sorted(PART_GROUPS))
def test_groups_hold_every_body_part_once(labels: int) -> None:
    classes = [one for group in PART_GROUPS[labels].values() for one in group]
    assert sorted(classes) == list(range(1, len(LABELLINGS[labels])))


@pytest.mark.parametrize(("labels", "groups"), [(8, 5), (5, 4), (2, 1)])
def test_features_are_means_weighted_by_the_probability_of_the_group(labels: int, groups: int) -> None:
    rng = np.random.default_rng(0)
    logits, maps = rng.normal(size=(2, labels, 8, 4)), rng.normal(size=(2, 3, 2, 1))
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = logits.argmax(axis=1)
    expected, shares = np.empty((2, groups, 3)), np.empty((2, groups))
    for image in range(2):
        for k, classes in enumerate(PART_GROUPS[labels].values()):
            weight = np.empty((2, 1))
            for row in range(2):
                block = likely[image, list(classes), 4 * row : 4 * row + 4]
                weight[row, 0] = block.sum(axis=0).mean()
            expected[image, k] = (weight * maps[image]).sum(axis=(1, 2)) / weight.sum()
            shares[image, k] = np.isin(label[image], classes).mean()
    found = torch.from_numpy(logits).float()
    pooled = part_means(torch.from_numpy(maps).float(), part_weights(found))
    np.testing.assert_allclose(pooled.numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(part_shares(found).numpy(), shares, rtol=1e-6)


def test_a_group_that_is_nowhere_has_the_feature_zero() -> None:
    assert part_means(torch.ones(1, 3, 2, 1), torch.zeros(1, 2, 2, 1)).tolist() == [[[0.0] * 3] * 2]


def test_the_network_has_a_feature_and_a_share_of_every_group() -> None:
    model = network()
    output = model(torch.randn(2, 3, 64, 32))
    assert output.part_features.shape == (2, 5, 512) and output.part_identities.shape == (2, 5, 3)
    assert output.part_shares.shape == (2, 5) and (output.part_shares.sum(dim=1) <= 1).all()
    assert model.feature_width == 3 * 4 + 3 * 512 + 5 * 512
    before = network(feature="before_bn").eval()
    after = network().eval()
    after.load_state_dict(before.state_dict())
    image = torch.randn(2, 3, 64, 32)
    assert after.part is not None
    torch.testing.assert_close(after.part.norms[2](before(image).part_features[:, 2]), after(image).part_features[:, 2])


def test_without_the_branch_there_is_nothing_of_it() -> None:
    model = network(part_branch=False)
    output = model(torch.randn(2, 3, 64, 32))
    assert output.part_features.shape == (2, 0, 512) and output.part_shares.shape == (2, 0)
    assert not [name for name in model.state_dict() if name.startswith("part")]


def test_identities_train_the_backbone_but_not_the_semantic_branch() -> None:
    model = network()
    output = model(torch.randn(2, 3, 64, 32))
    output.part_identities.square().sum().backward()
    assert model.semantic is not None and all(one.grad is None for one in model.semantic.parameters())
    assert model.part is not None and all(one.grad is not None for one in model.part.parameters())
    assert all(one.grad is not None for one in model.backbone.layer4.parameters())  # type: ignore[operator,union-attr]


def test_its_loss_has_a_weight_and_a_name() -> None:
    output = network()(torch.randn(2, 3, 64, 32))
    label, parts = torch.tensor([0, 2]), torch.zeros(2, 16, 8, dtype=torch.long)
    one, none = (sorn_loss(output, label, parts, LossConfig(part_weight=weight)) for weight in (0.5, 0.0))
    assert list(one) == ["local", "global", "spc", "seg", "part", "total"]
    assert one["total"].item() == pytest.approx((none["total"] + 0.5 * one["part"]).item())


@pytest.mark.parametrize(
    "options", [{"semantic_branch": False}, {"local_branch": False, "global_branch": False}], ids=str
)
def test_it_needs_the_semantic_branch_and_another(options: dict[str, bool]) -> None:
    with pytest.raises(ValueError, match=r"model\.part_branch = True: expected false without the semantic branch"):
        SORNConfig(part_branch=True, **options)  # type: ignore[arg-type]
