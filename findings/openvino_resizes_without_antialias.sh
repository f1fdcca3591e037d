#!/usr/bin/env bash
# OpenVINO reads an ONNX Resize with antialias=1 and leaves that out, without a word. torch's exporter writes this node
# for F.interpolate(..., antialias=True), as networks have it that take pictures of any size and make them smaller
# themselves. A pixel of the smaller picture is then made of the nearest pixels instead of all that it covers: the
# noise of the picture stays. Known for mode "cubic" as openvino issue 35893; "linear" is the same.
# Observed 2026-11-29 with OpenVINO 2026.4.1, a picture of noise from 384x128 to 96x32: standard deviation 12.2 in
# onnxruntime 1.32.0, 37.0 in OpenVINO with antialias=1 and, bit for bit the same, without.
# `sorn export` leaves the change of size to the caller, and says so in the export's JSON
# (pipeline/tools/export/export.py).
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
from onnx import TensorProto, helper, numpy_helper

picture = np.random.default_rng(0).integers(0, 256, (1, 3, 384, 128)).astype(np.float32)
size = numpy_helper.from_array(np.array([1, 3, 96, 32]), "size")


def resized(mode, antialias):
    """The smaller picture by onnxruntime and by OpenVINO."""
    node = helper.make_node(
        "Resize", ["x", "", "", "size"], ["y"], mode=mode, antialias=antialias, exclude_outside=antialias,
        coordinate_transformation_mode="half_pixel",
    )
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, picture.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [size],
    )
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": picture})[0], compiled(picture)[0]


print(f"OpenVINO {openvino.__version__}, onnxruntime {onnxruntime.__version__}")
there = True
for mode in ("linear", "cubic"):
    (plain, plain_seen), (smooth, smooth_seen) = resized(mode, 0), resized(mode, 1)
    print(f"  {mode}: deviation without antialias: onnxruntime {plain.std():.1f}, OpenVINO {plain_seen.std():.1f};",
          f"with: onnxruntime {smooth.std():.1f}, OpenVINO {smooth_seen.std():.1f}")
    inside = (..., slice(4, -4), slice(4, -4))  # the border of mode cubic follows exclude_outside
    assert np.allclose(plain[inside], plain_seen[inside], atol=0.01)
    there = there and np.array_equal(plain_seen[inside], smooth_seen[inside]) and smooth.std() < 0.6 * plain.std()
sys.exit(0 if there else 1)
PYTHON
