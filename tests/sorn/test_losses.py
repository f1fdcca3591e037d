"""Eq. 1, 5, 6, 7-9 and 10 by hand-made numbers."""

import math
from dataclasses import replace

import pytest
import torch

from sorn.config import LossConfig, SORNConfig
from sorn.losses import (
    NO_LABEL,
    identity,
    part_segmentation,
    sorn_loss,
    spatial_patch_contrastive,
    visible_identity,
)
from sorn.network import SORN, SORNOutput


def test_identity_is_summed_over_stripes_and_averaged_over_the_batch():
    even = torch.zeros(2, 4)  # every identity 1/4
    label = torch.tensor([0, 3])
    assert identity(even, label).item() == pytest.approx(math.log(4))  # Eq. 6
    assert identity(even[:, None].expand(2, 3, 4), label).item() == pytest.approx(3 * math.log(4))  # Eq. 1, P = 3
    sure = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]])  # 3/4 and 1/2 for the right one
    assert identity(sure, torch.tensor([1, 0])).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_smoothed_identities_are_those_of_equation_8():
    logits, label = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.tensor([0])
    total = math.log(math.exp(2) + 3)
    expected = -(0.925 * (2 - total) - 3 * 0.025 * total)  # 1 - 0.1 + 0.1 / 4, and 0.1 / 4 for each of the others
    assert identity(logits, label, 0.1).item() == pytest.approx(expected)
    assert identity(torch.stack([logits, logits], dim=1), label, 0.1).item() == pytest.approx(2 * expected)
    assert LossConfig().identity_smoothing == 0


def test_groups_that_an_image_does_not_show_have_no_loss():
    logits = torch.zeros(2, 3, 4, requires_grad=True)  # every identity 1/4
    visible = torch.tensor([[True, True, False], [False, True, False]])
    loss = visible_identity(logits, torch.tensor([0, 3]), visible)
    assert loss.item() == pytest.approx((2 + 1) * math.log(4) / 2)
    loss.backward()
    assert (logits.grad.abs().sum(dim=2) > 0).equal(visible)
    label, everything = torch.tensor([0, 3]), torch.ones(2, 3, dtype=torch.bool)
    other = torch.arange(24.0).view(2, 3, 4)
    for smoothing in (0.0, 0.2):
        expected = identity(other, label, smoothing).item()
        assert visible_identity(other, label, everything, smoothing).item() == pytest.approx(expected)
    assert visible_identity(logits, torch.tensor([0, 3]), torch.zeros(2, 3, dtype=torch.bool)).item() == 0


def test_spc_counts_what_a_map_shows_outside_its_own_patch():
    maps = torch.zeros(1, 2, 4, 1)
    maps[0, 0, :, 0] = torch.tensor([0.9, 0.8, 0.3, 0.1])  # outside patch 1: 0.4
    maps[0, 1, :, 0] = torch.tensor([0.2, 0.1, 0.7, 0.6])  # outside patch 2: 0.3
    assert spatial_patch_contrastive(maps).item() == pytest.approx(0.7)
    assert spatial_patch_contrastive(maps, "mean").item() == pytest.approx(0.7 / 4)
    assert spatial_patch_contrastive(torch.cat([maps, torch.zeros_like(maps)])).item() == pytest.approx(0.35)
    assert spatial_patch_contrastive(maps[:, :1]).item() == 0  # N = 1: no SPC loss


def test_spc_equals_equation_5_as_written():
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 24, 8)
    written = sum(maps[:, n].sum() - maps[:, n, n * 8 : (n + 1) * 8].sum() for n in range(3)) / 2
    torch.testing.assert_close(spatial_patch_contrastive(maps), written)


def test_segmentation_smooths_towards_the_uniform_distribution():
    logits = torch.tensor([2.0, 0.0, 0.0, 0.0]).reshape(1, 4, 1, 1)
    target = torch.zeros(1, 1, 1, dtype=torch.long)
    log_z = math.log(math.exp(2) + 3)
    right, wrong = log_z - 2, log_z  # -log s_k
    assert part_segmentation(logits, target, 0.0).item() == pytest.approx(right, abs=1e-6)  # Eq. 7
    smoothed = (1 - 3 / 4 * 0.1) * right + 3 * (0.1 / 4) * wrong  # Eq. 9 with K = 4, eps = 0.1
    assert part_segmentation(logits, target, 0.1).item() == pytest.approx(smoothed, abs=1e-6)


def test_segmentation_is_the_mean_over_labelled_pixels():
    logits = torch.zeros(2, 4, 1, 2)
    logits[0, 0, 0, 0] = 2.0
    target = torch.tensor([[[0, NO_LABEL]], [[NO_LABEL, NO_LABEL]]])
    right = math.log(math.exp(2) + 3) - 2
    assert part_segmentation(logits, target, 0.0).item() == pytest.approx(right, abs=1e-6)
    alone = part_segmentation(logits[:1, :, :, :1], target[:1, :, :1], 0.1)
    assert part_segmentation(logits, target, 0.1).item() == pytest.approx(alone.item(), abs=1e-6)
    nothing = logits.requires_grad_()
    loss = part_segmentation(nothing, torch.full_like(target, NO_LABEL), 0.1)
    loss.backward()
    assert loss.item() == 0 and (nothing.grad == 0).all()


def output_with(maps: torch.Tensor) -> SORNOutput:
    return SORNOutput(
        global_feature=torch.zeros(1, 6),
        local_features=torch.zeros(1, 2, 4),
        global_logits=torch.zeros(1, 5),
        local_logits=torch.zeros(1, 2, 5),
        maps=maps,
        part_logits=torch.zeros(1, 8, 4, 4),
        visibility=torch.ones(1, 2),
        part_features=torch.zeros(1, 0, 4),
        part_identities=torch.zeros(1, 0, 5),
        part_shares=torch.zeros(1, 0),
    )


def test_total_is_equation_10():
    losses = sorn_loss(
        output_with(torch.full((1, 2, 2, 1), 0.5)),
        torch.tensor([3]),
        torch.zeros(1, 4, 4, dtype=torch.long),
        LossConfig(),
    )
    local, spc, seg = 2 * math.log(5), 1.0, math.log(8)
    assert {name: value.item() for name, value in losses.items()} == pytest.approx(
        {
            "local": local,
            "global": math.log(5),
            "spc": spc,
            "seg": seg,
            "total": local + 0.75 * math.log(5) + 0.5 * spc + 1.5 * seg,
        }
    )


def test_smoothing_of_identities_reaches_both_branches():
    logits = torch.arange(5.0).view(1, 5)
    output = replace(output_with(torch.zeros(1, 2, 2, 1)), global_logits=logits, local_logits=logits.repeat(1, 2, 1))
    given = output, torch.tensor([3]), torch.zeros(1, 4, 4, dtype=torch.long)
    plain, smoothed = (sorn_loss(*given, LossConfig(identity_smoothing=e)) for e in (0.0, 0.5))
    changed = {name for name in plain if not torch.equal(plain[name], smoothed[name])}
    assert changed == {"local", "global", "total"}


def test_a_branch_that_is_off_has_no_loss():
    config = SORNConfig(identities=3, backbone="resnet18", global_branch=False, semantic_branch=False)
    losses = sorn_loss(SORN(config)(torch.zeros(2, 3, 64, 32)), torch.tensor([0, 2]), None, LossConfig())
    assert set(losses) == {"local", "total"}


def test_missing_part_labels_are_named():
    with pytest.raises(ValueError, match="no part labels"):
        sorn_loss(output_with(torch.zeros(1, 2, 2, 1)), torch.tensor([0]), None, LossConfig())
