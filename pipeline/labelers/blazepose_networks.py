"""BlazePose's networks on LiteRT, one image at a time.

Reads the files of `blazepose_files`. LiteRT is imported when the networks are loaded; no other module imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.io.networks import pip
from pipeline.labelers.blazepose_files import NetworkFile, require


class Network:
    """One network. Its answer for an image depends on that image alone."""

    def __init__(self, path: Path) -> None:
        # With one thread, as torch's networks here: several images at a time keep all cores busy.
        self._interpreter = interpreter_class()(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]

    def run(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Outputs of the network in its order.

        float32, without the axis of the batch. pixels: float32 [n, n, 3].
        """
        self._interpreter.set_tensor(self._input, pixels[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


@dataclass(frozen=True)
class NetworkFiles:
    """Files of a set of networks.

    selfie: None where no silhouette is asked for.
    """

    pose: NetworkFile
    detector: NetworkFile
    selfie: NetworkFile | None = None

    def all(self) -> tuple[NetworkFile, ...]:
        return tuple(file for file in (self.pose, self.detector, self.selfie) if file is not None)

    def digests(self) -> str:
        """What the networks are known by in fingerprints."""
        return ", ".join(file.sha256 for file in self.all())


@dataclass(frozen=True)
class Networks:
    """Networks of one thread."""

    pose: Network
    detector: Network
    selfie: Network | None


class NetworkPool:
    """Networks for every thread at work.

    An interpreter serves one thread at a time.

    Raises UserError where LiteRT is not installed or a file is missing or damaged.
    """

    def __init__(self, folder: Path, files: NetworkFiles) -> None:
        interpreter_class()
        require(folder, files.all())
        self._folder, self._files = folder, files
        self._idle = [self._load()]

    @contextmanager
    def borrow(self) -> Iterator[Networks]:
        """Networks that no other thread has meanwhile."""
        try:
            networks = self._idle.pop()
        except IndexError:
            networks = self._load()
        try:
            yield networks
        finally:
            self._idle.append(networks)

    def _load(self) -> Networks:
        selfie = self._files.selfie
        pose, detector = (Network(self._folder / file.name) for file in (self._files.pose, self._files.detector))
        return Networks(pose, detector, None if selfie is None else Network(self._folder / selfie.name))


def interpreter_class() -> Any:
    """LiteRT's interpreter. Raises UserError where it is not installed."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        wrong = f"blazepose needs the package ai-edge-litert, which cannot be imported: {error}"
        raise UserError(wrong, f"Run: {install_litert()}") from error
    return Interpreter


def install_litert() -> str:
    """Command that installs LiteRT for this Python."""
    return pip("'ai-edge-litert>=2.0'")
