#!/usr/bin/env bash
# onnxruntime's quantize_static (QDQ, its defaults) deletes a Clip that follows a convolution and leaves its work to the
# saturation of the 8-bit number. A range of 8 bits always holds 0. So a Clip whose least value is above 0, or whose
# largest is below, is gone: below clamp(min=0.01) come zeros, and a logarithm, a reciprocal or a division after it is
# infinite. The calibration saw the right values, and no message tells of it. A Relu, and ReLU6, lose nothing.
# With extra_options={"QDQKeepRemovableActivations": True} the Clip stays, and everything is finite.
# Observed 2026-11-29 with onnxruntime 1.32.0: of 512 numbers, 265 of log(clip(conv(x), 0.5, 100)) are -inf, and
# 397 of clip(conv(x), 1, 2) are below 0.9, down to 0; none with the option, and none in fp32.
# `sorn export` writes no 8-bit network; docs/speed.md has what 8 bits would bring.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$work" && "$work/venv/bin/python" - <<'PYTHON'
import logging
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

logging.disable(logging.WARNING)
random = np.random.default_rng(0)
images = random.normal(size=(4, 2, 4, 8, 8)).astype(np.float32)
weights = random.normal(size=(4, 4, 1, 1)).astype(np.float32)


class Reader(CalibrationDataReader):
    def __init__(self):
        self.left = iter({"x": batch} for batch in images)

    def get_next(self):
        return next(self.left, None)


def save(path, bounds, after):
    nodes = [
        helper.make_node("Conv", ["x", "weights"], ["conv"]),
        helper.make_node("Clip", ["conv", *bounds], ["clipped" if after else "y"]),
        *([helper.make_node(after, ["clipped"], ["y"])] if after else []),
    ]
    constants = [numpy_helper.from_array(weights, "weights")]
    constants += [numpy_helper.from_array(np.float32(value), name) for name, value in bounds.items()]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, images.shape[1:])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, images.shape[1:])
    graph = helper.make_graph(nodes, "clip", [given], [out], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def computed(path, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": images[0]})[0]


levels = onnxruntime.GraphOptimizationLevel
print(f"onnxruntime {onnxruntime.__version__}")
still = True
for text, bounds, after, bad in (
    ("log(clip(conv(x), 0.5, 100))", {"low": 0.5, "high": 100}, "Log", lambda y: ~np.isfinite(y)),
    ("clip(conv(x), 1, 2)", {"low": 1, "high": 2}, None, lambda y: y < 0.9),
    ("relu6(conv(x))", {"low": 0, "high": 6}, None, lambda y: (y < 0) | (y > 6.05)),
):
    save("float.onnx", bounds, after)
    right = bad(computed("float.onnx", levels.ORT_ENABLE_ALL)).sum()
    counts = {}
    for keep in (False, True):
        extra = {"QDQKeepRemovableActivations": keep}
        quantize_static("float.onnx", "int8.onnx", Reader(), quant_format=QuantFormat.QDQ, extra_options=extra)
        there = any(node.op_type == "Clip" for node in onnx.load("int8.onnx").graph.node)
        found = [computed("int8.onnx", level) for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL)]
        counts[keep] = [int(bad(y).sum()) for y in found]
        print(f"  {text}, option {keep}: Clip in the file: {there}; wrong numbers of {found[0].size}: {counts[keep]}, "
              f"least {found[0].min():.2f}; in fp32 {right}")
    wrong = counts[False] if text[:4] != "relu" else [1, 1]
    still &= right == 0 and min(wrong) > 0 and counts[True] == [0, 0] and (text[:4] != "relu" or counts[False] == [0, 0])
sys.exit(0 if still else 1)
PYTHON
