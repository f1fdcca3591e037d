"""Every reader of a file that somebody else may have written: bytes -> it returns, or raises UserError."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from figures import SIZE, joints, packed, parts, person, runs
from PIL import Image
from record_tables import table_of_pairs
from sample_report import REPORT

from pipeline.datasets import csv_list, records, records_file
from pipeline.datasets.class_tables import load_table
from pipeline.datasets.coco.entries import read_entries
from pipeline.datasets.coco.outlines import decode as decode_outline
from pipeline.datasets.coco.part_masks import read_part_masks
from pipeline.datasets.coco.skeletons import read_poses
from pipeline.datasets.label_maps import LabelMaps
from pipeline.datasets.manifest import load_manifest
from pipeline.datasets.marks import read_marks
from pipeline.datasets.mask_files import read_label_map
from pipeline.datasets.table_fit import IdStatistics, fit_shipped
from pipeline.errors import UserError
from pipeline.evaluation.figures import KEYS
from pipeline.evaluation.per_query import COLUMNS, read_query_results
from pipeline.evaluation.report import VariantFigures
from pipeline.evaluation.saved import read_evaluation
from pipeline.features import mapped, store
from pipeline.io import checkpoints
from pipeline.io.images import decode
from pipeline.labelers.keypoints.joints import read_joints
from pipeline.labelers.pretrained_weights import read_weights
from pipeline.labelers.seen_map import see
from pipeline.runs import stamp
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.config_loading import load_config
from pipeline.runs.made_by import MadeBy
from pipeline.shards.format import ShardReader, ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, read_index, write_index
from sorn.features import FeatureBank
from sorn.sample import JOINTS, Sample, Status

ROOT = Path(__file__).parents[2]
COCO = {
    "images": [{"id": 1, "file_name": "train/a.jpg", "height": 4, "width": 3}],
    "categories": [{"id": 1, "name": "head"}],
    "annotations": [
        {"image_id": 1, "category_id": 1, "segmentation": {"size": [4, 3], "counts": [2, 10]}},
        {"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 1, 0, 1, 1]]},
    ],
}
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())


@dataclass(frozen=True)
class Target:
    """file: the name of what is fuzzed, below a folder. read: the reader, given that path. seeds: good files."""

    name: str
    file: str
    read: Callable[[Path], object]
    seeds: Callable[[Path], list[bytes]]

    def try_bytes(self, folder: Path, data: bytes) -> bool:
        """Whether the reader took it. Any exception but UserError is a finding."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        try:
            self.read(path)
        except UserError as error:
            assert error.wrong.strip() and error.remedy.strip(), "an error without a remedy"
            return False
        return True


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="sorn-fuzz-", dir=MEMORY))


def read_all(path: Path) -> object:
    reader = ShardReader(path)
    try:
        return reader.verified_content()
    finally:
        reader.close()


def texts(*patterns: str) -> Callable[[Path], list[bytes]]:
    return lambda _: [path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def given(*contents: bytes | str) -> Callable[[Path], list[bytes]]:
    return lambda _: [content.encode() if isinstance(content, str) else content for content in contents]


def pictures(folder: Path) -> list[bytes]:
    """A picture and a label map in every format that is read."""
    rng, found = np.random.default_rng(0), []
    for array in (rng.integers(0, 255, (12, 6, 3), dtype=np.uint8), rng.integers(0, 8, (12, 6), dtype=np.uint8)):
        for kind in ("PNG", "JPEG", "BMP", "TIFF"):
            buffer = io.BytesIO()
            Image.fromarray(array).save(buffer, kind)
            found.append(buffer.getvalue())
    return found


def array(folder: Path) -> list[bytes]:
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(0).integers(0, 8, (12, 6), dtype=np.uint8))
    return [buffer.getvalue()]


def scores(folder: Path) -> list[bytes]:
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(0).random((36, 6, 3), np.float32))
    return [buffer.getvalue()]


def as_scores(path: Path) -> np.ndarray:
    return LabelMaps("pifpaf36", load_table("pifpaf36", "lower_arm")).parts(path, (12, 6))


def as_probed(path: Path) -> IdStatistics:
    """What `sorn masks probe` makes of one file: the ids, if it has any, are counted and judged."""
    found, statistics = see(path), IdStatistics()
    if found.ids is not None:
        statistics.add(found.ids)
        fit_shipped(statistics)
    return statistics


def archive(folder: Path) -> list[bytes]:
    found, ids = [], np.random.default_rng(0).integers(0, 8, (12, 6), dtype=np.uint8)
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, ids)
        found.append(buffer.getvalue())
    return found


def shard(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    path = folder / "seed" / "shard-00000.h5"
    with ShardWriter(path, 2, (16, 8), "f" * 64, {"name": "none"}) as writer:
        for i in range(2):
            image = rng.integers(0, 255, (16, 8, 3), dtype=np.uint8)
            writer.append(Sample(image, image[..., 0] % 8, i, i, f"train/{i}.jpg", Status.OK))
    return [path.read_bytes()]


def some_bank(count: int) -> FeatureBank:
    rng = np.random.default_rng(count)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((count, 4), (count, 3, 2))]
    names = np.array([f"images/{i}.jpg" for i in range(count)])
    return FeatureBank(*arrays, rng.random((count, 3), dtype=np.float32), np.arange(count), np.arange(count), names)


def banks(folder: Path) -> list[bytes]:
    path = folder / "seed.h5"
    store.write_banks(path, some_bank(2), some_bank(3), {"fingerprint": "f"})
    return [path.read_bytes()]


def bank(folder: Path) -> list[bytes]:
    path = folder / "seed.h5"
    store.write_bank(path, some_bank(3), {"fingerprint": "f"})
    return [path.read_bytes()]


def weights(folder: Path) -> list[bytes]:
    path = folder / "seed.safetensors"
    checkpoints.save_weights(
        path, {"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}, {"fingerprint": "f"}
    )
    return [path.read_bytes()]


def torch_files(folder: Path) -> list[bytes]:
    """Of today and of before torch 1.6."""
    found = []
    for today in (True, False):
        buffer = io.BytesIO()
        torch.save({"a": torch.ones(2, 3)}, buffer, _use_new_zipfile_serialization=today)
        found.append(buffer.getvalue())
    return found


def pickled(folder: Path) -> list[bytes]:
    """As detectron2's model zoo has them, in two of pickle's protocols."""
    content = {"model": {"a.weight": np.ones((2, 3), np.float32), "a.bias": np.zeros(2, np.float64)}}
    return [pickle.dumps(content, protocol) for protocol in (2, 5)]


def state(folder: Path) -> list[bytes]:
    path = folder / "state-1.pt"
    checkpoints.save_state(path, {"fingerprint": "f", "step": 3, "model": {"a": torch.ones(2)}})
    return [path.read_bytes()]


STAMP = {
    "stage": "train", "version": 1, "fingerprint": "f", "inputs": {"a": "b"}, "config": {"x": {"y": 1}},
    "outputs": {"f": ["s", 1, 2]}, "provides": {"c": "d"}, "versions": {"python": "3.11"},
}  # fmt: skip
TRAINED = {"model": {"identities": 3, "backbone": "resnet18"}, "image_size": [64, 32]}
CSV = "path,pid,camid,split\na.png,1,1,train\nb/c.png,x,2,query\n../d.png,-1,1,gallery\n"
JOINTS_CSV = ",".join(["name", *(f"{joint}_{axis}" for joint in JOINTS for axis in ("x", "y", "visible"))])
RESULTS = ",".join(COLUMNS) + "\nsorn," + ",".join(["q.jpg", "1", "2", "3", "1", *["0.5"] * (len(COLUMNS) - 6)]) + "\n"


def index(folder: Path) -> list[bytes]:
    path, split = folder / "seed.json", SplitEntry(1, "d", "e", {"ok": 1}, 0.5)
    shards = (ShardEntry("train/shard-00000.h5", "train", 1, "d", "s"),)
    write_index(path, ShardIndex("f", MadeBy.of({"name": "none"}), None, (16, 8), (1,), {"train": split}, shards))
    return [path.read_bytes()]


def rows(folder: Path) -> list[bytes]:
    path, file = folder / "seed.csv", records.ImageFile(100, 5, "s" * 64, 6, 12)
    found = [records.ImageRecord(f"train/{i}.png", folder / f"{i}.png", i, 1, "train") for i in range(3)]
    records_file.write_records(path, table_of_pairs((record, file) for record in found))
    return [path.read_bytes()]


def report(folder: Path) -> list[bytes]:
    """With the results of its one query beside it."""
    beside = folder / "runs" / "x-none" / "eval" / "queries.csv"
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_text(RESULTS)
    figures = VariantFigures(dict.fromkeys(KEYS, 0.5), 1, 0)
    return [json.dumps(dataclasses.replace(REPORT, metrics={"sorn": figures}).to_json()).encode()]


def drawn_parts(path: Path) -> object:
    return [drawn.parts() for drawn in read_part_masks(path).values()]


def people(folder: Path) -> list[bytes]:
    """Skeletons as several tools write them."""
    images = [{"id": 7, "file_name": "a.jpg", "height": 9, "width": 9}]
    listed = {"images": images, "categories": [{"id": 1, "name": "x"}]}
    pairs = {"keypoints": joints()[:, :2].tolist(), "keypoint_scores": [1.0] * 17}
    found: list[object] = [[person("a.jpg")], {**listed, "annotations": [person(7)]}, {"instance_info": [pairs]}]
    return [json.dumps(one).encode() for one in found]


def read_people(path: Path) -> object:
    file = read_entries(path, "masks.options.joints")
    return read_poses(file.entries, file.joints)


def masks(folder: Path) -> list[bytes]:
    """Masks as runs, packed runs and polygons."""
    outline = parts() > 0
    forms = (runs(outline), packed(outline), [[3, 4, 50, 4, 50, 90]], {"x": [3, 50, 50], "y": [4, 4, 90]})
    return [json.dumps([{"image_id": "a", "segmentation": form}]).encode() for form in forms]


def read_masks(path: Path) -> object:
    return [decode_outline(entry, SIZE, "shape") for entry in read_entries(path, "masks.options.silhouettes").entries]


def as_records(path: Path) -> object:
    """path: runs/x/data/records.csv."""
    return records_file.read_records(path, "make data")


def content(path: Path) -> object:
    """Digests of today and of before contents counted."""
    digest = csv_list.content_digest(load_manifest(str(path)))
    return digest, digest.former()


TARGETS = {
    target.name: target
    for target in (
        Target("config", "mine.toml", lambda path: load_config(str(path)), texts("pipeline/runs/presets/*.toml")),
        Target(
            "override",
            "text",
            lambda path: load_config("demo", (path.read_bytes().decode(errors="replace"),)),
            given("train.seed=1", "eval.tau_sweep=[0.1,0.2]", 'masks.options.weights="a"', "model.stripes=6"),
        ),
        Target("manifest", "mine.toml", lambda path: load_manifest(str(path)), texts("data_manifests/*.toml")),
        Target("csv", "mine.csv", lambda path: csv_list.find_records(load_manifest(str(path))), given(CSV)),
        Target("csv_content", "mine.csv", content, given(CSV)),
        Target("stamp", "stamp.json", lambda path: stamp.read(path.parent), given(json.dumps(STAMP))),
        Target("index", "index.json", read_index, index),
        Target("records", "runs/x/data/records.csv", as_records, rows),
        Target(
            "report",
            "runs/x-none/eval/report.json",
            lambda path: read_evaluation(path.parents[2], "x-none"),
            report,
        ),
        Target("queries", "queries.csv", read_query_results, given(RESULTS)),
        Target("joints", "query.csv", read_joints, given(JOINTS_CSV + "\nq" + ",1" * 51 + "\n")),
        Target("skeletons", "joints.json", read_people, people),
        Target("silhouettes", "masks.json", read_masks, masks),
        Target("trained", "config.json", lambda path: describe(path.parent), given(json.dumps(TRAINED))),
        Target("image", "picture.png", decode, pictures),
        Target("marks", "marks.csv", lambda path: read_marks(path, {"train/a.jpg"}), given("path,reason\na,b\n")),
        Target("coco_parts", "annotations.json", drawn_parts, given(json.dumps(COCO))),
        Target("label_map", "map.png", read_label_map, pictures),
        Target("label_array", "map.npy", read_label_map, array),
        Target("label_archive", "map.npz", read_label_map, archive),
        Target("score_layers", "map.npy", as_scores, scores),
        Target("probed_picture", "map.png", as_probed, pictures),
        Target("probed_array", "map.npy", as_probed, lambda folder: array(folder) + scores(folder)),
        Target("shard", "shard-00000.h5", read_all, shard),
        Target("banks", "features.h5", store.read_banks, banks),
        Target("bank", "bank.h5", mapped.open_bank, bank),
        Target("weights", "model.safetensors", checkpoints.read_weights, weights),
        Target("metadata", "model.safetensors", checkpoints.read_metadata, weights),
        Target("torch", "weights.pth", read_weights, torch_files),
        Target("pickle", "weights.pkl", read_weights, pickled),
        Target("state", "state-1.pt", lambda path: checkpoints.load_state(path, "f"), state),
    )
}
