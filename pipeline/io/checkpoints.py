"""Checkpoints: weights as safetensors, training states as torch files.

Reads and writes *.safetensors and state-*.pt. No pickle with code is ever read: safetensors holds tensors and text
only, and a state is loaded with weights_only. Every file is finished by a rename.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.errors import UserError, reason
from pipeline.io.disk import told_when_full
from pipeline.io.files import atomic
from pipeline.io.weights_metadata import METADATA_KEY, unreadable
from pipeline.io.weights_metadata import read_metadata as read_metadata


def bytes_of(text: str, _: str) -> bytes:
    """Bytes of a text in Latin 1, as in pickles."""
    return text.encode("latin1")


_SCALAR = np.float64(0).__reduce__()[0]  # what numpy's numbers are pickled by; its module has another name since 2.0
_ARRAY = np.zeros(0).__reduce__()[0]  # and its arrays
# What others put beside weights, as the best accuracy so far and the options of their program: numbers, texts, paths.
PLAIN_VALUES: list[Any] = [
    *((_SCALAR, f"numpy.{module}.multiarray.scalar") for module in ("core", "_core")),
    *((_ARRAY, f"numpy.{module}.multiarray._reconstruct") for module in ("core", "_core")),
    (bytes_of, "_codecs.encode"),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "u1", "?")),
    Namespace,
    *((PurePosixPath, f"pathlib{module}.PosixPath") for module in ("", "._local")),
    *((PureWindowsPath, f"pathlib{module}.WindowsPath") for module in ("", "._local")),
]
SHOWN = 3  # differences named in an error


class HoldsCode(ValueError):
    """Error for a torch.save file that names code.

    name: of the class or function, with its module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"it holds a {name}, which could run code, and not only tensors, texts and numbers")
        self.name = name


def save_weights(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, object]) -> None:
    """Weights file of a state_dict and JSON metadata.

    Equal weights give equal bytes.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    text = {METADATA_KEY: json.dumps(metadata, sort_keys=True)}
    _write(path, lambda temporary: save_file(tensors, temporary, text))


def read_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a weights file, on the CPU.

    Raises UserError for a file that is missing, truncated or not safetensors.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise unreadable(path, error) from error


def load_weights(path: Path, model: nn.Module) -> None:
    """Weights of a file, loaded into a model.

    The file and the model must have the same tensors; half precision becomes that of the model. The model may be on
    torch's meta device, which saves the time of drawing initial weights; afterwards it is on the CPU. Raises UserError
    with the first differences when the file belongs to another architecture or number of identities.
    """
    weights, wanted = read_weights(path), model.state_dict()
    differences = [f"{name} is missing" for name in wanted if name not in weights]
    differences += [f"{name} is unknown" for name in weights if name not in wanted]
    for name in wanted.keys() & weights.keys():
        stored, expected = tuple(weights[name].shape), tuple(wanted[name].shape)
        if stored != expected:
            differences.append(f"{name} is {stored}, the network's {expected}")
    if differences:
        shown = "; ".join(sorted(differences)[:SHOWN])
        raise UserError(
            f"{path} does not fit the configured network ({len(differences)} of {len(wanted)} tensors): {shown}",
            "Use the [model] options and the training data it was trained with, or train again.",
        )
    model.load_state_dict({name: weights[name].to(tensor.dtype) for name, tensor in wanted.items()}, assign=True)


def save_state(path: Path, state: Mapping[str, object]) -> None:
    """Training state file: nested dicts and lists of tensors, numbers, text."""
    _write(path, lambda temporary: torch.save(dict(state), temporary))


def read_torch(path: Path) -> Any:
    """Content of a `torch.save` file: tensors, text and numbers, on the CPU.

    No code of the file runs. torch.save stores a CRC-32 of every record. torch.load does not check it, so it is checked
    here. The records must not be larger than the file. Raises OSError for a file that cannot be read, HoldsCode for one
    that names code, ValueError for any other fault.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                    raise ValueError("its records are larger than the file")
                damaged = archive.testzip()
            if damaged is not None:
                raise ValueError(f"{damaged} does not match its checksum")
        # An open file, not its path: by a path, torch takes the end of the name for the kind of the file.
        with torch.serialization.safe_globals(PLAIN_VALUES), open(path, "rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, ValueError):
        raise
    except pickle.UnpicklingError as error:  # torch's own words tell how to run the code
        code = re.search(r"GLOBAL (\S+)", str(error))
        if code:
            raise HoldsCode(code[1]) from error
        raise ValueError("it is damaged, or holds more than tensors, texts and numbers") from error
    except Exception as error:  # a damaged pickle raises anything
        raise ValueError(reason(error)) from error


def load_state(path: Path, fingerprint: str) -> dict[str, Any]:
    """Training state on the CPU.

    Raises UserError for a state that is missing, damaged, or of another run.
    """
    try:
        state = read_torch(path)
        if not isinstance(state, dict):
            raise ValueError(f"it holds a {type(state).__name__}")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no complete training state: {reason(error)}",
            f"Delete {path} to train from the beginning.",
        ) from error
    if state.get("fingerprint") != fingerprint:
        raise UserError(f"{path} belongs to another run", f"Delete {path} and run the stage again.")
    return state


def _write(path: Path, save: Callable[[Path], None]) -> None:
    try:
        with told_when_full(path), atomic(path) as temporary:
            save(temporary)
            # safetensors gives read permission to the owner only; weights are shared, like their folder.
            temporary.chmod(path.parent.stat().st_mode & 0o666)
    except (RuntimeError, SafetensorError) as error:  # what both call a disk that took a part of the file
        wrong = f"{path} could not be written: {reason(error)}"
        raise UserError(wrong, f"See whether {path.parent} has room and may be written.") from error
