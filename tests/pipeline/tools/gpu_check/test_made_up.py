"""Made-up pictures are a dataset that every stage takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.runs.run import Run
from pipeline.tools.gpu_check.made_up import draw_dataset, draw_person
from pipeline.tools.gpu_check.setting import REAL, TINY, CheckSetting, execute
from sorn.parts import CLASSES


def test_people_have_all_parts_and_differ_by_identity_more_than_by_camera() -> None:
    for sizes in (REAL, TINY):
        pictures = {}
        for pid, camera in ((0, 0), (0, 1), (1, 0)):
            picture, mask = draw_person(sizes, pid, camera)
            assert picture.shape == (*mask.shape, 3) and picture.dtype == mask.dtype == np.uint8
            assert set(np.unique(mask)) == set(range(len(CLASSES)))
            pictures[pid, camera] = picture[mask == 2].mean(axis=0)
        near, far = (np.abs(pictures[0, 0] - pictures[other]).mean() for other in ((0, 1), (1, 0)))
        assert near < 5 < far


def test_shards_are_made_of_them(tmp_path: Path) -> None:
    setting = CheckSetting(tmp_path, "cpu", pretend=True)
    draw_dataset(setting)
    run = setting.run()
    execute(run, "data", "masks")
    counts = {name: split.images for name, split in Run.at(setting.paths()).summary.splits.items()}
    assert counts == {"train": 16, "query": 4, "gallery": 8, "labeler": 16, "val_query": 0, "val_gallery": 0}
    assert run.config.train.batch_size == 4 and run.config.masks.image_size == (64, 32)
    assert setting.paths().shard_index.is_file()
