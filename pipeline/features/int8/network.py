"""Int8 network on a CPU, computed by OpenVINO.

Reads int8/ in the folder of a training: network.xml, network.bin and probe.npz. What is not quantised is computed in
fp32, so that features are the same on all CPUs but for rounding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.features.int8.record import OTHERWISE, PROBE, RECORD, again, require_packages, version
from pipeline.runtime.unreported import import_openvino

NAMES = ("global", "local", "visibility", "parts", "part_shares")  # of outputs, in the order of `Features`
FURTHEST = 0.1  # |f - f'| / |f| of a probe; wrong networks had more than 0.4


class Int8Network:
    """Int8 network that extracts features.

    graph: network.xml. absent: fields of `Features` that the network does not have, by name, for one image. One thread
    computes each batch. Several may call it: each call takes a copy of the network that no other call has, and the
    first ones make these copies. OpenVINO's own streams, which would share one, compute wrong features in int8
    (findings/openvino_int8_streams.sh). Raises UserError where a copy has other outputs for the probe.
    """

    def __init__(self, graph: Path, absent: Mapping[str, Tensor]) -> None:
        require_packages(("openvino",))
        self.graph, self.absent = graph, absent
        self.free: list[Any] = []  # copies that no call has; append and pop of a list need no lock
        with self._copy():
            pass  # errors come at the start, and not from a thread

    def __call__(self, image: Tensor) -> tuple[Tensor, ...]:
        """Features of images, [B, H, W, 3] uint8; the fields of `Features` in their order."""
        with self._copy() as copy:
            found = outputs(copy, image.numpy())
        return tuple(
            torch.from_numpy(found[name]) if name in found else self._absent(name, len(image)) for name in NAMES
        )

    @contextlib.contextmanager
    def _copy(self) -> Iterator[Any]:
        try:
            copy = self.free.pop()
        except IndexError:
            copy = compiled(self.graph)
            require_probe(copy, self.graph)
        try:
            yield copy
        finally:
            self.free.append(copy)

    def _absent(self, name: str, count: int) -> Tensor:
        value = self.absent[name]
        return value.expand(count, *value.shape[1:])


def compiled(graph: Path) -> Any:
    """Network ready to run, by one thread.

    Raises UserError for a network that this OpenVINO cannot run.
    """
    asked = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
    asked["ENABLE_CPU_PINNING"] = False  # pinned, all copies would share one core
    try:
        return import_openvino().Core().compile_model(str(graph), "CPU", asked).create_infer_request()
    except RuntimeError as error:
        wrong = f"OpenVINO {version('openvino')} cannot run {graph}: {str(error).strip().splitlines()[-1]}"
        remedy = f"Install the version that {graph.with_name(RECORD)} names; or else: {again(graph.parent)}"
        raise UserError(wrong, remedy) from error


def outputs(copy: Any, images: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of a network by name, for images [B, H, W, 3] uint8."""
    found = copy.infer([images])
    return {output.get_any_name(): values.copy() for output, values in found.items()}


def write_probe(graph: Path, size: tuple[int, int]) -> str:
    """Write the probe of a network, beside it.

    size: height, width of its images. Returns the name of the file.
    """
    height, width = size
    coarse = np.random.default_rng(0).integers(0, 256, (2, height // 8, width // 8, 3), dtype=np.uint8)
    images = coarse.repeat(8, axis=1).repeat(8, axis=2)
    arrays: dict[str, Any] = {"image": images, **outputs(compiled(graph), images)}
    np.savez(graph.with_name(PROBE), **arrays)
    return PROBE


def require_probe(copy: Any, graph: Path) -> None:
    """Check of a network by its probe.

    Raises UserError where its features are others than where it was made.
    """
    with np.load(graph.with_name(PROBE)) as file:
        expected = dict(file)
    found = outputs(copy, expected.pop("image"))
    for name in ("global", "local"):
        if name in expected:
            length = np.linalg.norm(expected[name], axis=-1)
            apart = np.linalg.norm(found[name] - expected[name], axis=-1)
            worst = float((apart / np.maximum(length, np.finfo(np.float32).tiny)).max())
            if not worst <= FURTHEST:
                wrong = f"{graph} has {name} features here that are {100 * worst:.0f} % off those it was made with"
                raise UserError(wrong, f"Report your CPU and version of OpenVINO; {OTHERWISE}.")
