"""A hand-made run for tests of the eval stage: tiny shards, an untrained network, real features.

Every person has one colour, so that even random weights match images of a person far above chance.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record_tables import table_of_pairs

from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.datasets.records_file import write_records
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, digest_json, write_text
from pipeline.runs import stamp
from pipeline.runs.config import Config, EvalConfig, Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.run import Run
from pipeline.runs.stored_options import as_json
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from pipeline.stages import driver
from pipeline.stages import eval as stage
from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.sample import Sample, Status

SIZE = (64, 32)
OPTIONS = EvalConfig(colour=False, ranked_queries=2, ranked_gallery=3, batch_size=5, precision="fp32")
CONFIG = Config(eval=OPTIONS, runtime=Runtime(0, "cpu"))
MODEL = SORNConfig(identities=3, backbone="resnet18", set_channels=8, semantic_channels=8)
LABELER = {"name": "ground_truth", "version": 1, "options": {}, "weights": None}


def sample(name: str, pid: int, camid: int, status: Status = Status.OK) -> Sample:
    rng = np.random.default_rng([pid, camid])
    colour = np.random.default_rng(pid).integers(0, 255, 3)
    image = (colour + rng.normal(0, 6, (*SIZE, 3))).clip(0, 255).astype(np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[8:40, 8:24] = 2
    return Sample(image, mask, pid, camid, name, status)


def images(split: str, rows: list[tuple[int, int]], status: Status = Status.OK, folder: str = "") -> list[Sample]:
    prefix = f"{split}/{folder}" if folder else split
    return [sample(f"{prefix}/{pid:04d}_c{camid}.jpg", pid, camid, status) for pid, camid in sorted(rows)]


QUERY = images("query", [(pid, 1) for pid in range(1, 9)] + [(50, 1)])  # nobody in the gallery is person 50
GALLERY = images("gallery", [(pid, camid) for pid in range(1, 13) for camid in (1, 2)])


def write_shards(paths: Paths, splits: dict[str, list[Sample]], pose: dict[str, Any] | None = None) -> None:
    """Shards, index and stamp, as the masks stage leaves them. pose: what the finder of the joints says of itself."""
    shards, entries = [], {}
    for split, samples in splits.items():
        file = paths.shard(split, 0)
        with ShardWriter(file, len(samples), SIZE, "masks run", LABELER, pose) as writer:
            for item in samples:
                writer.append(item)
        content = writer.content
        name = file.relative_to(paths.shard_index.parent).as_posix()
        shards.append(ShardEntry(name, split, len(samples), content.digest, digest_file(file)))
        entries[split] = SplitEntry(
            len(samples), content.digest, content.detection_digest, dict(content.status), content.foreground_share
        )
    write_index(
        paths.shard_index,
        ShardIndex("masks run", MadeBy.of(LABELER), pose and MadeBy.of(pose), SIZE, (1, 2, 3), entries, tuple(shards)),
    )
    provided = {split: entry.digest for split, entry in entries.items()}
    if pose:
        provided["pose"] = digest_json([entry.detection_digest for entry in entries.values()])
    stamp.write(paths.folder("masks"), "masks", 1, {}, {}, [paths.shard_index], provided)


@functools.cache
def weights(model: SORNConfig, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return SORN(model).state_dict()


def write_run(paths: Paths, splits: dict[str, list[Sample]], model: SORNConfig = MODEL) -> None:
    """The stages before this one, finished."""
    findings = [{"level": "warning", "wrong": "3 images fewer than published", "remedy": ""}]
    write_text(paths.data_summary, json.dumps({"root": str(paths.runs / "dataset"), "findings": findings}))
    everything = [(split, item) for split, samples in splits.items() for item in samples]
    rows = [ImageRecord(item.name, Path(item.name), item.pid, item.camid, split) for split, item in everything]
    write_records(paths.records, table_of_pairs((row, ImageFile(1, 1, row.name, SIZE[1], SIZE[0])) for row in rows))
    provided = {"records": "r" * 64, "manifest": "m" * 64}
    stamp.write(paths.folder("data"), "data", 1, {}, {}, [paths.data_summary], provided)
    write_shards(paths, splits)
    checkpoints.save_weights(paths.checkpoint, weights(model, 0), {})
    trained = {"model": as_json(model), "image_size": list(SIZE), "precision": "fp32"}
    write_text(paths.train_config, json.dumps(trained))
    digest = {"checkpoint": digest_file(paths.checkpoint)}
    stamp.write(paths.folder("train"), "train", 1, {}, {}, [paths.checkpoint, paths.train_config], digest)


def run(paths: Paths, config: Config = CONFIG) -> dict:
    evaluated = Run.of(config, paths)
    stage.inputs(evaluated)
    assert driver.work(stage, evaluated, "fingerprint") == paths.report_html  # type: ignore[arg-type]
    return json.loads(paths.report_json.read_text())


def evaluated(**options: object) -> Config:
    return dataclasses.replace(CONFIG, eval=dataclasses.replace(CONFIG.eval, **options))
