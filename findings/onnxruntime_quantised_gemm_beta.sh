#!/usr/bin/env bash
# A Gemm with beta, which is what torch.addmm(bias, x, w, beta=2) becomes, loses it in onnxruntime's quantize_static: the
# bias counts once, whatever beta is. And the runtime then makes another number of the same file, depending on its
# optimisations, which are on by default: the bias divided by beta. So the same bias is 2 b in the float file, b in
# the 8-bit file as it is written, and b/2 as it is run. The quantiser multiplies the scale of the bias by beta where it
# would have to divide, and QGemm takes no scale of a bias at all. Nothing is said. With beta = 1 all three agree.
# The like with alpha was mended (onnxruntime issue 28130).
# Observed 2026-11-29 with onnxruntime 1.32.0, for an input of zeros, where the right answer is beta times the bias: with
# beta = 2 the answers are 1.00 and 0.50 times the bias, with beta = 0.5 they are 1.00 and 2.00.
# `sorn export` writes no 8-bit network, and the heads of SORN have no beta.
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
rows = random.normal(size=(16, 2, 8)).astype(np.float32)
weights = random.normal(size=(8, 8)).astype(np.float32)
bias = np.linspace(-4, 4, 8, dtype=np.float32)


class Reader(CalibrationDataReader):
    def __init__(self):
        self.left = iter({"x": batch} for batch in rows)

    def get_next(self):
        return next(self.left, None)


def computed(path, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.zeros((2, 8), np.float32)})[0][0]


levels = onnxruntime.GraphOptimizationLevel
print(f"onnxruntime {onnxruntime.__version__}: output for zeros, in units of the bias")
found = {}
for beta in (0.5, 1.0, 2.0):
    node = helper.make_node("Gemm", ["x", "weights", "bias"], ["y"], transB=1, beta=beta)
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    given, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 8]) for name in "xy")
    graph = helper.make_graph([node], "gemm", [given], [out], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), "float.onnx")
    quantize_static("float.onnx", "int8.onnx", Reader(), quant_format=QuantFormat.QDQ)
    outputs = [computed("float.onnx", levels.ORT_ENABLE_ALL)]
    outputs += [computed("int8.onnx", level) for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL)]
    found[beta] = [round(float(y @ bias / (bias @ bias)), 1) for y in outputs]
    print(f"  beta {beta}: float {found[beta][0]}, 8 bits without optimisation {found[beta][1]}, as it is run {found[beta][2]}")
sys.exit(0 if found == {0.5: [0.5, 1.0, 2.0], 1.0: [1.0, 1.0, 1.0], 2.0: [2.0, 1.0, 0.5]} else 1)
PYTHON
