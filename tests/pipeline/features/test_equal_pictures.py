"""Equal pictures have equal features in an evaluation, whatever batch they are in; nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.datasets.manifest import STANDARD
from pipeline.evaluation.scores import RankingTask, score
from pipeline.features import chunks, extraction, store
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, write_text
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.config import EvalConfig
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.stored_options import as_json
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from sorn.config import SORNConfig
from sorn.matching import similarity_blocks
from sorn.network import SORN
from sorn.rules import Rule, variants
from sorn.sample import Sample, Status

SIZE = (64, 32)
MODEL = SORNConfig(identities=3, backbone="resnet18", set_channels=200, semantic_channels=8)
LABELER = {"name": "none", "version": 1, "options": {}, "weights": None}
BATCH = 16
PRECISIONS = ("fp32", "bf16")


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def extract(runs: Path, pictures: dict[str, list[int]], precision: str) -> store.Banks:
    """An evaluation of one picture per seed, by an untrained network."""
    paths = Paths("tiny", "none", Path("data"), runs)
    shards, entries = [], {}
    for split, seeds in pictures.items():
        file = paths.shard(split, 0)
        with ShardWriter(file, len(seeds), SIZE, "masks run", LABELER) as writer:
            for i, seed in enumerate(seeds):
                name = f"{split}/{i:02d}.jpg"
                writer.append(Sample(picture(seed), np.zeros(SIZE, np.uint8), seed, len(split), name, Status.UNLABELED))
        content = writer.content
        shards.append(ShardEntry(f"{split}/{file.name}", split, len(seeds), content.digest, digest_file(file)))
        entries[split] = SplitEntry(len(seeds), content.digest, content.detection_digest, dict(content.status), 0.0)
    write_index(
        paths.shard_index, ShardIndex("masks run", MadeBy.of(LABELER), None, SIZE, (1,), entries, tuple(shards))
    )
    torch.manual_seed(0)
    checkpoints.save_weights(paths.checkpoint, SORN(MODEL).state_dict(), {})
    about = {"model": as_json(MODEL), "image_size": list(SIZE)}
    write_text(paths.checkpoint.parent / "config.json", json.dumps(about))
    options = EvalConfig(batch_size=BATCH, precision=precision)
    query, gallery = (ShardDataset(paths.shard_index, split) for split in pictures)
    banks = extraction.Extraction(paths, describe(paths.checkpoint.parent), query, gallery, options, "cpu").banks()
    assert banks is not None
    return banks


def features(bank: store.FeatureBank, row: int) -> bytes:
    return b"".join(values[row].tobytes() for values in (bank.global_, bank.local, bank.visibility))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_picture_in_a_short_batch_has_the_features_of_its_equal(tmp_path: Path, precision: str) -> None:
    gallery = [*range(20), 3, 30, 30]  # 16 in a whole batch, 7 in a short one; of these one equals a picture in it
    banks = extract(tmp_path, {"query": [100, 3, 30], "gallery": gallery}, precision)
    wanted = features(banks.gallery, 3)
    assert features(banks.gallery, 20) == wanted == features(banks.query, 1)
    assert features(banks.gallery, 21) == features(banks.gallery, 22) == features(banks.query, 2)
    assert len({features(banks.gallery, row) for row in range(23)}) == 21


@pytest.mark.parametrize("precision", PRECISIONS)
def test_without_equal_pictures_every_feature_is_what_its_batch_gave(
    tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {"query": [100, 101, 102], "gallery": list(range(23))}
    found = extract(tmp_path / "one", pictures, precision)
    monkeypatch.setattr(extraction, "unite_equal_pictures", lambda *_: None)
    plain = extract(tmp_path / "other", pictures, precision)
    for bank, other in ((found.query, plain.query), (found.gallery, plain.gallery)):
        assert [features(bank, row) for row in range(len(bank))] == [features(other, row) for row in range(len(bank))]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_equal_pictures_are_ranked_in_the_gallerys_order(
    tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_IMAGES", 32)  # three parts; the last batch has six images
    gallery = [1] * 35 + [2] + [1] * 34
    banks = extract(tmp_path, {"query": [1, 2], "gallery": gallery}, precision)
    scores = score(RankingTask(banks.query, banks.gallery, STANDARD, EvalConfig(precision=precision)), [])
    for metrics in scores.metrics.values():
        assert metrics.first_hit.tolist() == [[1, 1]] and metrics.ap[0].tolist() == [1, 1]
    rules = [Rule(variant, EvalConfig().tau) for variant in variants(banks.query)]
    for _, similarities in similarity_blocks(banks.query, banks.gallery, rules):
        for rows in similarities:
            for row, picture in zip(rows, [1, 2], strict=True):
                assert np.abs(row).max() <= 1
                same = np.array(gallery) == picture
                assert len(set(row[same].tolist())) == 1 == len(set(row[~same].tolist()))
