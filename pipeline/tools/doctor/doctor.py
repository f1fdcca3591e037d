"""Checks of this machine and environment: `sorn doctor`.

Every library is asked in a Python of its own (probes.py), so that one that is missing, mismatched or
crashes on import is a line of the answer and not its end.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.io.files import digest_file
from pipeline.labelers import registry
from pipeline.runs.shipped import REINSTALL
from pipeline.tools.doctor import optional
from pipeline.tools.doctor.answers import (
    BackendsAnswer,
    BlazeposeAnswer,
    DenseposeAnswer,
    Failed,
    Faulty,
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
    read_answer,
)
from pipeline.tools.doctor.diagnosis import Diagnosis
from pipeline.tools.doctor.installation import install, program, required
from pipeline.tools.doctor.machine import Cards, graphics_cards, memory_bytes, shared_memory_bytes, toolkit_version
from pipeline.tools.doctor.probes import ask
from pipeline.tools.doctor.versions import numbers, within

GIGABYTE = 10**9

PYTHON = (3, 11)
ENOUGH_MEMORY = 4 * GIGABYTE  # `make demo` takes 2.2 GiB
ENOUGH_DISK = 10 * GIGABYTE  # shards of Market-1501 take 7 GB, SynPed and a run less than 2
ENOUGH_SHARED = GIGABYTE // 4  # for batches that workers pass to the main process
TORCHVISION_AHEAD = 15  # torchvision 0.N goes with torch 2.(N - 15)

TORCH_PAIR = "Install both from one place: pip install --force-reinstall torch torchvision"
WHEELS = "pip install --force-reinstall torch torchvision --index-url https://download.pytorch.org/whl/cu{}"
QUESTIONS = (
    "torch",
    "torchvision",
    "hdf5",
    "numba",
    "pillow",
    "synped",
    "densepose",
    "blazepose",
    "imagenet",
    "backends",
)
AT_ONCE = 4  # processes at a time: each imports torch, and mostly waits for the disk


def diagnose(runs: Path, data_root: Path, weights: tuple[Path, ...] = ()) -> Iterator[Diagnosis]:
    """Results of all checks, each as soon as it is known."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = {name: pool.submit(ask, name) for name in QUESTIONS}
        yield _python()
        yield _machine()
        yield from _folders({"--runs": runs, "--data-root": data_root})
        yield from program()
        yield _requirements()
        torch = read_answer(TorchAnswer, answers["torch"].result())
        yield _torch(torch)
        yield _torchvision(torch, read_answer(TorchvisionAnswer, answers["torchvision"].result()))
        yield _gpu(torch, graphics_cards())
        yield _toolkit(torch, toolkit_version())
        yield _hdf5(read_answer(Hdf5Answer, answers["hdf5"].result()))
        yield _numba(read_answer(NumbaAnswer, answers["numba"].result()))
        yield _pillow(read_answer(PillowAnswer, answers["pillow"].result()))
        yield _synped(read_answer(SynpedAnswer, answers["synped"].result()))
        yield optional.densepose(torch, read_answer(DenseposeAnswer, answers["densepose"].result()))
        yield optional.blazepose(read_answer(BlazeposeAnswer, answers["blazepose"].result()))
        yield optional.imagenet(read_answer(ImagenetAnswer, answers["imagenet"].result()))
        yield optional.int8()
        yield optional.backends(read_answer(BackendsAnswer, answers["backends"].result()))
        yield from _plugins(pool)
    yield from map(_weights, weights)


def usable(checks: list[Diagnosis]) -> bool:
    """Whether the default pipeline can run."""
    return all(check.level != "problem" for check in checks)


def summary(checks: list[Diagnosis]) -> str:
    problems, warnings = (sum(check.level == level for check in checks) for level in ("problem", "warning"))
    state = "the default pipeline can run" if usable(checks) else "the default pipeline cannot run"
    return f"{state} (problems: {problems}, warnings: {warnings})"


def as_json(checks: list[Diagnosis]) -> str:
    return json.dumps({"usable": usable(checks), "checks": [dataclasses.asdict(check) for check in checks]}, indent=1)


def _python() -> Diagnosis:
    found = f"{platform.python_version()} on {platform.platform()}, {sys.executable}"
    if sys.version_info[:2] < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        return Diagnosis(
            "Python", "problem", found, f"Install Python {wanted} or newer, or name one: PYTHON=python{wanted}"
        )
    return Diagnosis("Python", "ok", found)


def _machine() -> Diagnosis:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = memory_bytes()
    found = f"{cores} cores, {memory / GIGABYTE:.0f} GB of memory"
    if memory < ENOUGH_MEMORY:
        return Diagnosis("machine", "warning", found, "Use --workers 0 and a smaller train.batch_size.")
    shared = shared_memory_bytes()
    if shared is not None and shared < ENOUGH_SHARED:
        found += f", {shared / GIGABYTE:.2f} GB of shared memory"
        return Diagnosis("machine", "warning", found, "Use --workers 0, or start the container with --shm-size 2g.")
    return Diagnosis("machine", "ok", found)


def _folders(folders: dict[str, Path]) -> Iterator[Diagnosis]:
    for option, path in folders.items():
        there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.is_dir())
        free = shutil.disk_usage(there).free
        found = f"{path}: {free / GIGABYTE:.0f} GB free"
        if not os.access(there, os.W_OK) and option == "--runs":
            yield Diagnosis(
                option, "problem", f"{there} cannot be written to", f"Choose another folder: {option} FOLDER"
            )
        elif free < ENOUGH_DISK:
            remedy = (
                f"Shards of a dataset take up to {ENOUGH_DISK / GIGABYTE:.0f} GB: choose another folder with {option}."
            )
            yield Diagnosis(option, "warning", found, remedy)
        else:
            yield Diagnosis(option, "ok", found)


def _requirements() -> Diagnosis:
    """Required packages, by their installed versions; nothing is imported."""
    wrong, packages = {}, required()
    if not packages:
        return Diagnosis("packages", "problem", "the metadata of sorn, which lists them, is missing", REINSTALL)
    for name, ranges in packages:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong[name] = f"{name} is not installed"
            continue
        if not within(version, ranges):
            wrong[name] = f"{name} is {version}, needed is {ranges}"
    if wrong:
        return Diagnosis("packages", "problem", "; ".join(wrong.values()), install(wrong))
    return Diagnosis("packages", "ok", f"all {len(packages)} that are required")


def _torch(torch: TorchAnswer | Faulty) -> Diagnosis:
    if isinstance(torch, Faulty):
        return Diagnosis("torch", "problem", f"cannot be imported: {torch.why}", install(["torch"]))
    made = f"for CUDA {torch.cuda}" if torch.cuda else "for the CPU"
    return Diagnosis("torch", "ok", f"{torch.version}, built {made}; CPU: {torch.cpu}")


def _torchvision(torch: TorchAnswer | Faulty, vision: TorchvisionAnswer | Faulty) -> Diagnosis:
    if isinstance(torch, Faulty):
        return Diagnosis("torchvision", "problem", "needs torch", install(["torchvision"]))
    if isinstance(vision, Faulty):
        found = f"does not work with torch {torch.version}: {vision.why}"
        return Diagnosis("torchvision", "problem", found, TORCH_PAIR)
    ours, theirs = vision.version, torch.version
    if numbers(ours)[1] != numbers(theirs)[1] + TORCHVISION_AHEAD or ours.partition("+")[2] != theirs.partition("+")[2]:
        return Diagnosis("torchvision", "warning", f"{ours} was not made for torch {theirs}", TORCH_PAIR)
    return Diagnosis("torchvision", "ok", f"{ours}, works with this torch")


def _gpu(torch: TorchAnswer | Faulty, cards: Cards) -> Diagnosis:
    if isinstance(torch, TorchAnswer) and torch.devices:
        shown = []
        for number, card in enumerate(torch.devices):
            precision = "bf16" if card.bf16 else "no bf16"
            shown.append(f"cuda:{number} {card.name}, {card.memory / GIGABYTE:.0f} GB, {precision}")
        return Diagnosis("GPU", "ok", "; ".join(shown))
    if not cards.names:
        return Diagnosis("GPU", "ok", "none: everything runs on the CPU, slowly for datasets of thousands of images")
    seen = f"{'; '.join(cards.names)} (driver for CUDA {cards.cuda or '?'})"
    wheels = WHEELS.format(cards.cuda.replace(".", "") or "XYZ") + " (or the newest CUDA below it that has wheels)"
    if isinstance(torch, Faulty):
        return Diagnosis("GPU", "warning", f"{seen}, but there is no torch to use it", install(["torch"]))
    if not torch.cuda:
        return Diagnosis("GPU", "warning", f"{seen}, but torch is built for the CPU", f"Run: {wheels}")
    if cards.cuda and numbers(cards.cuda)[0] < numbers(torch.cuda)[0]:
        found = f"{seen}, too old for torch, which is built for CUDA {torch.cuda}"
        return Diagnosis("GPU", "warning", found, f"Update the driver, or install a torch for it: {wheels}")
    remedy = "See that CUDA_VISIBLE_DEVICES is not empty and that the container was started with --gpus all."
    return Diagnosis("GPU", "warning", f"{seen}, but torch does not see it", remedy)


def _toolkit(torch: TorchAnswer | Faulty, version: str) -> Diagnosis:
    built = torch.cuda if isinstance(torch, TorchAnswer) else None
    if not version:
        return Diagnosis("nvcc", "ok", "none; nothing here is compiled but detectron2, for the CPU")
    if built and numbers(version)[0] != numbers(built)[0]:
        # detectron2#4472, #5009: torch refuses to build extensions with another CUDA than its own.
        found = f"CUDA {version}, but torch is built for CUDA {built}: detectron2 cannot be built with both"
        remedy = f"Build it for the CPU (CUDA_VISIBLE_DEVICES= pip install ...), or set CUDA_HOME to a CUDA {built}."
        return Diagnosis("nvcc", "warning", found, remedy)
    return Diagnosis("nvcc", "ok", f"CUDA {version}, torch's is {built or 'none'}")


def _hdf5(hdf5: Hdf5Answer | Faulty) -> Diagnosis:
    if isinstance(hdf5, Faulty):
        return Diagnosis("h5py", "problem", f"cannot be imported: {hdf5.why}", install(["h5py"]))
    return Diagnosis("h5py", "ok", f"HDF5 {hdf5.hdf5}")


def _numba(numba: NumbaAnswer | Faulty) -> Diagnosis:
    """Numba compiles the kernels of matching, of labelers with joints and of SynPed."""
    if isinstance(numba, Faulty):
        why = f"cannot be imported: {numba.why}; nothing can be evaluated or searched without it"
        return Diagnosis("numba", "problem", why, install(["numba"]))
    return Diagnosis("numba", "ok", f"{numba.version} compiles")


def _pillow(pillow: PillowAnswer | Faulty) -> Diagnosis:
    again = "Install one that has: pip install --force-reinstall --only-binary :all: pillow"
    if isinstance(pillow, Faulty):
        return Diagnosis("Pillow", "problem", f"cannot be imported: {pillow.why}", install(["pillow"]))
    if pillow.missing:
        level = "problem" if {"jpg", "zlib"} & set(pillow.missing) else "warning"
        return Diagnosis("Pillow", level, f"was built without {', '.join(pillow.missing)}", again)
    return Diagnosis("Pillow", "ok", "reads JPEG, PNG, TIFF and WebP")


def _synped(synped: SynpedAnswer | Faulty) -> Diagnosis:
    if isinstance(synped, Faulty):
        return Diagnosis(
            "SynPed", "problem", f"cannot be rendered: {synped.why}", install(["anny", "embreex", "numba"])
        )
    return Diagnosis("SynPed", "ok", "anny, embreex and numba work")


def _plugins(pool: ThreadPoolExecutor) -> Iterator[Diagnosis]:
    """Labelers and keypoint finders of other packages, one result each."""
    outside = [(kind, name) for kind in registry.KINDS for name in registry.outside_names(kind)]
    answers = pool.map(lambda plugin: ask("plugin", plugin[0].group, plugin[1]), outside)
    for (kind, name), reply in zip(outside, answers, strict=True):
        answer = read_answer(PluginAnswer, reply)
        if isinstance(answer, PluginAnswer):
            yield Diagnosis("plug-ins", "ok", f"{kind.word} {name} of {answer.package} loads: {answer.about}")
            continue
        mend = f"Mend its package or uninstall it; built-in {kind.word}s work without."
        remedy = answer.remedy if isinstance(answer, Unusable) else mend
        yield Diagnosis("plug-ins", "warning", f"{kind.word} {name} cannot be used: {answer.why}", remedy)


def _weights(path: Path) -> Diagnosis:
    """Whether a weights file can be read without running code, and its network."""
    if not path.is_file():
        return Diagnosis("weights", "problem", f"there is no file {path}", "Correct the path.")
    about = f"{path}: {path.stat().st_size / 10**6:.1f} MB, sha256 {digest_file(path)}"
    answer = read_answer(WeightsAnswer, ask("weights", str(path.absolute())))
    if isinstance(answer, Unusable):
        return Diagnosis("weights", "problem", answer.wrong, answer.remedy)
    if isinstance(answer, Failed):
        return Diagnosis("weights", "problem", f"{about}: {answer.error}", "Mend torch first, or fetch the file again.")
    found = f"{about}: {answer.kind}; {answer.tensors} tensors, read without running code"
    return Diagnosis("weights", "ok", found)
