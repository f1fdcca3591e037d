"""Quantisation of a trained network to int8, by NNCF.

The convolutions and sums of the whole network, its part branch too, are quantised statically: a scale per channel of
the weights, and a range per map that training images give. Means, norms and shares stay exact, as they do in bf16. So
does the first depthwise convolution: its channels differ more than eight bits can tell, and it is quick anyway.
Weights take half of the range of int8. A CPU without VNNI adds products in 16 bits, where the whole range would
overflow, and features would depend on the CPU (findings/openvino_int8_by_cpu.sh).
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.features.int8.record import GRAPH, WEIGHTS_FILE
from pipeline.runtime.progress import progress
from pipeline.runtime.unreported import import_openvino, unreported
from sorn.export import ExportedNetwork, traced
from sorn.folding import fold
from sorn.network import SORN
from sorn.phases import use_phases

BATCH = 16  # images; their ranges are taken together
DEPTHWISE = "GroupConvolution"
EXACT = ("MatMul", "Multiply", "Divide", "Maximum", "Softmax", "AvgPool", "ReduceMean", "ReduceSum")  # kinds of layers


def quantise(network: SORN, images: np.ndarray) -> Any:
    """Int8 network, as a model of OpenVINO.

    images: of the training, uint8 [n, H, W, 3]. Its outputs have the names of `sorn.export.output_names`.
    """
    with _quiet():
        import nncf
        import openvino

        nncf.set_log_level(logging.ERROR)
        exported = _with_phases(ExportedNetwork(network, parts=True))
        model = openvino.convert_model(traced(exported, images.shape[1:3]))
        model.reshape([-1, *images.shape[1:]])
        batches = [images[first : first + BATCH] for first in range(0, len(images), BATCH)]
        made = nncf.quantize(
            model,
            nncf.Dataset(_ShownBatches(batches, len(images))),
            preset=nncf.QuantizationPreset.MIXED,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(batches),
            fast_bias_correction=True,
            ignored_scope=nncf.IgnoredScope(names=_first_depthwise(model), types=list(EXACT), validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
        )
        for output, name in zip(made.outputs, exported.names, strict=True):
            output.get_tensor().set_names({name})
    return made


def _with_phases(exported: ExportedNetwork) -> ExportedNetwork:
    """The network with convolutions in place of its deconvolutions.

    OpenVINO computes a deconvolution in fp32 where the range of its input is not even around zero: a quarter of the
    time of a small network (findings/openvino_deconvolution_of_signed_input.sh).
    """
    if exported.network.semantic is not None:
        fold(exported.network.semantic)
        use_phases(exported.network.semantic)
    return exported


def _first_depthwise(model: Any) -> list[str]:
    """Name of the first depthwise convolution; empty for a network without."""
    return [layer.get_friendly_name() for layer in model.get_ordered_ops() if layer.get_type_name() == DEPTHWISE][:1]


def save(model: Any, folder: Path) -> list[str]:
    """Write the files of a model; their names."""
    import_openvino().save_model(model, str(folder / GRAPH), compress_to_fp16=False)
    return [GRAPH, WEIGHTS_FILE]


class _ShownBatches:
    """Batches whose reading is shown as progress the first time."""

    def __init__(self, batches: list[np.ndarray], images: int) -> None:
        self.batches, self.images, self.shown = batches, images, False

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.shown:
            return iter(self.batches)
        self.shown = True
        return iter(progress(self.batches, self.images, "ranges for int8", step=BATCH))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Context in which these packages show no bars of their own and report nothing to their makers."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # NNCF makes it look for CUDA
    with unreported(), contextlib.redirect_stdout(io.StringIO()), torch.inference_mode(False):
        yield
