"""Feature extraction for bench_eval: its speed, and what its precision does to the figures. Reads a finished run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from pipeline.features.network import Inference, load_network
from pipeline.io import checkpoints
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.layout import WEIGHTS
from pipeline.shards.dataset import ShardDataset
from sorn import engine, matching, metrics
from sorn.batch import Batch, to_input
from sorn.config import SORNConfig
from sorn.features import FeatureBank
from sorn.fused import fused
from sorn.network import SORN
from sorn.rules import Rule, variants

IMAGES, BATCHES, SIZE = 16, 4, (384, 128)
CPU = torch.device("cpu")


def extraction_rate(way: str) -> float:
    """Images/s over some batches, after one pass over them that warms caches and allocators.

    way: "fp32 NCHW", the trained network as it is, fed with normalised floats, a batch at a time on all cores; or a
    precision of ours, fed with uint8, as the eval stage does it.
    """
    rng = np.random.default_rng(0)
    images = [torch.from_numpy(rng.integers(0, 256, (IMAGES, *SIZE, 3), dtype=np.uint8)) for _ in range(BATCHES)]
    torch.manual_seed(0)
    config = SORNConfig(identities=0)
    network = SORN(config).eval()
    if way == "fp32 NCHW":
        ready = [to_input(image, network.normalisation).contiguous() for image in images]

        def run() -> None:
            with torch.inference_mode():
                for image in ready:
                    network(image)

    else:
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / WEIGHTS
            checkpoints.save_weights(weights, network.state_dict(), {})
            inference = Inference(weights, config, "cpu", way)
        batches = [whole(image) for image in images]

        def look(batch: Batch) -> object:
            return engine.extract_features(inference.network, [batch], CPU, way)

        def run() -> None:
            for _ in inference.run(look, ((batch,) for batch in batches)):
                pass

    run()
    start = time.perf_counter()
    run()
    return BATCHES * IMAGES / (time.perf_counter() - start)


def whole(image: torch.Tensor) -> Batch:
    """A batch of images of nobody, without masks."""
    none = torch.zeros(len(image), dtype=torch.int64)
    return Batch(image, torch.zeros(image.shape[:3], dtype=torch.uint8), none, none, none > 0)


def precision_effect(run: Path) -> dict[str, float]:
    """rank-1 and mAP of the run's test split (fullest variant, its tau of 0.15) in fp32, bf16 and their difference."""
    training = run / "train"
    network = load_network(training / WEIGHTS, describe(training).model, CPU)
    query, gallery = (ShardDataset(run / "masks" / "index.json", split) for split in ("query", "gallery"))
    figures: dict[str, float] = {}
    for precision in ("fp32", "bf16"):
        asked, searched = (features(fused(network, precision), data, precision) for data in (query, gallery))
        rule = Rule(variants(asked)[-1], 0.15)
        relevant = metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
        blocks = ((rows, similarity) for rows, (similarity,) in matching.similarity_blocks(asked, searched, [rule]))
        found = metrics.evaluate(blocks, relevant)
        figures |= {f"{precision}_rank-1": found.rank(1), f"{precision}_mAP": found.mean_ap}
    changes = {f"bf16_changes_{name}": figures[f"bf16_{name}"] - figures[f"fp32_{name}"] for name in ("rank-1", "mAP")}
    return figures | changes


def features(network: SORN, data: ShardDataset, precision: str) -> FeatureBank:
    batches = (data.__getitems__(range(i, min(i + IMAGES, len(data)))) for i in range(0, len(data), IMAGES))
    features = engine.extract_features(network, batches, CPU, precision)
    return FeatureBank.of(features, data.pid, data.camid, data.name)
