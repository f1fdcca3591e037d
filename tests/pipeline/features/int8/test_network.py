"""Int8 by OpenVINO and NNCF themselves, where they are installed: near the network, and the same on every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.features.int8.network import NAMES, Int8Network, compiled, write_probe
from pipeline.features.int8.quantise import quantise, save
from pipeline.features.int8.record import GRAPH
from sorn import engine
from sorn.config import SORNConfig
from sorn.export import outputs_without_branch
from sorn.network import SORN

pytest.importorskip("openvino")
pytest.importorskip("nncf")

SIZE, CPU = (64, 32), torch.device("cpu")
PLAIN = dict(identities=3, backbone="resnet18", set_channels=8, semantic_channels=8, stripes=2)


def pictures(count: int, seed: int) -> np.ndarray:
    """Coarse random pictures, whose maps are as varied as those of photographs."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 4, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.mark.parametrize(
    "options", [{"part_branch": True}, {"semantic_branch": False}, {"local_branch": False}, {"global_branch": False}]
)
def test_features_are_near_those_of_the_network(options: dict[str, bool], tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SORN(SORNConfig(**PLAIN, **options)).eval()
    files = save(quantise(network, pictures(64, 0)), tmp_path)
    assert files == ["network.xml", "network.bin"] and write_probe(tmp_path / GRAPH, SIZE) == "probe.npz"
    int8, images = Int8Network(tmp_path / GRAPH, outputs_without_branch(network)), torch.from_numpy(pictures(6, 1))
    with torch.inference_mode():
        expected, found = engine._features(network, images), int8(images)
    assert len(found) == len(NAMES)
    for name, one, other in zip(NAMES, expected, found, strict=True):
        assert one.shape == other.shape and other.dtype == torch.float32, name
        if one.numel() and "visib" not in name and name != "part_shares":
            assert (one - other).norm(dim=-1).median() < 0.25 * one.norm(dim=-1).median(), name
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda _: int8(images), range(8)))
    assert all(torch.equal(one, other) for many in others for one, other in zip(found, many, strict=True))


def test_every_convolution_but_the_first_depthwise_one_is_computed_in_int8(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SORN(SORNConfig(**PLAIN | {"backbone": "efficientnet_lite0"}, part_branch=True)).eval()
    save(quantise(network, pictures(64, 0)), tmp_path)
    layers = compiled(tmp_path / GRAPH).get_compiled_model().get_runtime_model().get_ordered_ops()
    told = [(layer.get_rt_info()["layerType"], layer.get_rt_info()["runtimePrecision"]) for layer in layers]
    kinds = ("Convolution", "Deconvolution")
    precisions = [precision.astype(str) for kind, precision in told if kind.astype(str) in kinds]
    assert len(precisions) == 52 and sum(one not in ("u8", "i8") for one in precisions) == 1
