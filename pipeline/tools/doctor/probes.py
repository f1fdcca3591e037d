"""Probes of libraries, each in a Python process of its own.

So an import that crashes ends only its own process. `python -m pipeline.tools.doctor.probes NAME [FILE]` runs one probe
and prints its answer as JSON on the last line.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.io.documents import to_json
from pipeline.io.text import JsonValue
from pipeline.tools.doctor.answers import (
    BackendsAnswer,
    BlazeposeAnswer,
    DenseposeAnswer,
    DeviceAnswer,
    Failed,
    Hdf5Answer,
    ImagenetAnswer,
    NumbaAnswer,
    PillowAnswer,
    PluginAnswer,
    SynpedAnswer,
    TorchAnswer,
    TorchvisionAnswer,
    Unusable,
    WeightsAnswer,
)

TIMEOUT = 300  # seconds; importing torch from a cold network disk takes a minute
ROOT = Path(__file__).parents[3]
SHOWN = 3  # names of tensors of an unknown network
BACKBONES = {  # a weight that no other network has
    "layer1.0.conv1.weight": "a ResNet",
    "features.18.0.weight": "a MobileNetV2",
    "_blocks.15._project_conv.weight": "an EfficientNet-Lite0 or B0",
}


def ask(name: str, *arguments: str) -> dict[str, JsonValue]:
    """Answer of a probe; {"error": reason} if it raised, crashed or hung."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-W", "ignore", "-m", __name__, name, *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            env=os.environ | {"PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {TIMEOUT} seconds"}
    try:
        answer: dict[str, JsonValue] = json.loads(done.stdout.splitlines()[-1])
        return answer
    except (IndexError, ValueError):
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else "no message"
        return {"error": f"Python ended with code {done.returncode}: {reason}"}


def probe_torch() -> TorchAnswer:
    """Version, CUDA version and devices of torch, and what the CPU computes.

    cuda: version that torch was built for, or null. devices: the GPUs that it can use.
    """
    import torch

    from pipeline.runtime.arithmetic import cpu_text, gpu_computes_bf16

    devices = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(number)
        bf16 = gpu_computes_bf16(torch.device("cuda", number))
        devices.append(DeviceAnswer(properties.name, properties.total_memory, bf16))
    return TorchAnswer(str(torch.__version__), torch.version.cuda, tuple(devices), cpu_text())


def probe_torchvision() -> TorchvisionAnswer:
    """Version of torchvision, after a call of a compiled function.

    The call fails if torchvision was built for another torch.
    """
    import torch
    import torchvision

    kept = torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)
    if kept.tolist() != [0]:
        raise RuntimeError(f"its nms of one box keeps {kept.tolist()}")
    return TorchvisionAnswer(torchvision.__version__)


def probe_hdf5() -> Hdf5Answer:
    import h5py

    return Hdf5Answer(h5py.version.hdf5_version)


def probe_numba() -> NumbaAnswer:
    """Version of numba, which has compiled something."""
    import numba

    numba.njit("i8(i8)")(lambda number: number + 1)(1)
    return NumbaAnswer(numba.__version__)


def probe_pillow() -> PillowAnswer:
    """Image formats that Pillow was built without."""
    from PIL import features

    return PillowAnswer(tuple(name for name in ("jpg", "zlib", "libtiff", "webp") if not features.check(name)))


def probe_synped() -> SynpedAnswer:
    """Import of the packages that SynPed is rendered with."""
    for name in ("anny", "embreex.rtcore", "numba"):
        importlib.import_module(name)
    return SynpedAnswer()


def probe_densepose() -> DenseposeAnswer | Unusable:
    """Version of detectron2, or the error and remedy of the labeler.

    cuda: version that its compiled operators were built for.
    """
    from pipeline.errors import UserError
    from pipeline.labelers import densepose_model

    try:
        densepose_model.configuration("densepose_rcnn_R_50_FPN_s1x")
    except UserError as error:
        return Unusable(error.wrong, error.remedy)
    version = _version("detectron2") or "of a checkout"
    try:
        return DenseposeAnswer(version, importlib.import_module("detectron2._C").get_cuda_version())
    except ModuleNotFoundError:  # not compiled: the labeler needs none of its operators
        return DenseposeAnswer(version, "not compiled")
    except ImportError as error:  # built for another torch: an undefined symbol
        return Unusable(f"detectron2 does not fit this torch: {error}", densepose_model.INSTALL)


def probe_blazepose() -> BlazeposeAnswer | Unusable:
    """LiteRT and BlazePose's networks, or the error and remedy of the labeler.

    Every network is loaded, so that a LiteRT that cannot run them is found.
    """
    from pipeline.errors import UserError
    from pipeline.labelers import blazepose_files, blazepose_networks

    try:
        blazepose_networks.interpreter_class()
        folder = blazepose_files.default_folder()
        blazepose_files.require(folder, blazepose_files.ALL)
    except UserError as error:
        return Unusable(error.wrong, error.remedy)
    for file in blazepose_files.ALL:
        blazepose_networks.Network(folder / file.name)
    return BlazeposeAnswer(_version("ai-edge-litert") or "", len(blazepose_files.ALL), str(folder))


def probe_backends() -> BackendsAnswer:
    """Backend for a cluster -> package -> version, or null if missing."""
    from pipeline.shards.jobs import PACKAGES

    found = {name: {package: _version(package) for package in packages} for name, packages in PACKAGES.items()}
    return BackendsAnswer(found)


def probe_imagenet() -> ImagenetAnswer | Unusable:
    """Backbones whose ImageNet weights are here, or the first damaged file."""
    from pipeline.tools.models import state_of, timm_version
    from pipeline.training.weight_sources import SOURCES

    states = {name: [state_of(source) for source in sources] for name, sources in SOURCES.items()}
    for damaged in (state for found in states.values() for state in found if state.state == "damaged"):
        return Unusable(f"weights of {damaged.source} are damaged", damaged.remedy)
    here = tuple(name for name, found in states.items() if any(state.state == "here" for state in found))
    return ImagenetAnswer(here, timm_version())


def probe_plugin(group: str, name: str) -> PluginAnswer | Unusable:
    """Package and description of a plug-in, or its error and remedy."""
    from pipeline.errors import UserError
    from pipeline.labelers import listing, registry

    (kind,) = (kind for kind in registry.KINDS if kind.group == group)
    try:
        plugin = registry.find_outside(kind, name)
        return PluginAnswer(plugin.package, listing.listed(plugin).about)
    except UserError as error:
        return Unusable(error.wrong, error.remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def probe_weights(name: str) -> WeightsAnswer | Unusable:
    """Kind of a weights file, as text, or the error and remedy."""
    from pipeline.errors import UserError
    from pipeline.io import checkpoints
    from pipeline.labelers import pretrained_weights

    path = Path(name)
    try:
        made = checkpoints.read_metadata(path) if path.suffix == ".safetensors" else {}
        tensors = pretrained_weights.read_weights(path)
    except UserError as error:
        return Unusable(error.wrong, error.remedy)
    return WeightsAnswer(kind_of(made, list(tensors), path.name), len(tensors))


def kind_of(made: Mapping[str, object], tensors: list[str], name: str) -> str:
    """Network of some weights, as text.

    made: metadata of a file of this program. tensors: their names. name: of the file.
    """
    from pipeline.labelers.densepose_zoo import WEIGHTS
    from pipeline.runs.checkpoint_info import DanetNetwork

    if danet := DanetNetwork.of(made):
        size = "x".join(map(str, danet.image_size))
        return f"DANet ({danet.backbone}, {size}, trained on {danet.trained_on}), for LABELER=danet"
    if made:
        return "SORN, a checkpoint of `make train`"
    if any("densepose_predictor.embed" in tensor for tensor in tensors):
        return "DensePose CSE, which has no body parts: LABELER=densepose refuses it"
    if any("densepose_predictor" in tensor for tensor in tensors):
        model = next((model for model, (_, file) in WEIGHTS.items() if file == name), "")
        named = f"named as {model}" if model else "of no name that the model zoo has: give masks.options.model"
        return f"DensePose with parts, {named}, for LABELER=densepose"
    for part, title in (("keypoint_predictor", "Keypoint R-CNN"), ("mask_predictor", "Mask R-CNN")):
        if any(part in tensor for tensor in tensors):
            return f"torchvision's {title}, for LABELER=torchvision"
    for first, title in BACKBONES.items():
        if first in tensors:
            return f"{title}, as backbones are initialised from"
    return f"an unknown network: {', '.join(tensors[:SHOWN])} ..."


PROBES: dict[str, Callable[..., object]] = {
    "torch": probe_torch,
    "torchvision": probe_torchvision,
    "hdf5": probe_hdf5,
    "numba": probe_numba,
    "pillow": probe_pillow,
    "synped": probe_synped,
    "densepose": probe_densepose,
    "blazepose": probe_blazepose,
    "backends": probe_backends,
    "imagenet": probe_imagenet,
    "plugin": probe_plugin,
    "weights": probe_weights,
}


def main(name: str, *arguments: str) -> None:
    try:
        answer = PROBES[name](*arguments)
    except Exception as error:  # whatever a library raises is the answer
        said = str(error).strip().splitlines()
        answer = Failed(f"{type(error).__name__}: {said[0] if said else 'it said nothing'}")
    print(json.dumps(to_json(answer)))


if __name__ == "__main__":
    main(*sys.argv[1:])
