"""Extraction in chunks: kills, damage, cores and processes change no byte; unusable features are named."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.features import chunks, extraction, network, placing, store
from pipeline.features.extraction import Extraction
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, write_text
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.config import Config, EvalConfig, Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.stored_options import as_json
from pipeline.runtime import distributed
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from sorn import engine
from sorn.batch import Batch
from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.placement import Placement
from sorn.sample import Sample, Status

ROOT = Path(__file__).parents[3]
SIZE = (64, 32)
COUNTS = {"query": 9, "gallery": 10}  # chunks of 4, 4, 1 and of 4, 4, 2
CONFIG = Config(eval=EvalConfig(batch_size=3, precision="bf16"), runtime=Runtime(0, "cpu"))
MODEL = SORNConfig(identities=3, backbone="resnet18", set_channels=8, semantic_channels=8)
LABELER = {"name": "none", "version": 1, "options": {}, "weights": None}


def paths_in(runs: Path) -> Paths:
    return Paths("tiny", "none", Path("data"), runs)


def write_training(folder: Path, seed: int) -> None:
    torch.manual_seed(seed)
    checkpoints.save_weights(folder / "model.safetensors", SORN(MODEL).state_dict(), {})
    write_text(folder / "config.json", json.dumps({"model": as_json(MODEL), "image_size": list(SIZE)}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of random pictures, and an untrained network; nobody writes here."""
    paths = paths_in(tmp_path_factory.mktemp("made"))
    rng, shards, entries = np.random.default_rng(0), [], {}
    for split, count in COUNTS.items():
        file = paths.shard(split, 0)
        with ShardWriter(file, count, SIZE, "masks run", LABELER) as writer:
            for i in range(count):
                image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
                name = f"{split}/{i:02d}.jpg"
                writer.append(Sample(image, np.zeros(SIZE, np.uint8), i, len(split), name, Status.UNLABELED))
        digest, content = digest_file(file), writer.content
        shards.append(ShardEntry(f"{split}/{file.name}", split, count, content.digest, digest))
        entries[split] = SplitEntry(count, content.digest, content.detection_digest, dict(content.status), 0.0)
    write_index(
        paths.shard_index, ShardIndex("masks run", MadeBy.of(LABELER), None, SIZE, (1,), entries, tuple(shards))
    )
    write_training(paths.folder("train"), 0)
    return paths.runs


@pytest.fixture
def paths(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """The made run with an empty eval folder, and chunks of four images."""
    monkeypatch.setattr(chunks, "CHUNK_IMAGES", 4)
    return linked(made, tmp_path / "runs")


def linked(made: Path, runs: Path) -> Paths:
    (runs / "tiny-none").mkdir(parents=True)
    for stage in ("masks", "train"):
        (runs / "tiny-none" / stage).symlink_to(made / "tiny-none" / stage)
    return paths_in(runs)


def with_segmenter(folder: Path) -> EvalConfig:
    return dataclasses.replace(CONFIG.eval, visibility="segmenter", segmenter=str(folder))


def extract(paths: Paths, segmenter: Path | None = None, **changes: bool | str) -> bytes:
    query, gallery = (ShardDataset(paths.shard_index, split) for split in COUNTS)
    options = dataclasses.replace(with_segmenter(segmenter) if segmenter else CONFIG.eval, **changes)
    banks = Extraction(paths, describe(paths.folder("train")), query, gallery, options, "cpu").banks()
    assert banks is not None and (len(banks.query), len(banks.gallery)) == (9, 10)
    assert not paths.feature_chunks.exists() and not list(paths.folder("eval").rglob("*.tmp"))
    return paths.features.read_bytes()


def looking(monkeypatch: pytest.MonkeyPatch, before: Callable[[Batch], None]) -> None:
    """Call `before` with every batch that is about to be looked at."""
    extract_features = engine.extract_features

    def look(model: SORN, batches: list[Batch], *rest: object) -> tuple[np.ndarray, ...]:
        before(batches[0])
        return extract_features(model, batches, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "extract_features", look)


def cut_at_the_end(batch: Batch) -> None:
    """The second image of the last chunk; a query chunk has one of that number only as its last."""
    if batch.index.tolist() == [8, 9]:
        raise RuntimeError("power cut")


def interrupt(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stop before the last chunk; the chunks that are left."""
    with monkeypatch.context() as patch:
        looking(patch, cut_at_the_end)
        with pytest.raises(RuntimeError, match="power cut"):
            extract(paths)
    assert not paths.features.exists()
    return sorted(paths.feature_chunks.iterdir())


def test_killed_after_some_chunks_it_goes_on_to_the_same_bytes(
    paths: Paths, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = extract(linked(made, tmp_path / "other"))
    kept = interrupt(paths, monkeypatch)
    assert [path.name[13:] for path in kept] == [
        *(f"{split}-0000{i}.h5" for split in ("gallery", "query") for i in range(3 if split == "query" else 2))
    ]
    seen: list[list[int]] = []
    looking(monkeypatch, lambda batch: seen.append(batch.index.tolist()))
    capsys.readouterr()
    assert extract(paths) == undisturbed and seen == [[8, 9]]
    said = capsys.readouterr()
    assert "eval: 5 of 6 chunks of features are finished already" in said.out
    assert "features: 19/19 images" in said.err and "images/s" in said.err


def test_a_damaged_chunk_is_made_anew(
    paths: Paths, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed = extract(linked(made, tmp_path / "other"))
    first, second, third, *_ = interrupt(paths, monkeypatch)
    content = bytearray(first.read_bytes())
    at = content.rindex(store.read_bank(first)[0].global_[0].tobytes())
    content[at + 1] ^= 1  # one bit of one feature, far behind the comma
    first.write_bytes(content)
    second.write_bytes(second.read_bytes()[:2000])
    third.write_bytes(first.read_bytes())  # of other images
    seen: list[int] = []
    looking(monkeypatch, lambda batch: seen.extend(batch.index.tolist()))
    assert extract(paths) == undisturbed
    assert len(seen) == 4 + 4 + 4 + 2
    said = capsys.readouterr().err
    assert f"{first} is damaged; extracting this chunk again" in said and f"{third} is damaged" in said
    assert f"{second} is truncated or no feature bank" in said


@pytest.mark.parametrize("cores", [1, 3])
def test_the_number_of_cores_changes_nothing(
    paths: Paths, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    expected = extract(linked(made, tmp_path / "other"))
    monkeypatch.setattr(distributed, "cores", lambda: cores)
    assert extract(paths) == expected


def test_chunks_of_another_network_are_not_taken(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(paths, monkeypatch)
    paths.folder("train").unlink()
    write_training(paths.folder("train"), 1)
    seen: list[int] = []
    looking(monkeypatch, lambda batch: seen.extend(batch.index.tolist()))
    extract(paths)
    assert len(seen) == 19


def test_a_segmenters_scores_are_made_in_chunks_too(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extract(paths)
    write_training(tmp_path / "segmenter", 5)
    found = extraction.segmenter_visibility

    def cut(model: SORN, batches: list[Batch], *rest: object) -> np.ndarray:
        cut_at_the_end(batches[0])
        return found(model, batches, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(extraction, "segmenter_visibility", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            extract(paths, tmp_path / "segmenter")
    assert "segmenter" not in store.read_attrs(paths.features)
    extract(paths, tmp_path / "segmenter")
    assert "eval: 5 of 6 chunks of stripes are finished already" in capsys.readouterr().out
    banks = store.read_banks(paths.features)
    own = engine.extract_features
    for bank, split in ((banks.query, "query"), (banks.gallery, "gallery")):
        data = ShardDataset(paths.shard_index, split)
        other = SORN(MODEL).eval()
        other.load_state_dict(checkpoints.read_weights(tmp_path / "segmenter" / "model.safetensors"))
        expected = own(other, [data.__getitems__(range(len(data)))], torch.device("cpu"), "bf16")[2]
        assert bank.segmenter is not None and np.abs(bank.segmenter - expected).max() < 0.1
        assert not np.array_equal(bank.segmenter, bank.visibility)


def saying(monkeypatch: pytest.MonkeyPatch, value: float, images: slice) -> None:
    """The network says `value` of these images of a batch of two."""
    extract_features = engine.extract_features

    def look(model: SORN, batches: list[Batch], *rest: object) -> tuple[np.ndarray, ...]:
        found = extract_features(model, batches, *rest)  # type: ignore[arg-type]
        if len(batches[0]) == 2:
            for features in found[:2]:
                features[images] = value
        return found

    monkeypatch.setattr(engine, "extract_features", look)


def test_features_that_are_not_finite_stop_it_at_their_chunk(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, np.nan, slice(1, 2))
    with pytest.raises(UserError, match=r"global is not finite for 1 images, first gallery/09\.jpg.*lower rate"):
        extract(paths)
    assert len(list(paths.feature_chunks.iterdir())) == 5 and not paths.features.exists()


def test_images_without_features_are_named(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saying(monkeypatch, 0.0, slice(1, 2))
    extract(paths)
    assert "the features of 1 gallery images are zero, so these are similar to no image: gallery/09.jpg\n" in (
        capsys.readouterr().err
    )


def test_two_ranks_write_what_one_writes(made: Path, tmp_path: Path) -> None:
    """The chunks of today's size: one of the query and one of the gallery images, and of the segmenter's scores."""
    write_training(tmp_path / "segmenter", 5)
    alone = extract(linked(made, tmp_path / "one"), tmp_path / "segmenter", flip=True, adapt_norms=True)
    script = tmp_path / "processes.py"
    script.write_text(
        f"""
import dataclasses
import sys
from pathlib import Path
from pipeline.runtime import distributed as processes
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_extraction as test
from pipeline.features.extraction import Extraction
from pipeline.shards.dataset import ShardDataset
from pipeline.runs.checkpoint_info import describe
paths = test.paths_in(Path({str(tmp_path / "two")!r}))
processes.join()
query, gallery = (ShardDataset(paths.shard_index, split) for split in test.COUNTS)
options = test.with_segmenter(Path({str(tmp_path / "segmenter")!r}))
options = dataclasses.replace(options, flip=True, adapt_norms=True)
banks = Extraction(paths, describe(paths.folder("train")), query, gallery, options, "cpu").banks()
processes.meet()
processes.leave()
has = "nothing" if banks is None else f"{{len(banks.query)}} queries"
Path(__file__).with_name(f"process-{{processes.here().number}}").write_text(has)
"""
    )
    shared = linked(made, tmp_path / "two")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert [(tmp_path / f"process-{number}").read_text() for number in (0, 1)] == ["9 queries", "nothing"]
    assert said.count("features: 9/9 images") == 1 and "features: 10/10" not in said  # process 0 alone shows its share
    assert shared.features.read_bytes() == alone and not shared.feature_chunks.exists()


def test_options_that_change_the_features_extract_anew_and_are_named_in_the_bank(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = extract(paths)
    bank, fingerprints = store.read_banks(paths.features), set()
    made_from = json.loads(bank.attrs["config"])
    assert set(made_from) == {"model", "precision"}, "as in banks of before"
    monkeypatch.setattr(placing, "find_place", lambda *_: Placement(0.25, 0.5))
    for name, value in (("flip", True), ("adapt_norms", True), ("place", True), ("place", "either")):
        extract(paths, **{name: value})
        found = store.read_banks(paths.features)
        assert json.loads(found.attrs["config"]) == made_from | {name: value}
        second = found.query.second.bank if found.query.second else found.query
        assert not np.allclose(second.global_, bank.query.global_, rtol=1e-2)
        fingerprints.add(found.attrs["fingerprint"])
    assert len(fingerprints | {bank.attrs["fingerprint"]}) == 5
    assert extract(paths) == plain


def moving(monkeypatch: pytest.MonkeyPatch, numbers: set[int]) -> None:
    """Images of these numbers are taken for cut, those of the gallery too."""

    def move(inference: object, batch: Batch, *_: object) -> Batch:
        chosen = torch.tensor([int(number) in numbers for number in batch.index])
        return dataclasses.replace(
            batch, image=torch.where(chosen[:, None, None, None], 255 - batch.image, batch.image)
        )

    monkeypatch.setattr(placing, "in_place", move)


def test_cut_queries_have_two_views_and_all_other_pictures_one(
    paths: Paths, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(linked(made, tmp_path / "plain"))
    plain = store.read_banks(paths_in(tmp_path / "plain").features)
    moving(monkeypatch, {1, 2, 6})
    both = extract(paths, place="either")
    found = store.read_banks(paths.features)
    assert found.query.second is not None and found.gallery.second is None
    assert found.query.second.of.tolist() == [1, 2, 6]
    assert found.query.second.bank.name.tolist() == [f"query/{number:02d}.jpg" for number in (1, 2, 6)]
    for side in store.SIDES:
        for one, other in zip(getattr(found, side).features, getattr(plain, side).features, strict=True):
            assert np.array_equal(one, other), "pictures as they are have the features of before, to the bit"
    assert store.bank_names(paths.features) == ("query", "gallery", "placed")
    with monkeypatch.context() as patch:
        looking(patch, cut_at_the_end)
        other = linked(made, tmp_path / "killed")
        with pytest.raises(RuntimeError, match="power cut"):
            extract(other, place="either")
    assert extract(other, place="either") == both, "a killed extraction goes on to the same bytes"
    moving(monkeypatch, set())
    extract(paths, place=True)
    extract(paths, place="either")
    assert store.read_banks(paths.features).query.second is None
    assert store.bank_names(paths.features) == store.SIDES


def test_adapted_norms_do_not_depend_on_the_number_of_threads(
    paths: Paths, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "ADAPTATION_BATCH", 4)  # batches of 4, 3 and 3
    one = extract(paths, adapt_norms=True)
    monkeypatch.setattr(distributed, "cores", lambda: 3)
    assert extract(linked(made, tmp_path / "other"), adapt_norms=True) == one


def test_norms_adapted_to_one_image_are_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShardDataset, "__len__", lambda self: 1)
    with pytest.raises(
        UserError, match=r"over the gallery, which has 1 image\. Leave it out: --set eval\.adapt_norms="
    ):
        extract(paths, adapt_norms=True)


def test_make_divides_the_evaluation() -> None:
    done = subprocess.run(
        ["make", "-n", "-C", str(ROOT), "eval", "NPROC=2"], capture_output=True, text=True, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if " -m pipeline eval " in line]
    assert "torch.distributed.run --standalone --nproc-per-node 2" in line


def test_another_rank_that_writes_elsewhere_is_told(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "here", lambda: dataclasses.replace(distributed.Process(), world=2))
    with pytest.raises(
        UserError, match=r"another process has written .*00001\.h5, but this process cannot see it.*same folder"
    ):
        extract(paths)


def test_a_disk_without_room_is_told_before_the_network_runs(
    paths: Paths, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(linked(made, tmp_path / "other"))  # whatever is read and compiled once
    images, features = sum(COUNTS.values()), 3 * 8 + 3 * 512  # global and local numbers of an image
    needed = 2 * 4 * images * features + COUNTS["query"] * (2 * 3 * 4 * 2 + 16 * 8)
    free = needed - 1
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": free}))
    with monkeypatch.context() as patch:
        patch.setattr(engine, "extract_features", lambda *_: pytest.fail("the network ran"))
        with pytest.raises(UserError, match=r"features\.h5 needs 0\.2 MB, but only 0\.2 MB are free there.*RUNS="):
            extract(paths)
    assert not paths.features.exists()
    free = needed + 2 * store.HEADROOM
    extract(paths)
