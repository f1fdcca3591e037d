"""ReLU and ReLU6 in bfloat16: values and gradients equal torch's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sorn import relu as module
from sorn.backbones import build_backbone
from sorn.relu import FEW, FastReLU, FastReLU6, relu, relu6, use_relu

Rectifier = Callable[[Tensor], Tensor]
BOTH = [(relu, F.relu), (relu6, F.relu6)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Where torch has many threads, it is as fast, and computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def everything() -> Tensor:
    """All bfloat16 numbers."""
    return torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).clone()


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bits of the largest results of every cut that is computed by the kernel."""
    found, cut = [], module._cut
    monkeypatch.setattr(module, "_cut", lambda input, top: found.append(top) or cut(input, top))
    return found


@pytest.mark.parametrize(("own", "torchs"), BOTH)
def test_every_number_becomes_what_it_becomes_in_torch(
    own: Rectifier, torchs: Rectifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, values = counted(monkeypatch), everything()
    expected = torchs(values)
    found = own(values)
    assert asked and found is values
    assert torch.equal(found.isnan(), expected.isnan()) and found.isnan().any()
    known = ~expected.isnan()
    assert torch.equal(found[known], expected[known])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("own", "torchs"), BOTH)
def test_gradients_are_those_of_torch(
    own: Rectifier, torchs: Rectifier, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    asked = counted(monkeypatch)
    image = (4 * torch.randn(2, 64, 16, 16)).bfloat16().contiguous(memory_format=layout)
    image[0, 0, 0, :4] = torch.tensor([6.0, 0.0, float("inf"), -float("inf")])
    weights, gradients = torch.randn(image.shape).bfloat16(), []
    for rectify in (own, torchs):
        leaf = image.clone().requires_grad_()
        gradients += torch.autograd.grad((rectify(leaf * 1) * weights).sum(), [leaf])
    assert torch.equal(*gradients) and gradients[0].any() and len(asked) == 1


def test_a_map_that_is_kept_for_a_gradient_must_not_change() -> None:
    kept, weight = torch.randn(2, 64, 16, 16).bfloat16(), torch.ones(1, dtype=torch.bfloat16, requires_grad=True)
    product = (kept * weight).sum()
    relu(kept)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_small_wide_and_cut_out_maps_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    values = torch.randn(4, 64, 16, 16)
    cut_out, whole = values.bfloat16()[:, :, :9], torch.randn(4, 64, 16, 16).bfloat16()
    for one in (values.clone(), cut_out, whole[0, 0].clone()):
        expected = F.relu6(one)
        assert torch.equal(relu6(one), expected)
    monkeypatch.setattr(torch, "get_num_threads", lambda: module.MOST_THREADS + 1)
    expected = F.relu(whole)
    assert torch.equal(relu(whole), expected)
    assert not asked and whole.numel() >= FEW


def test_only_those_in_place_are_replaced() -> None:
    network = nn.Sequential(nn.ReLU(inplace=True), nn.ReLU(), nn.ReLU6(inplace=True), nn.ReLU6(), nn.LeakyReLU())
    before = [type(layer) for layer in network]
    use_relu(network)
    assert [type(layer) for layer in network] == [FastReLU, before[1], FastReLU6, before[3], before[4]]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_lite0"])
def test_backbones_compute_and_learn_by_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    backbone, image = build_backbone(name).to(memory_format=torch.channels_last), torch.randn(2, 3, 128, 64)
    results = []
    for few in (FEW, 1 << 60):
        monkeypatch.setattr(module, "FEW", few)
        asked = counted(monkeypatch)
        with torch.autocast("cpu", torch.bfloat16):
            maps = backbone.train()(image)
        backbone.zero_grad()
        sum(found.float().square().mean() for found in maps).backward()
        gradients = [value.grad for value in backbone.parameters()]
        results.append([*maps, *gradients])
        assert bool(asked) == (few == FEW)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
