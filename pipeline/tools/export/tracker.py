"""Export of a trained network for trackers: one vector per image.

Writes sorn-tracker.onnx and sorn-tracker_openvino_model/, each with a JSON file of its description and parity.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pipeline.errors import UserError
from pipeline.runs.result_paths import Exported
from pipeline.tools.export.export import READ_BY, SCHEMA_VERSION, Exportable, origin_facts
from pipeline.tools.export.parity import Check, Probe
from pipeline.tools.export.writers import Facts, Graph, missing_packages, write
from sorn.batch import to_input
from sorn.config import check, check_choice
from sorn.normalisation import IMAGENET
from sorn.tracking import VECTORS, TrackerNetwork, one_vector, traced_tracker

logger = logging.getLogger(__name__)

TRACKER_FORMATS = ("onnx", "openvino")
INSTALL = "pip install openvino"
AXES = {0: "batch", 2: "height", 3: "width"}


@dataclass(frozen=True)
class TrackerOptions:
    """Options of an export for trackers.

    formats: some of TRACKER_FORMATS; none for those whose packages are installed. tau: threshold of Eq. 12. vector: one
    of VECTORS.
    """

    formats: tuple[str, ...] = ()
    tau: float = 0.15
    vector: str = VECTORS[0]

    def __post_init__(self) -> None:
        for name in self.formats:
            check_choice("format", name, TRACKER_FORMATS)
        check(0 <= self.tau <= 1, "tau", self.tau, "a number in [0, 1]")
        check_choice("vector", self.vector, VECTORS)


def export_tracker(training: Path, files: Exported, options: TrackerOptions) -> list[Path]:
    """Write the network of a training for trackers.

    Returns the file of ONNX and the folder of OpenVINO, as far as they were asked for. Raises UserError as `export`
    does.
    """
    formats = _possible(options.formats)
    source = Exportable.of(training)
    if options.vector == "global" and not source.about.model.global_branch:
        wrong = f"the network in {training} has no global branch, so it has no vector 'global'"
        raise UserError(wrong, "Leave --vector out: the joined vector has the stripes.")
    source.require_space(files.folder, len(formats))
    network = source.network

    def original(images: Tensor) -> dict[str, Tensor]:
        found = network(to_input(images, network.normalisation))
        return {"vector": one_vector(found, options.tau, options.vector)}

    expected = source.probe.run(original)
    facts = _facts(source, options, expected["vector"].shape[1])
    tracker = TrackerNetwork(network, source.about.image_size, options.tau, options.vector)
    program = traced_tracker(tracker)
    logger.info(f"{training}: compared over {source.probe.text}")
    against = Check(Probe(as_trackers_do(source.probe.images), source.probe.source), expected, options.tau)
    return [write(files.tracker(name), name, Graph(program, facts, AXES), against) for name in formats]


def as_trackers_do(images: Tensor) -> Tensor:
    """Input of trackers from images: uint8 [B, H, W, 3] -> float32 [B, 3, H, W]."""
    return to_input(images, IMAGENET).contiguous()


def _possible(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Formats to write: those asked for, or all whose packages are there."""
    for name in formats or TRACKER_FORMATS:
        missing = missing_packages(name)
        if missing and (formats or name == "onnx"):
            raise UserError(
                f"to write and check {name}, this environment lacks: {', '.join(missing)}",
                "In the project's folder, type: pip install -e '.[export,openvino]'.",
            )
        if missing:
            logger.warning(f"OpenVINO's files are not written: {', '.join(missing)} is not installed. Run: {INSTALL}")
    return formats or tuple(name for name in TRACKER_FORMATS if not missing_packages(name))


def _facts(source: Exportable, options: TrackerOptions, width: int) -> Facts:
    """Description of the network for a tracker."""
    mean, std = IMAGENET
    height, across = source.about.image_size
    made = {
        "joined": "global feature and stripes, each of length 1, hidden stripes zero, joined and divided by the length",
        "global": "global feature divided by its length",
    }[options.vector]
    return {
        "schema_version": SCHEMA_VERSION,
        "input": {
            "name": "images",
            "type": "float32",
            "shape": ["batch", 3, "height", "width"],
            "colour": "RGB",
            "mean": list(mean),
            "std": list(std),
        },
        "preprocessing": f"crop of a person, RGB / 255, minus mean, divided by std. Any size, best {height}x{across}, "
        "to which the graph resizes; nothing else",
        "outputs": {"vector": ["batch", width]},
        "vector": made,
        "matching": "cosine similarity, which is the dot product: the vectors have length 1",
        "read_by": READ_BY["onnx"],
        "options": ["--vector", options.vector, "--tau", f"{options.tau:g}"],
        **origin_facts(source, options.tau),
    }
