"""Export of a trained network to torch.export and ONNX.

Reads model.safetensors, config.json and shards, if there are any. Writes sorn.pt2 (torch.export) and sorn.onnx, each
with a JSON file of its description and parity, and match.py, which computes similarities from their outputs. A file
gets its name only after it was read again in its own runtime and computed the features of the original network.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipeline.datasets.manifest import load_manifest
from pipeline.errors import UserError
from pipeline.features.network import load_network
from pipeline.io.disk import OUT, require_space
from pipeline.io.files import digest_file, write_text
from pipeline.io.text import read_text
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.layout import WEIGHTS
from pipeline.runs.result_paths import Exported
from pipeline.tools.export import match
from pipeline.tools.export.parity import Check, Probe, find_probe
from pipeline.tools.export.writers import Facts, Graph, missing_packages, write
from sorn.batch import to_input
from sorn.config import check, check_choice
from sorn.export import DISTINCT, ExportedNetwork, least_distance, named, output_names, traced
from sorn.network import SORN
from sorn.parts import LABELLINGS

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
FORMATS = ("torch", "onnx")
ETHICS = (
    "Biometric technology. For research, and for footage whose people agreed or that the law allows; not for "
    "identifying people in public space without a legal basis, nor for decisions from a match alone (docs/ethics.md)."
)
READ_BY = {
    "torch": f"PyTorch {torch.__version__.partition('+')[0]}, torch.export.load; others, newer ones too, may refuse it",
    "onnx": "runtimes that know ONNX opset 18 and IR version 10",
}


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


@dataclass(frozen=True)
class Exportable:
    """Trained network with images and its outputs for them.

    The outputs are those that an exported file must repeat.
    """

    training: Path
    about: CheckpointInfo
    network: SORN
    probe: Probe
    original: dict[str, Tensor]

    @classmethod
    def of(cls, training: Path) -> Exportable:
        """Network of a training folder.

        Raises UserError for one without features, or with the same ones for different images.
        """
        about = describe(training)
        names = output_names(about.model)
        if not names:
            raise UserError(
                f"the network in {training} has only the semantic branch, so it has no features to export",
                "Export one with a local or a global branch.",
            )
        network = load_network(training / WEIGHTS, about.model, torch.device("cpu"))
        probe = find_probe(training, about.image_size)
        original = probe.run(lambda images: named(network(to_input(images, network.normalisation)), names))
        _require_distinct(training, original)
        return cls(training, about, network, probe, original)

    def require_space(self, folder: Path, files: int) -> None:
        require_space(folder, files * (self.training / WEIGHTS).stat().st_size, OUT)


def export(training: Path, files: Exported, options: ExportOptions) -> list[Path]:
    """Write the network of a training in every format, and match.py.

    training: folder of the training. Returns the networks in the order of the formats. Raises UserError for a network
    without features, for missing packages, and for a file without parity, which is removed.
    """
    _require_packages(options.formats)
    source = Exportable.of(training)
    source.require_space(files.folder, len(options.formats))
    facts = _facts(source, options.tau)
    program = traced(ExportedNetwork(source.network), source.about.image_size)
    logger.info(f"{training}: compared over {source.probe.text}")
    against = Check(source.probe, source.original, options.tau)
    made = [
        write(files.file(name), name, Graph(program, {**facts, "read_by": READ_BY[name]}, {0: "batch"}), against)
        for name in options.formats
    ]
    write_match(files, options.tau)
    return made


def write_match(files: Exported, tau: float) -> None:
    """Write match.py with this threshold."""
    own = read_text(Path(match.__file__))
    write_text(files.match, re.sub(r"(?m)^TAU = \S+", f"TAU = {tau:g}", own))
    logger.info(f"{files.match}: similarities of these outputs, in numpy")


def _require_packages(formats: tuple[str, ...]) -> None:
    missing = missing_packages("onnx") if "onnx" in formats else []
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


def _facts(source: Exportable, tau: float) -> Facts:
    """Description of the network for a user who has only the file."""
    height, width = source.about.image_size
    return {
        "schema_version": SCHEMA_VERSION,
        "input": {"name": "image", "type": "uint8", "shape": ["batch", height, width, 3]},
        "preprocessing": f"RGB from 0 to 255, resized to {height}x{width} (bilinear, antialiased); nothing else: the "
        "file itself normalises",
        "outputs": {name: ["batch", *value.shape[1:]] for name, value in source.original.items()},
        "matching": "similarity by Eq. 13-15, as in match.py: cosine of each feature; a stripe counts where both "
        "scores reach tau",
        "options": ["--tau", f"{tau:g}"],
        **origin_facts(source, tau),
    }


def origin_facts(source: Exportable, tau: float) -> Facts:
    """Origin, licences and terms of an exported network."""
    about, config = source.about, source.about.model
    try:
        manifest = load_manifest(about.dataset)
        licence, notice = manifest.licence, manifest.notice
    except UserError:  # a dataset of the user may have no manifest
        licence, notice = "", ""
    return {
        "image_size": list(about.image_size),
        "tau": tau,
        "class_names": list(LABELLINGS[config.labels]) if config.semantic_branch else [],
        "trained_on": about.trained_on,
        "checkpoint_sha256": digest_file(source.training / WEIGHTS),
        "model": about.stored_model,
        "licence": {"program": "Apache-2.0", "dataset": licence or "not stated"},
        "notice": notice,
        "ethics": ETHICS,
        "versions": {"torch": torch.__version__},
    }
