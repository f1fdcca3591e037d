"""The eval stage on a hand-made run: tiny shards, an untrained network, real features.

Every person has one colour, so that even random weights match images of a person far above chance.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import checkpoints, extraction, feature_store, stamp
from pipeline.config import Config, EvalConfig, Runtime, as_json
from pipeline.driver import execute
from pipeline.errors import UserError
from pipeline.layout import Paths
from pipeline.records import ImageFile, ImageRecord, write_records
from pipeline.report.query_results import read_query_results
from pipeline.shard_index import ShardEntry, ShardIndex, SplitEntry, write_index
from pipeline.shards import ShardWriter
from pipeline.stages import eval as stage
from sorn import engine
from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.sample import Sample, Status

SIZE = (64, 32)
OPTIONS = EvalConfig(ranked_queries=2, ranked_gallery=3, batch_size=5, precision="fp32")
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
        shards.append(ShardEntry(name, split, len(samples), content.digest, stamp.digest_file(file)))
        entries[split] = SplitEntry(
            len(samples), content.digest, content.detection_digest, dict(content.status), content.foreground_share
        )
    write_index(paths.shard_index, ShardIndex("masks run", LABELER, pose, SIZE, (1, 2, 3), entries, tuple(shards)))
    provided = {split: entry.digest for split, entry in entries.items()}
    if pose:
        provided["pose"] = stamp.digest_json([entry.detection_digest for entry in entries.values()])
    stamp.write(paths.folder("masks"), "masks", 1, {}, {}, [paths.shard_index], provided)


@functools.cache
def weights(model: SORNConfig, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return SORN(model).state_dict()


def write_run(paths: Paths, splits: dict[str, list[Sample]], model: SORNConfig = MODEL) -> None:
    """The stages before this one, finished."""
    findings = [{"level": "warning", "wrong": "3 images fewer than published", "remedy": ""}]
    stamp.write_atomically(paths.data_summary, json.dumps({"root": str(paths.runs / "dataset"), "findings": findings}))
    everything = [(split, item) for split, samples in splits.items() for item in samples]
    rows = [ImageRecord(item.name, Path(item.name), item.pid, item.camid, split) for split, item in everything]
    write_records(paths.records, [(row, ImageFile(1, 1, "s", SIZE[1], SIZE[0])) for row in rows])
    provided = {"records": "r" * 64, "manifest": "m" * 64}
    stamp.write(paths.folder("data"), "data", 1, {}, {}, [paths.data_summary], provided)
    write_shards(paths, splits)
    checkpoints.save_weights(paths.checkpoint, weights(model, 0), {})
    trained = {"model": as_json(model), "image_size": list(SIZE), "precision": "fp32"}
    stamp.write_atomically(paths.train_config, json.dumps(trained))
    digest = {"checkpoint": stamp.digest_file(paths.checkpoint)}
    stamp.write(paths.folder("train"), "train", 1, {}, {}, [paths.checkpoint, paths.train_config], digest)


def run(paths: Paths, config: Config = CONFIG) -> dict:
    stage.inputs(config, paths)
    assert stage.run(config, paths, "fingerprint") == paths.report_html
    return json.loads(paths.report_json.read_text())


def evaluated(**options: object) -> Config:
    return dataclasses.replace(CONFIG, eval=dataclasses.replace(CONFIG.eval, **options))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = Paths("synped_demo", "ground_truth", Path("data"), tmp_path_factory.mktemp("runs"))
    write_run(paths, {"query": QUERY, "gallery": GALLERY})
    run(paths)
    return paths


@pytest.fixture
def paths(finished: Paths, tmp_path: Path) -> Paths:
    """A copy of the finished run, to change: files by a rename, since they are linked."""
    shutil.copytree(finished.runs, tmp_path / "runs", copy_function=os.link)
    return dataclasses.replace(finished, runs=tmp_path / "runs")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any use of the network fails."""

    def fail(*_: object) -> None:
        raise AssertionError("features were extracted again")

    monkeypatch.setattr(engine, "extract_features", fail)
    monkeypatch.setattr(engine, "explain", fail)


def test_report_holds_every_variant_and_counts_queries(finished: Paths) -> None:
    report = json.loads(finished.report_json.read_text())
    assert list(report["metrics"]) == ["global", "global+local", "sorn"]
    for values in report["metrics"].values():
        assert (values["queries"], values["skipped_queries"]) == (8, 1)
        assert values["rank-1"] > 5 * report["chance"]["rank-1"]
    assert report["chance"]["rank-1"] == pytest.approx(1 / 23)  # 24 gallery images, one of them the query's own camera
    assert report["parts"]["images"] == 9 and 0 <= report["parts"]["mIoU"] <= 1
    assert "standard AP" in report["protocol"] and "SynPed (demo)" in report["protocol"]


def test_parts_are_held_against_exact_masks_where_there_are_some(paths: Paths, tmp_path: Path) -> None:
    """Of the queries one has none: the sheet shows the others', and the text counts both kinds."""
    assert "Part masks against the labels of ground_truth of 9 queries;" in paths.report_md.read_text()
    shown = Image.open(paths.pictures / "part-masks.png").tobytes()
    stamp.write_atomically(paths.data_summary, json.dumps({"root": str(tmp_path), "findings": []}))
    for item in QUERY:
        mask = tmp_path / "masks" / Path(item.name).with_suffix(".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(SIZE, 7, np.uint8)).save(mask)
    mask.unlink()
    report = run(paths)
    assert report["parts"]["against"] == {"exact masks": 8, "the labels of ground_truth": 1}
    assert "against exact masks of 8 queries and the labels of ground_truth of 1 query;" in paths.report_md.read_text()
    assert Image.open(paths.pictures / "part-masks.png").tobytes() != shown


def test_report_tells_where_it_comes_from(finished: Paths) -> None:
    report = json.loads(finished.report_json.read_text())
    assert report["provenance"]["checkpoint_sha256"] == stamp.digest_file(finished.checkpoint)
    assert report["provenance"]["labeler"] == LABELER
    assert set(report["provenance"]["stamps"]) == {"data", "masks", "train"}
    assert report["dataset"]["warnings"] == ["3 images fewer than published"]
    text = finished.report_md.read_text()
    assert report["dataset"]["licence"] in text and "3 images fewer than published" in text
    assert "8 queries used, 1 skipped" in text


def test_every_picture_is_listed_and_every_listed_picture_is_there(finished: Paths) -> None:
    text = finished.report_md.read_text()
    drawn = sorted(path.name for path in finished.pictures.iterdir())
    assert drawn == ["maps.png", "part-masks.png", "ranked-01.png", "ranked-02.png"]
    assert all(f"(pictures/{name})" in text for name in drawn) and text.count("](pictures/") == len(drawn)
    for path in finished.pictures.iterdir():
        Image.open(path).verify()
    assert set(stage.outputs(finished)) >= set(finished.pictures.iterdir())


def test_features_are_the_networks(finished: Paths) -> None:
    banks = feature_store.read_banks(finished.features)
    assert banks.query.name.tolist() == [item.name for item in QUERY]
    assert banks.gallery.pid.tolist() == [item.pid for item in GALLERY]
    assert banks.query.local.shape == (9, 3, 512) and banks.query.global_.shape == (9, 24)
    assert banks.examples is not None and len(banks.examples.name) == 9
    assert banks.examples.maps.shape == (9, 3, 4, 2) and banks.examples.parts.shape == (9, 16, 8)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "options",
    [{"tau": 0.4}, {"average_precision": "trapezoid"}, {"shots": 1, "trials": 4}, {"seed": 5, "ranked_queries": 3}],
    ids=str,
)
def test_another_option_extracts_nothing(paths: Paths, options: dict) -> None:
    before = paths.features.read_bytes()
    report = run(paths, evaluated(**options))
    assert paths.features.read_bytes() == before
    assert len(list(paths.pictures.glob("ranked-*.png"))) == options.get("ranked_queries", 2)
    if options.get("shots"):
        assert "one random gallery image per person, 4 draws" in report["protocol"]
        assert report["metrics"]["sorn"]["rank-1-sd"] >= 0
        assert report["chance"]["rank-1"] == pytest.approx(1 / 12)


@pytest.mark.usefixtures("no_network")
def test_another_checkpoint_extracts_again(paths: Paths) -> None:
    checkpoints.save_weights(paths.checkpoint, weights(MODEL, 1), {})
    with pytest.raises(AssertionError, match="extracted again"):
        run(paths)


POSE = {"name": "joints", "version": 1, "options": {}, "weights": None}


def posed(samples: list[Sample], *heights: float) -> list[Sample]:
    """The same images with a sure landmark at each of these heights, in fractions."""
    keypoints = np.zeros((17, 3), np.float32)
    for joint, height in enumerate(heights):
        keypoints[joint] = 0.5, height, 0.8
    return [dataclasses.replace(item, keypoints=keypoints) for item in samples]


@pytest.mark.parametrize(("heights", "equal"), [((0.1, 0.5, 0.9), "global+local"), ((), "global")])
def test_landmarks_pick_the_stripes_when_they_are_asked(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, heights: tuple[float, ...], equal: str
) -> None:
    """Eq. 15 with every stripe visible is "global+local", with none "global"."""
    write_shards(paths, {"query": posed(QUERY, *heights), "gallery": posed(GALLERY, *heights)}, POSE)
    by_network = run(paths)
    banks = feature_store.read_banks(paths.features)
    assert banks.query.pose is not None and (banks.query.pose == (np.float32(0.8) if heights else 0)).all()
    monkeypatch.setattr(engine, "extract_features", None)  # another way to pick stripes starts from features.h5
    report = run(paths, evaluated(visibility="pose"))
    assert report["metrics"]["sorn"] == report["metrics"][equal]
    assert report["metrics"][equal] == by_network["metrics"][equal]
    assert "tau 0.15 on the landmarks of joints" in report["protocol"] and "landmark" not in by_network["protocol"]
    assert report["provenance"]["pose"] == POSE and "surest landmark" in paths.report_md.read_text()


def test_joints_are_an_input_of_those_who_use_them(paths: Paths) -> None:
    asking = evaluated(visibility="pose")
    with pytest.raises(UserError, match=r"visibility = pose needs joints.*hold none.*make eval.*masks\.pose=joints"):
        stage.inputs(asking, paths)
    extracted = feature_store.read_attrs(paths.features)["fingerprint"]
    found, fingerprints = [], {extracted}
    for height in (0.1, 0.9):
        write_shards(paths, {"query": posed(QUERY, height), "gallery": posed(GALLERY, height)}, POSE)
        run(paths, asking)
        found.append((stage.inputs(CONFIG, paths), stage.inputs(asking, paths)))
        fingerprints.add(feature_store.read_attrs(paths.features)["fingerprint"])
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]
    assert len(fingerprints) == 3


def test_a_split_that_is_not_stored_names_those_that_are(paths: Paths) -> None:
    write_shards(paths, {"query": QUERY, "gallery": GALLERY}, POSE)
    with pytest.raises(UserError, match=r"has no images of split 'val_query'\. It has: gallery, query;"):
        stage.inputs(evaluated(split="val"), paths)


def test_damaged_features_are_extracted_again(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    good = paths.features.read_bytes()
    paths.features.unlink()
    paths.features.write_bytes(good[: len(good) // 2])
    run(paths)
    assert "extracting anew" in capsys.readouterr().err
    assert paths.features.read_bytes() == good


def test_ends_with_a_table(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    run(paths)
    lines = capsys.readouterr().out.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("%"))
    assert lines[header].split() == ["%", "rank-1", "rank-5", "rank-10", "mAP", "mINP"]
    assert [line.split()[0] for line in lines[header + 1 : header + 5]] == ["global", "global+local", "sorn", "chance"]
    assert "8 queries used, 1 skipped" in lines[header + 5]


def test_driver_runs_it_once(paths: Paths) -> None:
    """Fresh after a run; stale when an option of this stage changes, or the records it rests on."""
    stages = {name: FinishedStage(name) for name in ("data", "masks", "train")} | {"eval": stage}
    assert execute(stages, "eval", CONFIG, paths) == paths.report_html
    assert execute(stages, "eval", CONFIG, paths) is None
    assert execute(stages, "eval", evaluated(tau=0.3), paths) == paths.report_html


@dataclasses.dataclass
class FinishedStage:
    """A stage that is always fresh."""

    NAME: str
    VERSION: int = 1

    def settings(self, config: Config, paths: Paths) -> dict:
        return {}

    def inputs(self, config: Config, paths: Paths) -> dict:
        return {}


def test_colours_are_ranked_beside_the_network_when_they_are_asked(
    paths: Paths, no_network: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every person has one colour. Asking changes no other figure and looks at the images, not through the network."""
    before = json.loads(paths.report_json.read_text())
    report = run(paths, evaluated(colour=True))
    rows = ["colour", "colour, visible stripes", "global", "global+local", "sorn"]
    assert list(report["metrics"]) == rows and list(report["cmc"]) == [*rows, "chance"]
    assert {name: report["metrics"][name] for name in rows[2:]} == before["metrics"]
    assert report["metrics"]["colour"]["rank-1"] == 1
    assert capsys.readouterr().out.splitlines()[2].startswith("colour  ")
    assert list(read_query_results(paths.query_results)) == rows
    assert "| colour, visible stripes |" in paths.report_md.read_text()
    page = paths.report_html.read_text()
    assert "colours 100.0 %" in page and "needs no training" in page and "eval.colour=true" in page
    assert stage.settings(evaluated(colour=True), paths) != stage.settings(CONFIG, paths)


def test_networks_without_a_branch(tmp_path: Path) -> None:
    """Table I: Local+Semantic, Global+Semantic; Table III: no semantic branch."""
    for branch, variants in (
        ("global_branch", ["global+local", "sorn"]),
        ("local_branch", ["global"]),
        ("semantic_branch", ["global", "global+local", "sorn"]),
    ):
        paths = Paths("synped_demo", branch, Path("data"), tmp_path)
        write_run(paths, {"query": QUERY, "gallery": GALLERY}, dataclasses.replace(MODEL, **{branch: False}))
        report = run(paths)
        assert list(report["metrics"]) == variants
        assert (paths.pictures / "maps.png").exists() == (branch != "global_branch")
        assert (paths.pictures / "part-masks.png").exists() == (branch != "semantic_branch")
        assert (report["parts"] is None) == (branch == "semantic_branch")


def test_validation_split(tmp_path: Path) -> None:
    paths = Paths("synped_demo", "ground_truth", Path("data"), tmp_path)
    val_query, val_gallery = images("val_query", [(1, 1), (2, 1)]), images("val_gallery", [(1, 2), (2, 2), (3, 2)])
    write_run(paths, {"val_query": val_query, "val_gallery": val_gallery})
    report = run(paths, evaluated(split="val"))
    assert report["metrics"]["sorn"]["queries"] == 2 and "split val" in report["protocol"]
    with pytest.raises(UserError, match="no images of split 'query'"):
        stage.inputs(CONFIG, paths)


def test_protocols_choose_their_queries(tmp_path: Path) -> None:
    """Partial-REID: two query sets in one split; unlabelled images, so no part scores."""
    paths = Paths("partial_reid", "none", Path("data"), tmp_path)
    query = images("query", [(1, 0), (2, 0), (3, 0)], Status.UNLABELED, "occluded")
    query += images("query", [(1, 0), (2, 0)], Status.UNLABELED, "partial")
    write_run(paths, {"query": query, "gallery": images("gallery", [(1, 1), (2, 1), (3, 1)], Status.UNLABELED)})
    counts = {}
    for protocol in ("default", "partial", "partial_single_shot"):
        report = run(paths, evaluated(protocol=protocol))
        counts[protocol] = report["metrics"]["sorn"]["queries"]
        assert report["parts"] is None
    assert counts == {"default": 3, "partial": 2, "partial_single_shot": 2}
    settings = [stage.settings(evaluated(protocol=name), paths) for name in ("occluded", "partial")]
    assert settings[0] != settings[1]
    with pytest.raises(UserError, match="Known: occluded, partial"):
        stage.settings(evaluated(protocol="frontal"), paths)


def refused(tmp_path: Path, query: list[Sample], gallery: list[Sample]) -> str:
    paths = Paths("synped_demo", "ground_truth", Path("data"), tmp_path)
    write_run(paths, {"query": query, "gallery": gallery})
    with pytest.raises(UserError) as error:
        run(paths)
    assert not paths.features.exists() and not paths.report_json.exists()
    return str(error.value)


def test_one_camera_only_is_refused_with_numbers(tmp_path: Path) -> None:
    message = refused(tmp_path, images("query", [(1, 4), (2, 4)]), images("gallery", [(1, 4), (2, 4), (3, 4)]))
    assert "none of the 2 queries" in message and "among 3 gallery images" in message
    assert "cameras in all: 1 (4)" in message and "0 for queries and 1 for the gallery" in message


def test_no_common_person_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, images("query", [(1, 1)]), images("gallery", [(2, 2)]))
    assert "no query pid occurs in the gallery" in message


def test_protocol_that_nobody_meets_is_refused(tmp_path: Path) -> None:
    paths = Paths("partial_reid", "none", Path("data"), tmp_path)
    write_run(paths, {"query": images("query", [(1, 0)]), "gallery": images("gallery", [(1, 1)])})
    with pytest.raises(UserError, match="no image of partial_reid is called 'query/occluded/"):
        run(paths)


def test_images_of_another_size_than_trained_on_are_refused(paths: Paths) -> None:
    trained = json.loads(paths.train_config.read_text())
    stamp.write_atomically(paths.train_config, json.dumps({**trained, "image_size": [128, 64]}))
    with pytest.raises(UserError, match=r"trained on images of 128x64.*are 64x32.*masks.image_size=\[128,64\]"):
        run(paths)


@pytest.mark.parametrize("missing", ["data", "masks", "train"])
def test_missing_stage_names_the_command(paths: Paths, missing: str) -> None:
    stamp.remove(paths.folder(missing))
    with pytest.raises(UserError, match=f"Run: make {missing} DATASET=synped_demo"):
        stage.inputs(CONFIG, paths)


def test_checkpoint_of_another_run(paths: Paths) -> None:
    """TRAINED_ON: the checkpoint is the other run's, the report has a folder of its own."""
    other = dataclasses.replace(paths, labeler="import", trained_on="synped_demo-ground_truth")
    shutil.copytree(paths.folder("masks"), other.folder("masks"), copy_function=os.link)
    report = run(other)
    assert report["provenance"]["trained_on"] == "synped_demo-ground_truth"
    assert other.report_json.parent.name == "eval-from-synped_demo-ground_truth"


SEGMENTER = dataclasses.replace(MODEL, local_branch=False, global_branch=False)


def write_segmenter(folder: Path, sees: int, model: SORNConfig = SEGMENTER, size: tuple[int, int] = SIZE) -> Path:
    """A training folder whose network calls every pixel the part `sees`."""
    tensors = {name: tensor.clone() for name, tensor in weights(model, 0).items()}
    if model.semantic_branch:
        tensors["semantic.classify.weight"].zero_()
        tensors["semantic.classify.bias"] = torch.eye(model.labels)[sees]
    checkpoints.save_weights(folder / "model.safetensors", tensors, {})
    about = {"model": as_json(model), "image_size": list(size), "dataset": "elsewhere", "labeler": "danet"}
    stamp.write_atomically(folder / "config.json", json.dumps(about))
    return folder


def by(folder: Path) -> Config:
    return evaluated(visibility="segmenter", segmenter=str(folder))


def test_another_network_picks_the_stripes_when_it_is_asked(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eq. 15 with every stripe visible is "global+local", with none "global"; the features are not extracted again."""
    before = feature_store.read_banks(paths.features)
    by_network = json.loads(paths.report_json.read_text())
    monkeypatch.setattr(engine, "extract_features", None)
    for sees, equal in ((0, "global"), (3, "global+local")):
        report = run(paths, by(write_segmenter(tmp_path / "other", sees)))
        assert report["metrics"]["sorn"] == report["metrics"][equal] == by_network["metrics"][equal]
        banks = feature_store.read_banks(paths.features)
        for bank, old in ((banks.query, before.query), (banks.gallery, before.gallery)):
            assert bank.segmenter is not None and (bank.segmenter == (sees > 0)).all()
            assert (bank.local == old.local).all() and (bank.visibility == old.visibility).all()
    assert "tau 0.15 on the part masks of a segmenter trained on elsewhere-danet" in report["protocol"]
    assert "segmenter" not in by_network["protocol"] and by_network["provenance"]["segmenter"] is None
    found = report["provenance"]["segmenter"]
    assert found["checkpoint_sha256"] == stamp.digest_file(tmp_path / "other" / "model.safetensors")
    assert found["trained_on"] == "elsewhere-danet" and "external segmenter calls" in paths.report_md.read_text()


def test_a_segmenter_looks_at_the_images_once(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_segmenter(tmp_path / "other", 3)
    run(paths, by(folder))
    written = paths.features.read_bytes()
    monkeypatch.setattr(extraction, "visible_stripes", None)
    run(paths, dataclasses.replace(by(folder), eval=dataclasses.replace(by(folder).eval, tau=0.4)))
    assert run(paths)["provenance"]["segmenter"] is None  # not asked: its scores stay, and are not used
    run(paths, by(shutil.copytree(folder, tmp_path / "elsewhere")))
    assert paths.features.read_bytes() == written
    with pytest.raises(TypeError, match="NoneType"):
        run(paths, by(write_segmenter(tmp_path / "other", 0)))


def test_a_segmenter_is_an_input_of_those_who_ask_it(paths: Paths, tmp_path: Path) -> None:
    """Its weights are, its place is not."""
    folder = write_segmenter(tmp_path / "other", 3)
    moved = shutil.copytree(folder, tmp_path / "moved")
    asking = stage.inputs(by(folder), paths)
    assert asking.keys() - stage.inputs(CONFIG, paths).keys() == {"segmenter"}
    assert (asking, stage.settings(by(folder), paths)) == (
        stage.inputs(by(moved), paths),
        stage.settings(by(moved), paths),
    )
    assert stage.settings(by(folder), paths) != stage.settings(CONFIG, paths)
    assert stage.inputs(by(write_segmenter(folder, 0)), paths) != asking


def test_segmenters_that_cannot_serve(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"eval\.segmenter = .*none: no model\.safetensors and no config\.json there\. Give"
    ):
        stage.inputs(by(tmp_path / "none"), paths)
    blind = write_segmenter(tmp_path / "blind", 0, dataclasses.replace(MODEL, semantic_branch=False))
    with pytest.raises(UserError, match=r"eval\.segmenter = .*blind: that network has no semantic branch"):
        stage.inputs(by(blind), paths)
    large = write_segmenter(tmp_path / "large", 0, size=(128, 64))
    with pytest.raises(UserError, match=r"segmenter in .*large was trained on images of 128x64, the shards hold 64x32"):
        run(paths, by(large))
    (large / "config.json").write_text('{"model": {"stripes": 3}, "image_size": [64, 32]}')
    with pytest.raises(UserError, match=r"large/config\.json does not describe a trained network"):
        stage.inputs(by(large), paths)


def test_networks_without_features_or_stripes(tmp_path: Path) -> None:
    """A segmenter alone has nothing to match, a network without local branch nothing for a segmenter to pick."""
    for model, config, message in (
        (SEGMENTER, CONFIG, r"alone/train is a segmenter alone: it has no features to match.*eval\.segmenter=FOLDER"),
        (dataclasses.replace(MODEL, local_branch=False), None, "no local branch, and so no stripes for eval.segmenter"),
    ):
        paths = Paths("synped_demo", "alone", Path("data"), tmp_path)
        write_run(paths, {"query": QUERY, "gallery": GALLERY}, model)
        with pytest.raises(UserError, match=message):
            run(paths, config or by(write_segmenter(tmp_path / "other", 3)))
        assert not paths.features.exists()
