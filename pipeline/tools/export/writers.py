"""Formats of exported networks: torch.export, ONNX, OpenVINO.

Each format writes a graph with its description into a file or folder, and reads it again in its own runtime.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.io.disk import OUT, told_when_full
from pipeline.io.files import atomic, digest_file, temporary_path, write_json
from pipeline.runs.result_paths import Exported
from pipeline.runtime.unreported import import_openvino, unreported
from pipeline.tools.export.parity import Check, Run, table

logger = logging.getLogger(__name__)

OPSET = 18  # the first that torch's exporter writes without converting
METADATA = "sorn.json"  # in the .pt2
PACKAGES: dict[str, tuple[str, ...]] = {
    "torch": (),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "onnxruntime", "openvino"),
}
Facts = Mapping[str, Any]  # content of the JSON beside an exported network


@dataclass(frozen=True)
class Graph:
    """Graph to be written.

    facts: description. axes: number of an axis of the input -> its name, for axes of any length.
    """

    program: torch.export.ExportedProgram
    facts: Facts
    axes: Mapping[int, str]

    @property
    def input(self) -> str:
        name: str = self.facts["input"]["name"]
        return name


def write(path: Path, name: str, graph: Graph, against: Check) -> Path:
    """Write one exported network and its JSON.

    An older file stays until the new one has passed the parity check. name: of the format. Raises UserError for a file
    without parity, which is removed.
    """
    save, load, place = WRITERS[name]
    described = Exported.about(path)
    try:
        with told_when_full(path, OUT), place(path) as temporary:
            save(temporary, graph)
            found = against.figures(load(temporary))
            described.unlink(missing_ok=True)
    except ValueError as error:
        raise UserError(
            f"the {name} export does not compute what the network computes ({error}); it was removed",
            "Please report it, with this sentence and the versions of torch, onnx, onnxruntime and openvino.",
        ) from error
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    logger.info("\n".join([f"{path}: {sum(file.stat().st_size for file in files) / 1e6:.1f} MB", *table(found)]))
    digests = {file.name: digest_file(file) for file in files}
    digest = digests if path.is_dir() else digests[path.name]
    write_json(described, {**graph.facts, "sha256": digest, "parity": against.as_json(found)})
    return path


def missing_packages(name: str) -> list[str]:
    """Packages of a format that this environment lacks."""
    return [package for package in PACKAGES[name] if importlib.util.find_spec(package) is None]


def _save_torch(path: Path, graph: Graph) -> None:
    with open(path, "wb") as file:
        torch.export.save(graph.program, file, extra_files={METADATA: json.dumps(graph.facts)})


def _load_torch(path: Path) -> Run:
    with open(path, "rb") as file:
        module = torch.export.load(file).module()
    return module


def _save_onnx(path: Path, graph: Graph) -> None:
    exported = torch.onnx.export(
        graph.program,
        (),
        dynamo=True,
        input_names=[graph.input],
        output_names=list(graph.facts["outputs"]),
        opset_version=OPSET,
        dynamic_shapes={graph.input: dict(graph.axes)},
        verbose=False,
    )
    assert exported is not None, "dynamo=True returns the program"
    exported.model.metadata_props.update(_texts(graph.facts))
    exported.save(str(path), external_data=False)


def _load_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names, (given,) = [output.name for output in session.get_outputs()], session.get_inputs()

    def run(images: Tensor) -> dict[str, Tensor]:
        found = session.run(names, {given.name: images.numpy()})
        return {name: torch.from_numpy(array) for name, array in zip(names, found, strict=True)}

    return run


def _save_openvino(folder: Path, graph: Graph) -> None:
    """Files of OpenVINO, made from those of ONNX. The description is in the .xml, below rt_info/sorn."""
    openvino = import_openvino()
    made = folder / "sorn.onnx"
    _save_onnx(made, graph)
    with unreported():
        model = openvino.convert_model(str(made))
    made.unlink()
    model.get_parameters()[0].set_layout(openvino.Layout("NCHW"))
    for key, text in _texts(graph.facts).items():
        model.set_rt_info(text, ["sorn", key])
    openvino.save_model(model, str(folder / Exported.OPENVINO), compress_to_fp16=False)


def _load_openvino(folder: Path) -> Run:
    openvino = import_openvino()
    precise = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}  # its default may be bf16
    compiled = openvino.Core().compile_model(str(folder / Exported.OPENVINO), "CPU", precise)

    def run(images: Tensor) -> dict[str, Tensor]:
        found = compiled([images.numpy()])
        return {output.get_any_name(): torch.from_numpy(found[output]) for output in compiled.outputs}

    return run


def _texts(facts: Facts) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}


@contextlib.contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """Context with a temporary folder, which takes the place of `path` at its end."""
    temporary = temporary_path(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


Place = Callable[[Path], contextlib.AbstractContextManager[Path]]
WRITERS: dict[str, tuple[Callable[[Path, Graph], None], Callable[[Path], Run], Place]] = {
    "torch": (_save_torch, _load_torch, atomic),
    "onnx": (_save_onnx, _load_onnx, atomic),
    "openvino": (_save_openvino, _load_openvino, _whole_folder),
}
