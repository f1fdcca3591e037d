#!/usr/bin/env bash
# onnxruntime fuses an average pooling between 8-bit tensors into QLinearAveragePool, which is older than the operator:
# with ceil_mode and count_include_pad it divides the last row and column by the whole window, though that stands beyond
# the padding (mended for fp32 alone: pull requests 16752 and 29629). It has no dilations either, so a file with some,
# valid since opset 19, is refused when it is loaded. The optimisation is on by default; without it both files are right.
# Observed 2026-11-29 with onnxruntime 1.32.0, for a picture of ones, 6 by 6, window 3, stride 2, padding 1: the last row is
# 0.22 0.33 0.33 0.11 in place of 0.33 0.50 0.50 0.25, at opset 18 and 19; window 2 with dilations 2: InvalidGraph.
# OpenVINO's float pooling has another fault: openvino_ceil_pooling.sh. `sorn export` writes no 8-bit network.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
image = np.ones((1, 1, 6, 6), np.float32)


def file(eight_bits, opset, **pooling):
    """Average pooling, between QuantizeLinear and DequantizeLinear if asked; steps of 1/100 from 0 to 2.55."""
    nodes, source, target = [], "x", "y"
    if eight_bits:
        nodes += [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"])]
        nodes += [helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"])]
        source, target = "d", "pooled"
    nodes += [helper.make_node("AveragePool", [source], [target], **pooling)]
    if eight_bits:
        nodes += [helper.make_node("QuantizeLinear", ["pooled", "scale", "zero"], ["r"])]
        nodes += [helper.make_node("DequantizeLinear", ["r", "scale", "zero"], ["y"])]
    constants = [numpy_helper.from_array(np.float32(0.01), "scale"), numpy_helper.from_array(np.uint8(0), "zero")]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "h", "w"])
    graph = helper.make_graph(nodes, "pooling", [given], [out], constants if eight_bits else [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    checker.check_model(model)
    return model.SerializeToString()


def computed(model, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return type(error).__name__
    return session.run(None, {"x": image})[0][0, 0, -1].astype(float).round(2).tolist()


levels = onnxruntime.GraphOptimizationLevel
print(f"onnxruntime {onnxruntime.__version__}: last row of the pooled picture")
padded = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}
still = True
for opset in (18, 19):
    for name, pooling in (
        ("ceil_mode 0", padded),
        ("ceil_mode 1", padded | {"ceil_mode": 1}),
        ("dilations 2", {"kernel_shape": [2, 2], "dilations": [2, 2]}),
    ):
        if name == "dilations 2" and opset < 19:
            continue
        right = computed(file(False, opset, **pooling), levels.ORT_ENABLE_ALL)
        plain, run = (computed(file(True, opset, **pooling), one) for one in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL))
        print(f"  opset {opset}, {name}: float {right}, 8 bits without optimisation {plain}, as it is run {run}")
        still &= plain == right and (run == right) == (name == "ceil_mode 0")
sys.exit(0 if still else 1)
PYTHON
