"""Batch norm over two processes, held against plain batch norm on the two halves put together."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.sync_batchnorm import SyncNorm, synchronised

CHANNELS = 6
STEPS = 3


@dataclass(frozen=True)
class Case:
    """sizes: images of rank 0 and 1. shape: what follows the channels. shift: of values whose spread is about 2."""

    sizes: tuple[int, int]
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    shift: float = 0.0

    def norm(self) -> nn.Module:
        norm = nn.BatchNorm2d(CHANNELS) if len(self.shape) == 2 else nn.BatchNorm1d(CHANNELS, momentum=0.3)
        with torch.no_grad():
            norm.weight.copy_(torch.linspace(0.5, 2, CHANNELS))
            norm.bias.copy_(torch.linspace(-1, 1, CHANNELS))
        return norm.to(torch.promote_types(self.dtype, torch.float32))

    def data(self) -> tuple[Tensor, Tensor]:
        """Input and the output's gradient of the whole batch, with another mean and spread on each rank. The gradient
        has the usual layout, as it may come from a layer of another one.
        """
        rng = torch.Generator().manual_seed(1)
        size = (sum(self.sizes), CHANNELS, *self.shape)
        x, gradient = torch.randn(size, generator=rng), torch.randn(size, generator=rng)
        x[self.sizes[0] :] = 3 * x[self.sizes[0] :] + 2
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return (x + self.shift).to(self.dtype).contiguous(memory_format=layout), (gradient + 0.5).to(self.dtype)

    def measure(self, norm: nn.Module, x: Tensor, gradient: Tensor) -> dict[str, Tensor]:
        x = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=x.dtype == torch.bfloat16):
            y = norm(x)
        y.backward(gradient)
        gradients = {"dx": x.grad, "dweight": norm.weight.grad, "dbias": norm.bias.grad}
        return {"y": y.detach(), **gradients, **norm.state_dict()}


CASES = {
    "1d": Case((5, 3)),
    "1d, one image here": Case((1, 4)),
    "1d with length": Case((2, 3), (7,)),
    "2d": Case((4, 4), (8, 4)),
    "2d channels last": Case((1, 6), (8, 4), channels_last=True),
    "2d far from zero": Case((4, 4), (8, 4), shift=1000.0),
    "2d float64": Case((2, 4), (8, 4), torch.float64),
    "2d bf16": Case((5, 3), (32, 16), torch.bfloat16),
    "2d bf16 channels last": Case((5, 3), (32, 16), torch.bfloat16, channels_last=True),
}


def network() -> nn.Module:
    """A convolution, both kinds of norm and a classifier, with seeded weights."""
    torch.manual_seed(3)
    stem = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, nn.BatchNorm1d(8), nn.Linear(8, 4))


def train(model: nn.Module, part: slice) -> None:
    """Steps of SGD on `part` of each batch of 8."""
    rng = torch.Generator().manual_seed(2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(STEPS):
        image, label = torch.randn(8, 3, 9, 7, generator=rng), torch.randint(4, (8,), generator=rng)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(image[part]), label[part]).backward()
        optimizer.step()


def work(rank: int, folder: Path) -> None:
    """What each of the two processes does; its results go to a file."""
    dist.init_process_group("gloo", init_method=(folder / "meet").as_uri(), rank=rank, world_size=2)
    results: dict[str, Any] = {}
    for name, case in CASES.items():
        x, gradient = (t.split(case.sizes)[rank] for t in case.data())
        results[name] = case.measure(synchronised(case.norm()), x, gradient)
    model = nn.parallel.DistributedDataParallel(synchronised(network()))
    train(model, slice(4 * rank, 4 * rank + 4))
    results["trained"] = model.module.state_dict()
    torch.save(results, folder / f"rank-{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ranks")
    processes = [subprocess.Popen([sys.executable, __file__, str(rank), str(folder)]) for rank in range(2)]
    try:
        assert [process.wait(timeout=100) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    return [torch.load(folder / f"rank-{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_compute_what_plain_batch_norm_does_on_the_whole_batch(name: str, ranks: list[Any]) -> None:
    case, results = CASES[name], [rank[name] for rank in ranks]
    x, gradient = case.data()
    expected = case.measure(case.norm().double(), x.double(), gradient.double())
    exact = {"rtol": 1e-5, "atol": 5e-4 if case.shift else 1e-5}  # a float32 near 1000 knows 6e-5
    if case.dtype == torch.float64:
        exact = {"rtol": 1e-10, "atol": 1e-10}
    once_rounded = {"rtol": 2**-8, "atol": 1e-5} if case.dtype == torch.bfloat16 else exact
    for key in ("y", "dx"):
        assert all(result[key].dtype == case.dtype for result in results)
        whole = torch.cat([result[key] for result in results]).double()
        torch.testing.assert_close(whole, expected[key], **once_rounded)
    for key in ("dweight", "dbias"):  # in the end those of the ranks are added
        total = results[0][key].double() + results[1][key].double()
        torch.testing.assert_close(total, expected[key], rtol=1e-4, atol=1e-2 if case.shift else 1e-4)
    for key in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(results[0][key], results[1][key]), "to the bit"
        torch.testing.assert_close(results[0][key].to(expected[key].dtype), expected[key], **exact)


def test_channels_last_stays_and_so_does_the_usual_layout(ranks: list[Any]) -> None:
    for name, case in CASES.items():
        if len(case.shape) == 2:
            for key in ("y", "dx"):
                assert ranks[1][name][key].is_contiguous(memory_format=torch.channels_last) == case.channels_last


def test_ddp_trains_the_weights_that_one_process_does(ranks: list[Any]) -> None:
    alone = network()
    start = {key: value.clone() for key, value in alone.state_dict().items()}
    train(alone, slice(8))
    for key, value in alone.state_dict().items():
        assert torch.equal(ranks[0]["trained"][key], ranks[1]["trained"][key])
        torch.testing.assert_close(ranks[0]["trained"][key], value, rtol=1e-4, atol=1e-5)
        assert not torch.equal(start[key], value)


def test_without_ranks_it_is_plain_batch_norm_and_checkpoints_fit_both() -> None:
    torch.manual_seed(0)
    plain, config = {}, SORNConfig(identities=3, backbone="resnet18", semantic_channels=8)
    model = SORN(config)
    images = torch.randn(2, 3, 64, 32)
    plain["eval"] = model.eval()(images).local_features
    before = {key: value.clone() for key, value in model.state_dict().items()}
    plain["train"] = model.train()(images).local_features
    after = {key: value.clone() for key, value in model.state_dict().items()}

    model.load_state_dict(before)
    tensors = [*model.parameters(), *model.buffers()]
    same = synchronised(model)
    assert same is model and all(a is b for a, b in zip(tensors, [*model.parameters(), *model.buffers()], strict=True))
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in model.modules())
    assert all(module.training for module in model.modules() if isinstance(module, SyncNorm))
    assert list(model.state_dict()) == list(before)
    assert torch.equal(model.eval()(images).local_features, plain["eval"])
    assert torch.equal(model.train()(images).local_features, plain["train"])
    assert all(torch.equal(value, after[key]) for key, value in model.state_dict().items())
    SORN(config).load_state_dict(model.state_dict())


def test_a_norm_that_holds_an_activation_is_refused() -> None:
    class NormAndActivation(nn.BatchNorm2d):
        """As timm has them."""

    with pytest.raises(ValueError, match="NormAndActivation does more than normalise"):
        synchronised(nn.Sequential(nn.Conv2d(3, 4, 1), NormAndActivation(4)))


if __name__ == "__main__":
    work(int(sys.argv[1]), Path(sys.argv[2]))
