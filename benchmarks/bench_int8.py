"""Extraction in int8, by the program and by ONNX Runtime, beside our fp32 and bf16.

Static quantisation of the whole network, with ranges from training pictures: images per CPU second with one thread, by
turns. "int8" is that of eval.precision. With --pictures also rank-1, mAP and the visible stripes, on the queries and
gallery of a SynPed. Needs packages: pip install -e '.[int8,export]'.
Run: python benchmarks/bench_int8.py [--quick] [--rounds N] [--network NAME] [--pictures data/synped_demo/images]
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from report import Figure, emit, median

from pipeline.datasets.image_folder import look, read_pictures
from pipeline.features.int8.network import compiled, outputs
from pipeline.features.int8.quantise import quantise, save
from pipeline.features.int8.record import GRAPH
from pipeline.features.network import load_network
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.layout import WEIGHTS
from pipeline.runtime.arithmetic import bf16_unit, uses_amx
from pipeline.runtime.memory import keep_freed_memory
from pipeline.tools.export.writers import WRITERS, Graph
from sorn.batch import to_input
from sorn.config import SORNConfig
from sorn.engine import autocast
from sorn.export import ExportedNetwork, named, output_names, traced
from sorn.features import FeatureBank
from sorn.fused import fused
from sorn.matching import similarity_blocks
from sorn.metrics import evaluate, relevance
from sorn.network import SORN
from sorn.rules import Rule, indicators

PACKAGES = ("onnx", "onnxruntime", "openvino", "nncf")
STARTER = Path(__file__).parents[1] / "weights" / "starter"
LARGE = (384, 128)  # height and width of the ResNet-50, whose weights are random
BATCH, CALIBRATION, TAU = 16, 304, 0.15
TELLING = ("ours fp32", "ours bf16", "int8", "ONNX Runtime int8")
# Ways whose accuracy is measured: those that differ from the first one by more than its last bits.
CPU = torch.device("cpu")
Outputs = dict[str, np.ndarray]
Way = Callable[[np.ndarray], Outputs]  # images [B, H, W, 3] uint8 -> its outputs by name


def of_torch(network: SORN, precision: str) -> Way:
    """Our extraction: norms folded, channels_last."""
    ready, names = fused(network, precision, uses_amx(precision, CPU)), output_names(network.config, parts=True)

    @torch.inference_mode()
    def way(images: np.ndarray) -> Outputs:
        with autocast(CPU, precision):
            output = ready(to_input(torch.from_numpy(images), network.normalisation))
        return {name: value.float().numpy() for name, value in named(output, names).items()}

    return way


def of_onnxruntime(file: Path) -> Way:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {"image": images}), strict=True))


def of_openvino(graph: Path) -> Way:
    copy = compiled(graph)
    return lambda images: outputs(copy, images)


def quantised_onnx(file: Path, images: np.ndarray) -> Path:
    """int8 by ONNX Runtime: QDQ, a scale per channel of the weights, ranges by the least and largest value."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = (images[i : i + BATCH] for i in range(0, len(images), BATCH))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self.left, None)
            return None if batch is None else {"image": batch}

    prepared, made = file.with_suffix(".prepared.onnx"), file.with_suffix(".int8.onnx")
    quant_pre_process(str(file), str(prepared))
    kinds = {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(str(prepared), str(made), Reader(), per_channel=True, **kinds)
    return made


def all_ways(network: SORN, calibration: np.ndarray, folder: Path) -> dict[str, Way]:
    """Every way of computing the features of a network."""
    file = folder / "network.onnx"
    shapes: dict[str, list[int]] = {name: [] for name in output_names(network.config, parts=True)}
    facts = {"input": {"name": "image"}, "outputs": shapes}
    save_onnx = WRITERS["onnx"][0]
    save_onnx(file, Graph(traced(ExportedNetwork(network, parts=True), calibration.shape[1:3]), facts, {0: "batch"}))
    save(quantise(network, calibration), folder)
    return {
        "ours fp32": of_torch(network, "fp32"),
        "ours bf16": of_torch(network, "bf16"),
        "int8": of_openvino(folder / GRAPH),
        "OpenVINO fp32": of_openvino(file),
        "ONNX Runtime fp32": of_onnxruntime(file),
        "ONNX Runtime int8": of_onnxruntime(quantised_onnx(file, calibration)),
    }


def rates(ways: dict[str, Way], images: np.ndarray, rounds: int) -> dict[str, list[float]]:
    """Images per CPU second of every way, by turns; the first round warms up."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-1, rounds):
        for name, way in ways.items():
            start = time.process_time()
            way(images)
            if number >= 0:
                found[name].append(len(images) / (time.process_time() - start))
    return found


def read(folder: Path, size: tuple[int, int], most: int = 0) -> tuple[np.ndarray, list[str]]:
    """Pictures [n, H, W, 3] uint8 of a folder, and their names, but none of folders inside it (cut ones).

    most: so many of them, evenly; 0 is all.
    """
    pictures = look(folder)
    names = [name for name in pictures.names if (folder / name).parent == folder]
    names = names[:: -(-len(names) // most)] if most else names
    return np.stack([one.image for one in read_pictures(pictures, names, size) if one.image is not None]), list(names)


def bank(way: Way, images: np.ndarray, names: list[str]) -> FeatureBank:
    """Features of all images in batches of one size. names: pid, camera and number, as SynPed writes them."""
    fill = -len(images) % BATCH
    padded = np.concatenate([images, np.zeros((fill, *images.shape[1:]), np.uint8)])
    found = [way(padded[i : i + BATCH]) for i in range(0, len(padded), BATCH)]
    joined = {name: np.concatenate([one[name] for one in found])[: len(images)] for name in found[0]}
    ids = [Path(name).stem.split("_") for name in names]
    pid, camid = (np.array([int(one[k].lstrip("c")) for one in ids]) for k in (0, 1))
    flat = joined["global"].reshape(len(images), -1)
    return FeatureBank(flat, joined["local"], joined["visibility"], pid, camid, np.array(names))


def accuracy(ways: dict[str, Way], telling: list[str], sides: list[tuple[np.ndarray, list[str]]]) -> dict[str, Figure]:
    """Rank-1 and mAP of every way, and what it changes in features and visible stripes of the first one.

    sides: query and gallery, images and names.
    """
    figures: dict[str, Figure] = {}
    first: list[np.ndarray] = []
    for name in telling:
        print(f"features: {name}", flush=True)
        query, gallery = (bank(ways[name], *side) for side in sides)
        relevant = relevance(query.pid, query.camid, gallery.pid, gallery.camid)
        for variant in ("global+local", "sorn"):
            blocks = similarity_blocks(query, gallery, [Rule(variant, TAU)])
            metrics = evaluate(((rows, one[0]) for rows, one in blocks), relevant)
            figures[f"{name}, {variant}, rank-1 %"] = Figure(100 * metrics.rank(1))
            figures[f"{name}, {variant}, mAP %"] = Figure(100 * metrics.mean_ap)
        both = [np.concatenate([query.visibility, gallery.visibility]), np.concatenate([query.local, gallery.local])]
        first = first or both
        changed = indicators(both[0], TAU) != indicators(first[0], TAU)
        apart = np.linalg.norm(both[1] - first[1], axis=2) / np.linalg.norm(first[1], axis=2)
        figures[f"{name}, visible stripes that change, of {changed.size}"] = Figure(int(changed.sum()))
        figures[f"{name}, distance of stripe features, share of their length, median"] = Figure(float(np.median(apart)))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="starter alone, two rounds, 16 pictures for calibration")
    parser.add_argument("--rounds", type=int, help="[7]")
    parser.add_argument("--network", help="starter, ResNet-50 (random weights) or the folder of a training, alone")
    parser.add_argument("--pictures", type=Path, help="folder of train, query, gallery; else speed alone")
    given = parser.parse_args()
    lacking = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        print(f"int8 is not measured: this environment lacks {', '.join(lacking)}")
        return
    telling = [name for name in TELLING if name != "ours bf16" or bf16_unit()]  # emulated, it takes an hour
    torch.set_num_threads(1)
    keep_freed_memory()
    rounds, count = given.rounds or (2 if given.quick else 7), BATCH if given.quick else CALIBRATION
    place = STARTER if given.network in (None, "starter", "ResNet-50") else Path(given.network)
    size = describe(place).image_size
    noise = np.random.default_rng(0).integers(0, 256, (count, *LARGE, 3), dtype=np.uint8)
    calibration, sides = noise[:, : size[0], : size[1]].copy(), []
    if given.pictures:
        sides = [read(given.pictures / split, size) for split in ("query", "gallery")]
        calibration = read(given.pictures / "train", size, count)[0]
    networks: dict[str, tuple[SORN, np.ndarray]] = {}
    if given.network != "ResNet-50":
        networks[place.name] = (load_network(place / WEIGHTS, describe(place).model, CPU), calibration)
    if given.network == "ResNet-50" or not (given.quick or given.network):
        torch.manual_seed(0)
        networks["ResNet-50"] = (SORN(SORNConfig(identities=0)).eval(), noise[: 2 * BATCH])
    rows: dict[str, list[float]] = {}
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, (network, images) in networks.items():
            files = Path(folder) / title
            files.mkdir()
            ways = all_ways(network, images, files)
            found = rates(ways, images[:BATCH], rounds)
            rows |= {f"{title}, {name}": values for name, values in found.items()}
            for name, values in found.items():
                print(f"{title}, {name}: {median(values):.1f} images per CPU second", flush=True)
                figures[f"{title}, {name} over ours fp32"] = Figure(median(values) / median(found["ours fp32"]))
            if sides and title == place.name:
                figures |= accuracy(ways, telling, sides)
    emit("int8", rows, figures, "images per CPU second")


if __name__ == "__main__":
    main()
