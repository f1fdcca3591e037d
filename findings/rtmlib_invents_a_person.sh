#!/usr/bin/env bash
# rtmlib's Body answers a picture in which its detector found nobody with one whole skeleton: RTMPose takes an empty
# list of boxes for "the box is the picture". ViTPose of the same package does so, too. The answer has the shape of one
# person, and a pose network gives a place and a score to every joint of whatever box it gets, so nobody and one person
# cannot be told apart from it. Who labels parts by these joints must call the detector and the pose network separately,
# and stop where there is no box.
# Observed 2026-11-29 with rtmlib 0.0.16 and two made-up networks, a detector that finds nothing and a pose network that
# knows one pose: keypoints (1, 17, 2), scores from 0.9 to 0.9. With one box the shapes are the same.
# This program runs no network of rtmlib. Its own pose labeler asks the detector apart from the pose network and has a
# score below which nobody is there (pipeline/labelers/blazepose_person.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 \
  opencv-python-headless==4.14.0.94 tqdm==4.70.1 numpy==2.4.6
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps rtmlib==0.0.16  # which asks for OpenCV twice
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from rtmlib import Body

JOINTS, WIDTH, HEIGHT = 17, 192, 256


def network(path, size, **answers):
    """A network that gives the same answers for every picture; a sum of zero times its input keeps the input in use."""
    nodes = [helper.make_node("Mul", ["image", "zero"], ["nothing"])]
    nodes += [helper.make_node("ReduceMax", ["nothing"], ["none"], keepdims=0)]
    nodes += [helper.make_node("Add", [f"{name}_value", "none"], [name]) for name in answers]
    values = [numpy_helper.from_array(value.astype(np.float32), f"{name}_value") for name, value in answers.items()]
    graph = helper.make_graph(
        nodes,
        "stub",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in answers.items()],
        [*values, numpy_helper.from_array(np.float32(0), "zero")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def detector(path, box, score):
    network(path, (640, 640), boxes=np.array([[[*box, score]]]))


along, down = np.zeros((1, JOINTS, 2 * WIDTH)), np.zeros((1, JOINTS, 2 * HEIGHT))
along[..., WIDTH], down[..., HEIGHT] = 0.9, 0.9
network("pose.onnx", (HEIGHT, WIDTH), simcc_x=along, simcc_y=down)
detector("nobody.onnx", (0, 0, 1, 1), 0.0)
detector("somebody.onnx", (200, 50, 400, 600), 0.95)

picture = np.zeros((384, 128, 3), np.uint8)
print(f"rtmlib {version('rtmlib')}")
shapes = []
for name in ("nobody.onnx", "somebody.onnx"):
    body = Body(det=name, det_input_size=(640, 640), pose="pose.onnx", pose_input_size=(WIDTH, HEIGHT))
    boxes = body.det_model(picture)
    keypoints, scores = body(picture)
    shapes.append(keypoints.shape)
    print(f"  {name}: {len(boxes)} boxes, keypoints {keypoints.shape}, scores from {scores.min():.1f} to {scores.max():.1f}")
sys.exit(0 if shapes == [(1, JOINTS, 2)] * 2 else 1)
PYTHON
