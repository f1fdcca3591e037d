"""Safe reader of published weights: .pkl, .pth and .safetensors.

A pickle may name any function to be called while it is read. A file of detectron2's model zoo needs three, which build
arrays; this reader has stand-ins for them that hold data, and refuses every other name before anything is called.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import UserError, reason
from pipeline.io.checkpoints import read_torch
from pipeline.io.file_kind import PICKLE, SAFETENSORS, TORCH, in_place_of, kind_of

PICKLED = (".pkl",)
TORCH_ENDINGS = (".pth", ".pt", ".pyth")
NUMBERS = "fiub"  # kinds of numpy's types that a weight may have


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a weights file by name, on the CPU.

    Taken from under the key "model" where the file has one, as detectron2 writes it. Raises UserError for a file that
    is missing, truncated or of another kind, and for one that wants code to run.
    """
    try:
        content = _read(path)
    except FileNotFoundError as error:
        raise UserError(f"there are no weights {path}", "Fetch them, or correct the path.") from error
    except Exception as error:  # a damaged pickle may raise anything
        other = in_place_of(path, TORCH)
        if other is not None and other.name not in (SAFETENSORS, PICKLE):
            raise UserError(f"weights {path} cannot be read: it is {other.what}", other.remedy) from error
        raise UserError(
            f"weights {path} cannot be read: {reason(error)}",
            "Fetch the file again; known kinds are .pkl of detectron2's model zoo, .pth and .safetensors.",
        ) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]
    weights = {name: _tensor(value) for name, value in content.items()} if isinstance(content, dict) else {}
    found = {str(name): value for name, value in weights.items() if value is not None}
    if not found or len(found) < len(weights):
        strange = next((str(name) for name, value in weights.items() if value is None), "nothing")
        raise UserError(
            f"weights {path} do not hold tensors by name, but {strange}",
            "Give a file with the network's weights, e.g. model_final_*.pkl.",
        )
    return found


def _read(path: Path) -> Any:
    """Content of the file. Its name counts only where its first bytes are of no known kind."""
    kind = kind_of(path)
    if kind is not None and kind.name == TORCH:
        return read_torch(path)
    if kind is not None and kind.name == SAFETENSORS:
        from safetensors.torch import load_file

        return load_file(path)
    if path.suffix in PICKLED or (kind is not None and kind.name == PICKLE):
        content = path.read_bytes()
        _require_bounded(content)
        return _Reader(io.BytesIO(content)).load()
    if path.suffix in TORCH_ENDINGS:
        return read_torch(path)
    raise ValueError(f"'{path.suffix}' is no known kind")


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, _Array):
        return torch.from_numpy(value.values)
    return value if isinstance(value, Tensor) else None


def _require_bounded(content: bytes) -> None:
    """Raise ValueError for a pickle that makes its reader take more memory than the file has bytes: texts and frames
    longer than what is left of it, or an object's number beyond how many there are. Nothing is built meanwhile.
    """
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        number = argument if isinstance(argument, int) else 0
        if opcode.name == "FRAME" and number > len(content):
            raise ValueError("a frame is longer than the file")
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and number > count:
            raise ValueError("an object's number is larger than how many there are")


class _Type:
    """Stands in for numpy.dtype: remembers the code, and the byte order from its state."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code, self.order = code, "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def resolve(self) -> np.dtype:
        found = np.dtype(self.code)
        if found.kind not in NUMBERS:
            raise pickle.UnpicklingError(f"arrays of type {self.code} are no weights")
        return found.newbyteorder(">" if self.order == ">" else "<")


class _Array:
    """Stands in for an array that numpy's _reconstruct would make; values: in the machine's byte order."""

    values: np.ndarray

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, data = state
        self.fill(data, kind, shape, "F" if by_columns else "C")

    def fill(self, data: bytes | str, kind: _Type, shape: tuple[int, ...], order: str) -> _Array:
        raw = data.encode("latin1") if isinstance(data, str) else data  # a str: written by Python 2
        flat = np.frombuffer(raw, kind.resolve())
        values = flat.reshape(shape, order="F" if order == "F" else "C")
        self.values = values.astype(values.dtype.newbyteorder("="), order="C")  # a copy that may be written to
        return self


def _from_buffer(data: bytes, kind: _Type, shape: tuple[int, ...], order: str) -> _Array:
    """Stands in for numpy's _frombuffer, by which pickle's protocol 5 writes arrays."""
    return _Array().fill(data, kind, shape, order)


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for codecs.encode, by which pickle's protocol 2 writes bytes: always as Latin 1."""
    return text.encode("latin1")


ADMITTED = {
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): dict,
    ("numpy", "ndarray"): None,  # an argument of _reconstruct, never called
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


class _Reader(pickle.Unpickler):
    """Reads containers, text, numbers and arrays of numbers."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}, which no file of weights needs")
        return ADMITTED[module, name]
