"""Checks of optional parts: labelers, ImageNet weights, clusters."""

from __future__ import annotations

from pipeline.features.int8.record import PACKAGES, version
from pipeline.labelers.blazepose_networks import install_litert
from pipeline.runtime.arithmetic import int8_text
from pipeline.tools.doctor.answers import (
    BackendsAnswer,
    BlazeposeAnswer,
    DenseposeAnswer,
    Failed,
    Faulty,
    ImagenetAnswer,
    TorchAnswer,
    Unusable,
)
from pipeline.tools.doctor.diagnosis import Diagnosis


def densepose(torch: TorchAnswer | Faulty, densepose: DenseposeAnswer | Faulty) -> Diagnosis:
    if isinstance(densepose, Unusable):
        return Diagnosis("DensePose", "warning", densepose.wrong, densepose.remedy)
    if isinstance(densepose, Failed):
        first = isinstance(torch, Faulty)
        remedy = "Mend torch first." if first else "Build detectron2 again, see requirements-densepose.txt."
        return Diagnosis("DensePose", "warning", f"detectron2 does not work: {densepose.error}", remedy)
    operators = f"its own operators, which are not needed, for CUDA: {densepose.cuda}"
    return Diagnosis("DensePose", "ok", f"detectron2 {densepose.version} works; {operators}")


def blazepose(blazepose: BlazeposeAnswer | Faulty) -> Diagnosis:
    """LiteRT and the networks of the labeler `blazepose`."""
    if isinstance(blazepose, Unusable):
        return Diagnosis("BlazePose", "warning", blazepose.wrong, blazepose.remedy)
    if isinstance(blazepose, Failed):
        remedy = f"Install it again: {install_litert()} --force-reinstall"
        return Diagnosis("BlazePose", "warning", f"ai-edge-litert does not work: {blazepose.error}", remedy)
    found = f"ai-edge-litert {blazepose.litert} works; {blazepose.networks} networks are in {blazepose.folder}"
    return Diagnosis("BlazePose", "ok", found)


def imagenet(imagenet: ImagenetAnswer | Faulty) -> Diagnosis:
    """ImageNet weights, from which trainings start by default."""
    if isinstance(imagenet, Unusable):
        return Diagnosis("ImageNet", "warning", imagenet.wrong, imagenet.remedy)
    if isinstance(imagenet, Failed):
        return Diagnosis("ImageNet", "warning", f"cannot be told: {imagenet.error}", "Mend the lines above first.")
    weights = f"weights of {', '.join(imagenet.here)} are here" if imagenet.here else "no weights are here yet"
    timm = f"timm {imagenet.timm}" if imagenet.timm else "no timm"
    return Diagnosis("ImageNet", "ok", f"{weights}; {timm} (where to get weights: sorn models)")


def int8() -> Diagnosis:
    """Packages of `eval.precision = int8`, and the unit of this CPU.

    Nothing is imported.
    """
    found = {name: version(name) for name in PACKAGES}
    there = " and ".join(f"{name} {number}" if number else f"no {name}" for name, number in found.items())
    more = "" if all(found.values()) else " (pip install -e '.[int8]')"
    return Diagnosis("int8", "ok", f"{there}{more}; {int8_text()}")


def backends(backends: BackendsAnswer | Faulty) -> Diagnosis:
    """Backends of `sorn masks --backend`.

    A missing one is needed only for a cluster.
    """
    if isinstance(backends, Faulty):
        return Diagnosis("backends", "warning", f"cannot be told: {backends.why}", "Mend the lines above first.")
    shown = []
    for name, packages in backends.packages.items():
        there = all(packages.values())
        versions = " ".join(f"{package} {version}" for package, version in packages.items())
        shown.append(versions if there else f"no {name} (pip install {' '.join(packages)})")
    return Diagnosis("backends", "ok", f"threads, loky; for a cluster: {', '.join(shown)}")
