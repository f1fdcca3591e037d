#!/usr/bin/env bash
# OpenVINO computes a deconvolution in fp32, in a model that NNCF quantised to int8, where the input may be negative: the
# preset "mixed" then gives the input a range that is not even around zero, and OpenVINO has no int8 deconvolution with
# a zero point. The weights are int8 in the file, NNCF's log counts the layer, nothing is said. A plain convolution with the
# same input and preset is int8, and so is the deconvolution after a ReLU or with the preset "performance". A decoder that
# joins maps of linear bottlenecks (MobileNetV2, EfficientNet-Lite) is such a case; there it took a quarter of all time.
# pipeline/features/int8/quantise.py puts convolutions by phase in their place. Observed 2026-12-01 with OpenVINO
# 2026.4.1 and NNCF 3.4.0 on an Intel Xeon with AMX: mixed, signed: f32; mixed, after ReLU: u8; performance, signed: i8.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 nncf==3.4.0 numpy==2.4.6 torch==2.14.1
CI=true "$work/venv/bin/python" - <<'PYTHON'
import logging
import sys

import nncf
import numpy as np
import openvino
from openvino import opset13 as op

nncf.set_log_level(logging.ERROR)
draw = np.random.default_rng(0)
pictures = [draw.normal(0.5, 1, (4, 16, 16, 8)).astype(np.float32) for _ in range(4)]


def weights(*shape):
    return op.constant(draw.normal(0, 0.1, shape).astype(np.float32))


def precisions(preset, rectified, last):
    """Type in which each convolution of the quantised model is computed."""
    image = op.parameter([-1, 16, 16, 8], np.float32)
    maps = op.convolution(image, weights(32, 16, 1, 1), [1, 1], [0, 0], [0, 0], [1, 1])
    maps = op.relu(maps) if rectified else maps
    if last == "deconvolution":
        made = op.convolution_backprop_data(maps, weights(32, 24, 4, 4), [2, 2], None, [1, 1], [1, 1])
    else:
        made = op.convolution(maps, weights(24, 32, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    model = nncf.quantize(
        openvino.Model([made], [image], "deconvolution"), nncf.Dataset(pictures), preset=preset, subset_size=4
    )
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    told = [layer.get_rt_info() for layer in compiled.get_runtime_model().get_ordered_ops()]
    kinds = ("Convolution", "Deconvolution")
    return [one["runtimePrecision"].astype(str) for one in told if one["layerType"].astype(str) in kinds]


mixed, performance = nncf.QuantizationPreset.MIXED, nncf.QuantizationPreset.PERFORMANCE
found = {
    "mixed, signed, deconvolution": precisions(mixed, False, "deconvolution")[-1],
    "mixed, signed, convolution": precisions(mixed, False, "convolution")[-1],
    "mixed, after ReLU, deconvolution": precisions(mixed, True, "deconvolution")[-1],
    "performance, signed, deconvolution": precisions(performance, False, "deconvolution")[-1],
}
for name, precision in found.items():
    print(f"{name}: {precision}")
signed, *others = found.values()
sys.exit(0 if signed == "f32" and set(others) <= {"u8", "i8"} else 1)
PYTHON
