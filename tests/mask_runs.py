"""A dataset of small grey images for tests of the masks stage, and a labeler that can die."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record_tables import table_of_pairs

from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.datasets.records_file import write_records
from pipeline.io.files import write_text
from pipeline.labelers.unlabeled import Unlabeled
from pipeline.runs import stamp
from pipeline.runs.config import Config, MasksConfig, Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import driver, masks
from sorn.parts import HEAD, TORSO, UPPER_LEG

SIZE = (32, 16)
COUNTS = {"train": 25, "query": 3, "gallery": 4, "labeler": 2}


def make_dataset(tmp_path: Path, counts: dict[str, int] = COUNTS) -> Paths:
    """Images and masks of twice the shards' size, image i of grey 10 i with a person of three parts; and records."""
    root = tmp_path / "data" / "mine"
    rows = []
    for split, count in counts.items():
        for i in range(count):
            name = f"{split}/{i:03d}.png"
            path = root / "images" / name
            mask = np.full((64, 32), TORSO, np.uint8)
            mask[:16], mask[48:] = HEAD, UPPER_LEG
            mask[:, :8] = 0
            for file, pixels in ((path, np.full((64, 32, 3), 10 * i, np.uint8)), (root / "masks" / name, mask)):
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
            rows.append((ImageRecord(name, path, 40 - i % 5, i % 2, split), ImageFile(1, 1, "s", 32, 64)))
    paths = Paths("mine", "ground_truth", tmp_path / "data", tmp_path / "runs")
    write_records(paths.records, table_of_pairs(rows))
    write_text(paths.data_summary, json.dumps({"root": str(root)}))
    stamp.write(paths.folder("data"), "data", 1, {}, {}, [paths.records], {"records": "r"})
    return paths


def make_config(workers: int = 2, **options: Any) -> Config:
    settings = {"image_size": SIZE, "shard_images": 10, **options}
    return Config(masks=MasksConfig(**settings), runtime=Runtime(workers=workers))


def work(config: Config, paths: Paths, fingerprint: str) -> Path:
    return driver.work(masks, Run.of(config, paths), fingerprint)  # type: ignore[arg-type]


def provided_by(paths: Paths) -> dict[str, str]:
    return masks.provides(Run.of(Config(), paths))


def outputs_of(paths: Paths) -> list[Path]:
    return masks.outputs(Run.of(Config(), paths))


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Recorder(Unlabeled):
    """Labels nothing, remembers whom it was asked for, and dies at the image that `dies_at` names."""

    asked: list[str]
    dies_at = ""

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Any]:
        names = [record.name for record in records]
        Recorder.asked += names
        if Recorder.dies_at in names:
            raise RuntimeError("the labeler died")
        return super().label(records, images)
