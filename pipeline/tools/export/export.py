"""Export of a trained network to torch.export and ONNX.

Reads model.safetensors, config.json and shards, if there are any. Writes sorn.pt2 (torch.export) and sorn.onnx, each
with a JSON file of its description and parity. A file gets its name only after it was read again in its own runtime
and computed the features of the original network.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.datasets.manifest import load_manifest
from pipeline.errors import UserError
from pipeline.features.network import load_network
from pipeline.io.disk import OUT, require_space, told_when_full
from pipeline.io.files import atomic, digest_file, write_json
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.layout import WEIGHTS
from pipeline.runs.result_paths import Exported
from pipeline.tools.export.parity import Check, Run, find_probe, table
from sorn.batch import to_input
from sorn.config import check, check_choice
from sorn.export import DISTINCT, ExportedNetwork, least_distance, named, output_names, traced
from sorn.parts import LABELLINGS

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
FORMATS = ("torch", "onnx")
OPSET = 18  # the first that torch's exporter writes without converting
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
METADATA = "sorn.json"  # in the .pt2
ETHICS = (
    "Biometric technology. For research, and for footage whose people agreed or that the law allows; not for "
    "identifying people in public space without a legal basis, nor for decisions from a match alone (docs/ethics.md)."
)


Facts = Mapping[str, Any]  # content of the JSON beside an exported network


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    formats: some of FORMATS. tau: threshold of Eq. 12, recorded in the files.
    """

    formats: tuple[str, ...] = FORMATS
    tau: float = 0.15

    def __post_init__(self) -> None:
        for name in self.formats:
            check_choice("format", name, FORMATS)
        check(0 <= self.tau <= 1, "tau", self.tau, "a number in [0, 1]")


def export(training: Path, files: Exported, options: ExportOptions) -> list[Path]:
    """Write the network of a training in every format.

    training: folder of the training. Returns the files in the order of the formats. Raises UserError for a network
    without features, for missing packages, and for a file without parity, which is removed.
    """
    _require_packages(options.formats)
    about = describe(training)
    config = about.model
    names = output_names(config)
    if not names:
        raise UserError(
            f"the network in {training} has only the semantic branch, so it has no features to export",
            "Export one with a local or a global branch.",
        )
    network = load_network(training / WEIGHTS, config, torch.device("cpu"))
    probe = find_probe(training, about.image_size)
    original = probe.run(lambda images: named(network(to_input(images, network.normalisation)), names))
    _require_distinct(training, original)
    folder = files.file(options.formats[0]).parent
    require_space(folder, len(options.formats) * (training / WEIGHTS).stat().st_size, OUT)
    facts = _facts(training, about, original, options.tau)
    program = traced(ExportedNetwork(network), about.image_size)
    logger.info(f"{training}: compared over {probe.text}")
    against = Check(probe, original, options.tau)
    return [_write(files.file(name), name, program, facts, against) for name in options.formats]


def _write(path: Path, name: str, program: torch.export.ExportedProgram, facts: Facts, against: Check) -> Path:
    """Write one file and its JSON. An older file stays until the new one has passed the parity check."""
    described = Exported.about(path)
    save, load = (_save_torch, _load_torch) if name == "torch" else (_save_onnx, _load_onnx)
    try:
        with told_when_full(path, OUT), atomic(path) as temporary:
            save(temporary, program, facts)
            found = against.figures(load(temporary))
            described.unlink(missing_ok=True)
    except ValueError as error:
        raise UserError(
            f"the {name} export does not compute what the network computes ({error}); it was removed",
            "Please report it, with this sentence and the versions of torch, onnx and onnxruntime.",
        ) from error
    logger.info("\n".join([f"{path}: {path.stat().st_size / 1e6:.1f} MB", *table(found)]))
    whole = {**facts, "sha256": digest_file(path), "parity": against.as_json(found)}
    write_json(described, whole)
    return path


def _save_torch(path: Path, program: torch.export.ExportedProgram, facts: Facts) -> None:
    with open(path, "wb") as file:
        torch.export.save(program, file, extra_files={METADATA: json.dumps(facts)})


def _load_torch(path: Path) -> Run:
    with open(path, "rb") as file:
        module = torch.export.load(file).module()
    return module


def _save_onnx(path: Path, program: torch.export.ExportedProgram, facts: Facts) -> None:
    exported = torch.onnx.export(
        program,
        (),
        dynamo=True,
        input_names=["image"],
        output_names=list(facts["outputs"]),
        opset_version=OPSET,
        dynamic_shapes={"image": {0: "batch"}},
        verbose=False,
    )
    assert exported is not None, "dynamo=True returns the program"
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    exported.model.metadata_props.update(texts)
    exported.save(str(path), external_data=False)


def _load_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(images: Tensor) -> dict[str, Tensor]:
        found = session.run(names, {"image": images.numpy()})
        return {name: torch.from_numpy(array) for name, array in zip(names, found, strict=True)}

    return run


def _require_packages(formats: tuple[str, ...]) -> None:
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None] if "onnx" in formats else []
    if missing:
        wrong = f"to write and check ONNX, this environment lacks: {', '.join(missing)}"
        raise UserError(wrong, "In the project's folder, type: pip install -e '.[export]'; or: --format torch.")


def _require_distinct(training: Path, original: dict[str, Tensor]) -> None:
    """Raise UserError if the network gives equal features for different images: parity would then mean nothing."""
    for name, value in original.items():
        if name != "visibility" and not least_distance(value) > DISTINCT:
            raise UserError(
                f"the network in {training} gives the same {name} feature for different images, or none at all",
                "Its training went wrong; look at its losses and train again.",
            )


def _facts(training: Path, about: CheckpointInfo, original: dict[str, Tensor], tau: float) -> Facts:
    """Description of the network for a user who has only the file."""
    (height, width), config = about.image_size, about.model
    try:
        manifest = load_manifest(about.dataset)
        licence, notice = manifest.licence, manifest.notice
    except UserError:  # a dataset of the user may have no manifest
        licence, notice = "", ""
    return {
        "schema_version": SCHEMA_VERSION,
        "input": {"name": "image", "type": "uint8", "shape": ["batch", height, width, 3]},
        "preprocessing": f"RGB from 0 to 255, resized to {height}x{width} (bilinear, antialiased); nothing else: the "
        "file itself normalises",
        "outputs": {name: ["batch", *value.shape[1:]] for name, value in original.items()},
        "matching": "similarity by Eq. 13-15: cosine of each feature; a stripe counts where both scores reach tau",
        "image_size": [height, width],
        "tau": tau,
        "class_names": list(LABELLINGS[config.labels]) if config.semantic_branch else [],
        "trained_on": about.trained_on,
        "checkpoint_sha256": digest_file(training / WEIGHTS),
        "model": about.stored_model,
        "licence": {"program": "Apache-2.0", "dataset": licence or "not stated"},
        "notice": notice,
        "ethics": ETHICS,
        "versions": {"torch": torch.__version__},
    }
