#!/usr/bin/env bash
# OpenVINO reads ReduceL1, ReduceLogSum and ReduceLogSumExp of an ONNX file of opset 13 to 17 without their axes: it
# reduces over the whole tensor, batch and all. In these opsets the axes are an attribute; it looks for the input that
# they became in 18. The other reductions are right. So vectors of length 1 in L1, or an energy score per image
# (logsumexp of the logits), are one number for the whole batch, and where it is broadcast afterwards no shape tells.
# Known as openvino issue 38238.
# Observed 2026-11-29 with OpenVINO 2026.4.1: 3 of 9 reductions wrong at opset 13 and at 17, none at 11 and 18. With L1
# normalisation the sums of two rows are 0.44 and 0.56 in place of 1 and 1. onnxruntime 1.32.0 is right everywhere.
# `sorn export` writes opset 18 and compares the features of each runtime with torch's
# (pipeline/tools/export/parity.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper

AFFECTED = {"ReduceL1", "ReduceLogSum", "ReduceLogSumExp"}
ALL = AFFECTED | {"ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"}
rows = np.random.default_rng(0).uniform(0.1, 1, (2, 6)).astype(np.float32)


def model(nodes, opset, constants=()):
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, rows.shape)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "reduction", [image], [out], list(constants))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return made.SerializeToString()


def both(file):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return session.run(None, {"x": rows})[0], compiled(rows)[0]


def reduction(name, opset, out):
    if opset < 18:
        return [helper.make_node(name, ["x"], [out], axes=[1])], []
    return [helper.make_node(name, ["x", "axes"], [out])], [helper.make_tensor("axes", TensorProto.INT64, [1], [1])]


print(f"OpenVINO {openvino.__version__}, onnxruntime {onnxruntime.__version__}")
wrong = {}
for opset in (11, 13, 17, 18):
    wrong[opset] = set()
    for name in sorted(ALL):
        nodes, constants = reduction(name, opset, "y")
        right, seen = both(model(nodes, opset, constants))
        if right.shape != seen.shape or not np.allclose(right, seen, atol=1e-5):
            wrong[opset].add(name)
            print(f"  opset {opset}, {name} over axis 1 of {rows.shape}: onnxruntime {right.shape}, OpenVINO {seen.shape}")

norm, _ = reduction("ReduceL1", 17, "norm")
right, seen = both(model([*norm, helper.make_node("Div", ["x", "norm"], ["y"])], 17))
print(f"  L1 normalisation, sums of the rows: onnxruntime {right.sum(1).round(2)}, OpenVINO {seen.sum(1).round(2)}")
assert right.shape == seen.shape and np.allclose(right.sum(1), 1)
sys.exit(0 if wrong == {11: set(), 13: AFFECTED, 17: AFFECTED, 18: set()} else 1)
PYTHON
