"""DANet: output stride, attention by hand-made numbers, its loss, and what training must be able to learn."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision
from torch.nn import functional

from sorn.backbone import load_backbone
from sorn.danet import ChannelAttention, DANet, DANetOutput, PositionAttention, danet_loss, enlarged, part_scores


@pytest.fixture(scope="module")
def network() -> DANet:
    torch.manual_seed(0)
    return DANet("resnet18").eval()


def test_every_head_scores_eight_classes_at_stride_eight(network: DANet) -> None:
    output = network(torch.zeros(2, 3, 64, 32))
    assert {tuple(getattr(output, name).shape) for name in ("fused", "position", "channel")} == {(2, 8, 8, 4)}


def test_the_heads_are_as_wide_as_asked() -> None:
    assert DANet("resnet18").classify_fused[1].in_channels == 512 // 4
    narrow = DANet("resnet18", width=16).eval()
    assert narrow.classify_fused[1].in_channels == 16
    assert narrow(torch.zeros(1, 3, 32, 16)).fused.shape == (1, 8, 4, 2)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvisions_weights_fit_the_dilated_backbone(name: str) -> None:
    torch.manual_seed(1)
    plain = getattr(torchvision.models, name)(weights=None)
    dilated = DANet(name).backbone
    load_backbone(dilated, plain.state_dict())
    assert dilated(torch.zeros(2, 3, 64, 32)).block4.shape == (2, plain.fc.in_features, 8, 4)


def test_attention_starts_as_the_identity_and_then_mixes_positions() -> None:
    torch.manual_seed(2)
    attention = PositionAttention(8)
    features = torch.rand(1, 8, 3, 2)
    assert torch.equal(attention(features), features)
    with torch.no_grad():
        attention.scale.fill_(2.0)
        for layer in (attention.query, attention.key):  # every position resembles every other one: the mean of all
            layer.weight.zero_()
            layer.bias.zero_()
        attention.value.weight.copy_(torch.eye(8).view(8, 8, 1, 1))
        attention.value.bias.zero_()
        mixed = attention(features)
    assert torch.allclose(mixed, features + 2 * features.mean(dim=(2, 3), keepdim=True), atol=1e-6)


def test_channel_attention_by_hand() -> None:
    attention = ChannelAttention()
    features = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]).view(1, 2, 2, 2)
    assert torch.equal(attention(features), features)
    with torch.no_grad():
        attention.scale.fill_(1.0)
        mixed = attention(features)[0]
    # affinities 4 / sqrt(4) = 2, 0; 0, 0: the first channel takes e^2 / (e^2 + 1) of itself, the second one half of it
    share = math.e**2 / (math.e**2 + 1)
    assert torch.allclose(mixed[0], torch.full((2, 2), 1 + share)) and torch.allclose(mixed[1], torch.full((2, 2), 0.5))


def test_the_loss_is_the_weighted_sum_of_three_cross_entropies() -> None:
    sure = torch.zeros(1, 8, 2, 1)
    sure[:, 2] = 50.0
    target = torch.full((1, 16, 8), 2)
    losses = danet_loss(DANetOutput(sure, torch.zeros_like(sure), torch.zeros_like(sure)), target, 0.25)
    assert losses["fused"].item() == pytest.approx(0, abs=1e-6)
    assert losses["position"].item() == pytest.approx(math.log(8))
    assert losses["total"].item() == pytest.approx(0.5 * math.log(8), rel=1e-5)


def test_flip_is_the_mean_with_the_mirrored_image(network: DANet) -> None:
    torch.manual_seed(3)
    image = torch.rand(1, 3, 64, 32)
    once, mirrored = part_scores(network, image, False), part_scores(network, image.flip(3), False).flip(3)
    assert torch.allclose(part_scores(network, image, True), (once + mirrored) / 2, atol=1e-5)
    both = part_scores(network, image, True)
    assert torch.allclose(part_scores(network, image.flip(3), True), both.flip(3), atol=1e-5)


def test_enlarged_is_bilinear_between_pixel_centres() -> None:
    scores = torch.tensor([0.0, 1.0]).view(1, 1, 2, 1)
    assert torch.allclose(enlarged(scores, (4, 1)).flatten(), torch.tensor([0.0, 0.25, 0.75, 1.0]))


def test_it_learns_to_tell_halves_apart() -> None:
    torch.manual_seed(4)
    model = DANet("resnet18", labels=2).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    image = torch.zeros(4, 3, 32, 32)
    target = torch.zeros(4, 32, 32, dtype=torch.int64)
    for i, left in enumerate((8, 16, 24, 0)):
        image[i, :, :, left:] = 2.0
        target[i, :, left:] = 1
    for _ in range(12):
        losses = danet_loss(model(image), target, 0.4)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
    predicted = enlarged(model(image).fused, (32, 32)).argmax(dim=1)
    assert (predicted == target).float().mean() > 0.9
    assert functional.cross_entropy(enlarged(model(image).fused, (32, 32)), target) < 0.3
