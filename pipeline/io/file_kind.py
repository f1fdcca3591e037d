"""Kinds of files by their content, for messages.

Reads the beginning of a file, and the table of contents of an archive. The name of the file is not looked at. No torch.
"""

from __future__ import annotations

import json
import re
import shlex
import struct
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

HEAD = 4096  # bytes of a file that are looked at
LARGEST_HEADER = 100 << 20  # bytes; safetensors refuses more
SAFETENSORS, TORCH, PICKLE, HDF5 = "safetensors", "torch.save", "pickle", "HDF5"  # kinds that this program reads
LFS = "Git LFS"
HOSTILE = ("builtins", "os", "posix", "nt", "sys", "subprocess", "shutil", "socket")  # modules of harmful functions
AGAIN = "Download or copy it again."


class FileKind(NamedTuple):
    """Kind of a file.

    name: SAFETENSORS, TORCH, PICKLE, HDF5, LFS, or "" for any other. what: the kind in words. remedy: where another
    kind is needed.
    """

    name: str
    what: str
    remedy: str


def kind_of(path: Path) -> FileKind | None:
    """Kind of a file or folder; None where it is not known.

    Raises OSError where it cannot be read.
    """
    if path.is_dir():
        return _folder(path)
    with open(path, "rb") as file:
        head = file.read(HEAD)
    for kind in (_by_signature(path, head), _safetensors(path, head), _text(path, head)):
        if kind is not None:
            return kind
    return None


def in_place_of(path: Path, wanted: str) -> FileKind | None:
    """Kind of a file that should be of another one, `wanted`.

    None if it is of the kind `wanted`, or of no known kind.
    """
    try:
        kind = kind_of(path)
    except OSError:
        return None
    return None if kind is None or kind.name == wanted else kind


def _folder(path: Path) -> FileKind:
    weights = [child for ending in ("safetensors", "pth", "pt", "bin") for child in sorted(path.glob(f"*.{ending}"))]
    found = f"Give the file: {shlex.quote(str(weights[0]))}" if weights else "Give a file in it."
    return FileKind("", "a folder", found)


def _by_signature(path: Path, head: bytes) -> FileKind | None:
    if not head:
        return FileKind("", "an empty file", AGAIN)
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    for signature, kind in SIGNATURES.items():
        if re.match(signature, head, re.DOTALL):
            return kind
    return None


def _archive(path: Path) -> FileKind:
    """Kind of a ZIP archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return FileKind("", "a ZIP archive that was cut off, as torch.save writes", AGAIN)
    inside = {name.partition("/")[2] for name in names}
    file = shlex.quote(str(path))
    if {"serialized_exported_program.json", "models/model.json", "archive_format"} & inside:
        return FileKind("", "an exported program of torch.export, not weights", "Give the weights it was made from.")
    if "constants.pkl" in inside and "data.pkl" in inside:
        return FileKind("", "a TorchScript archive", _resaved(f"torch.jit.load({str(path)!r}, 'cpu')", path))
    if "data.pkl" in inside:
        return FileKind(TORCH, "a file of torch.save", "")
    if names and all(name.endswith(".npy") for name in names):
        return FileKind("", "arrays of numpy (.npz)", "Give weights of PyTorch.")
    return FileKind("", f"a ZIP archive with {names[0] if names else 'nothing'}", f"Unpack it first: unzip {file}")


def _resaved(loaded: str, path: Path) -> str:
    """Remedy that stores the tensors of a file in a file of their own."""
    code = f"import torch; f = {loaded}; torch.save(getattr(f, 'state_dict', lambda: f)(), {_beside(path)!r})"
    return f"If you trust its source, run: {shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def _beside(path: Path) -> str:
    return str(path.with_name(f"{path.stem}.weights.pth"))


def without_objects(path: Path, name: str) -> str:
    """Remedy for a torch.save file that holds objects.

    name: of the class or function that the file names.
    """
    if name.partition(".")[0] in HOSTILE:
        return "Do not use this file: no network needs that."
    keys = "next((f[k] for k in ('state_dict', 'model', 'net') if k in f), f)"
    loaded = f"torch.load({str(path)!r}, 'cpu', weights_only=False); f = {keys} if isinstance(f, dict) else f"
    return _resaved(loaded, path)


def _safetensors(path: Path, head: bytes) -> FileKind | None:
    if len(head) < 9 or head[8:9] != b"{":
        return None
    (length,) = struct.unpack("<Q", head[:8])
    if length > LARGEST_HEADER:
        return None
    needed, size = _needed(path, length), path.stat().st_size
    if needed > size:
        return FileKind("", f"a safetensors file cut off after {size:,} of {needed:,} bytes", AGAIN)
    return FileKind(SAFETENSORS, "a safetensors file", "")


def _needed(path: Path, length: int) -> int:
    """Bytes that a safetensors file with a header of `length` bytes has; those of the header if it cannot be read."""
    with open(path, "rb") as file:
        header = file.read(8 + length)[8:]
    try:
        tensors = json.loads(header)
        ends = [value["data_offsets"][1] for name, value in tensors.items() if name != "__metadata__"]
        return 8 + length + max([0, *map(int, ends)])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return 8 + length


def _text(path: Path, head: bytes) -> FileKind | None:
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    folder = shlex.quote(str(path.parent))
    if begin.startswith(b"version https://git-lfs"):
        return FileKind(LFS, "a pointer of Git LFS; its content was not downloaded", f"Run: git -C {folder} lfs pull")
    if re.match(rb"<(!doctype|html|head|\?xml)", begin, re.IGNORECASE):
        title = re.search(rb"<title[^>]*>\s*([^<]{1,80}?)\s*<", head, re.IGNORECASE)
        named = f", '{title[1].decode(errors='replace')}'" if title else ""
        return FileKind("", f"a web page{named}, as servers send in place of a file", "Download it in a browser.")
    if b'"weight_map"' in head:
        return FileKind("", "an index of weights in several files", "Join them, or give a file with all weights.")
    if begin[:1] in (b"{", b"[") and b"\0" not in head:
        return FileKind("", "a JSON text", AGAIN)
    return None


_PACKED = FileKind("", "a packed file", "Unpack it, and give the file in it.")
SIGNATURES = {
    rb"\x89HDF\r\n\x1a\n": FileKind(HDF5, "an HDF5 file, as Keras writes", "Give weights of PyTorch."),
    rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\.": FileKind(TORCH, "a file of torch.save", ""),  # before 1.6
    rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd": _PACKED,
    rb"\x93NUMPY": FileKind("", "one array of numpy (.npy)", "Give weights of PyTorch."),
    rb".{4}TFL3": FileKind("", "a TFLite model", "Give weights of PyTorch."),
    rb"\x08[\x01-\x20]\x12[\x01-\x40][ -~]": FileKind("", "an ONNX model", "Give the weights it was made from."),
    rb"\x80[\x02-\x05]": FileKind(PICKLE, "a pickle that torch.save did not write", "Save it by torch.save."),
    rb"\x89PNG|\xff\xd8\xff|GIF8": FileKind("", "a picture", "Give another file."),
}
