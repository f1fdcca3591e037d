"""SynPed on disk.

Reads the plan and a half-finished folder; writes images/, masks/, joints/ and synped.json.

    images/<split>/<pid:04d>_c<camid:02d>_<index:06d>.jpg   the photograph
    masks/<split>/<same stem>.png   8-bit palette PNG: class ids of sorn.parts; joints as a text chunk
    images/query/cut/, masks/query/cut/    gallery pictures cut off, as of val_gallery in val_query/cut/ (synped.cut)
    joints/<split>.csv              name, then x, y, visible of 17 COCO joints, gathered from the masks
    synped.json                     size, seed, style and renderer version; "complete" once all is there

A file that exists is finished (it got its name by os.replace), so an interrupted rendering goes on where it stopped.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import process_executor
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.synped.cut import FOLDERS, Cut, cut_box, cut_joints, find_cuts
from pipeline.datasets.synped.plan import RENDERER_VERSION, SIZES, DatasetPlan, ImageSpec, Size, make_plan
from pipeline.datasets.synped.style import STYLES
from pipeline.errors import UserError
from pipeline.io.files import atomic, write_json, write_text
from pipeline.io.text import read_json
from pipeline.runtime.progress import progress
from sorn.parts import COLOURS
from sorn.sample import JOINTS

STATE = "synped.json"
OWN_NAME = re.compile(r"\d{4,}_c\d{2,}_\d{6,}\.(jpg|png)(\.tmp)?")
CHUNK = 16  # pictures a worker renders before it reports
CUT_QUALITY = 95  # JPEG of cut pictures, which were compressed as whole ones before
# Modules with kernels, the slowest to compile first. Each is compiled by one worker, the others take it from the cache.
KERNELS = (
    "mesh_kernels",
    "shade_kernels",
    "raster_kernels",
    "embree",
    "piece_kernels",
    "image_kernels",
    "sky_kernels",
    "solid_kernels",
    "elementary",
)
KEPT = 2 << 30  # bytes that a worker may keep in places, people and obstacles that come again


def write_dataset(root: Path, size: str | Size, seed: int, workers: int, style: str = "home") -> None:
    """Render what is missing under `root`, then cut gallery pictures.

    The result does not depend on `workers`. size: a name of SIZES, or a Size. style: a name of STYLES. Raises UserError
    for an unknown size or style, a folder that is not SynPed's, a full disk.
    """
    if isinstance(size, str) and size not in SIZES:
        raise UserError(f"unknown size of SynPed '{size}'", f"Known: {', '.join(SIZES)}.")
    if style not in STYLES:
        raise UserError(f"unknown style of SynPed '{style}'", f"Known: {', '.join(STYLES)}.")
    plan = make_plan(SIZES[size] if isinstance(size, str) else size, seed, style)
    state = {"size": repr(plan.size), "seed": seed, "style": style}
    state |= {"renderer_version": RENDERER_VERSION, "images": len(plan.images)}
    known = _read_state(root)
    if {key: known.get(key) for key in state} != state:
        _clear(root)
        known = {}
    missing = [spec.index for spec in plan.images if not all(path.is_file() for path in files_of(root, spec))]
    uncut = [cut for cut in find_cuts(plan) if not all(path.is_file() for path in cut_files(root, cut))]
    tables = [joints_path(root, split) for split in SPLITS]
    rendered = not missing and known.get("complete") and all(table.is_file() for table in tables)
    if rendered and not uncut:
        return
    try:
        if not rendered:
            write_json(root / STATE, state | {"complete": False})
            _render_all(root, plan, missing, max(1, workers))
            for split in SPLITS:
                _write_joints(root, split, [spec for spec in plan.images if spec.split == split])
        for cut in uncut:
            _write_cut(root, plan.seed, cut)
        write_json(root / STATE, state | {"complete": True})
    except OSError as error:
        raise UserError(
            f"{error.filename or root} cannot be written: {error.strerror or error}",
            "Make room or choose another DATA_ROOT, then run the same command again; finished pictures are kept.",
        ) from error


def files_of(root: Path, spec: ImageSpec) -> tuple[Path, Path]:
    """Image and mask of one picture."""
    return root / "images" / spec.split / f"{spec.stem}.jpg", root / "masks" / spec.split / f"{spec.stem}.png"


def cut_files(root: Path, cut: Cut) -> tuple[Path, Path]:
    """Image and mask of one cut picture."""
    stem = f"{cut.folder}/{cut.source.stem}"
    return root / "images" / f"{stem}.jpg", root / "masks" / f"{stem}.png"


def joints_path(root: Path, split: str) -> Path:
    return root / "joints" / f"{split}.csv"


def _read_state(root: Path) -> dict[str, object]:
    path = root / STATE
    if not path.is_file():
        if root.exists() and any(root.iterdir()):
            raise UserError(
                f"{root} is not empty and has no {STATE}: it is not a folder of SynPed",
                "Move it away or choose another DATA_ROOT.",
            )
        return {}
    try:
        state = read_json(path)
        return state if isinstance(state, dict) else {}
    except ValueError:
        return {}


def _clear(root: Path) -> None:
    """Delete what another plan or renderer left, and nothing else: only files named as SynPed names them."""
    for name in (*SPLITS, *FOLDERS.values()):
        for folder in (root / "images" / name, root / "masks" / name):
            for path in sorted(folder.glob("*")):
                if OWN_NAME.fullmatch(path.name):
                    path.unlink()
    for split in SPLITS:
        joints_path(root, split).unlink(missing_ok=True)


def _render_all(root: Path, plan: DatasetPlan, missing: list[int], workers: int) -> None:
    if not missing:
        return
    Parallel(n_jobs=workers)(delayed(_compile)(name) for name in KERNELS)
    for split in SPLITS:
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    jobs = (delayed(_render_chunk)(root, plan.size, plan.seed, plan.style, chunk) for chunk in chunks)
    done: Iterator[None] = Parallel(n_jobs=workers, return_as="generator")(jobs)
    for _ in progress(done, len(missing), "render SynPed", step=CHUNK):
        pass


def _compile(name: str) -> None:
    importlib.import_module(f"pipeline.datasets.synped.{name}")


def _render_chunk(root: Path, size: Size, seed: int, style: str, indices: list[int]) -> None:
    from pipeline.datasets.synped.render import render

    process_executor._MAX_MEMORY_LEAK_SIZE = KEPT
    # joblib, where psutil is installed, takes 300 MB kept for a leak and starts the worker anew: twice the time.
    plan = make_plan(size, seed, style)
    for index in indices:
        spec = plan.images[index]
        rendered = render(plan, index)
        image, mask = files_of(root, spec)
        if not image.is_file():
            _write(image, _jpeg(rendered.image, rendered.quality))
        if not mask.is_file():
            _write(mask, mask_png(rendered.mask, rendered.joints))


def _write_cut(root: Path, seed: int, cut: Cut) -> None:
    """Write image and mask of one cut picture, in the resolution of the whole one."""
    whole, labels = files_of(root, cut.source)
    with Image.open(whole) as opened:
        image = opened.convert("RGB")
    with Image.open(labels) as opened:
        mask, text = np.asarray(opened), str(opened.info["joints"])
    box = cut_box(seed, cut.source.index, *image.size)
    joints = cut_joints(np.array(text.split(","), np.float32).reshape(len(JOINTS), 3), box)
    left, top, right, bottom = box
    contents = _jpeg(np.asarray(image.crop(box)), CUT_QUALITY), mask_png(mask[top:bottom, left:right], joints)
    for path, content in zip(cut_files(root, cut), contents, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            _write(path, content)


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def mask_png(mask: np.ndarray, joints: np.ndarray) -> bytes:
    """Palette PNG of class ids uint8 [h, w].

    The joints float32 [17, 3] are its text chunk "joints".
    """
    picture = Image.fromarray(mask, mode="P")
    picture.putpalette(COLOURS.tobytes())
    info = PngInfo()
    info.add_text("joints", ",".join(f"{value:.1f}" for value in joints.ravel()))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, bits=8)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """The whole file or none of it."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def _write_joints(root: Path, split: str, specs: list[ImageSpec]) -> None:
    header = ",".join(["name", *(f"{joint}_{axis}" for joint in JOINTS for axis in ("x", "y", "visible"))])
    lines = [header]
    for spec in specs:
        with Image.open(files_of(root, spec)[1]) as mask:
            lines.append(f"{spec.stem},{mask.info['joints']}")
    write_text(joints_path(root, split), "\n".join(lines) + "\n")
