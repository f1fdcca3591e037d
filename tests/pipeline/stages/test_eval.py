"""The eval stage on a hand-made run, see eval_runs."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from eval_runs import (
    CONFIG,
    GALLERY,
    LABELER,
    MODEL,
    QUERY,
    SIZE,
    evaluated,
    images,
    run,
    weights,
    write_run,
    write_shards,
)
from PIL import Image

from pipeline.errors import UserError
from pipeline.evaluation.per_query import read_query_results
from pipeline.features import store
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, write_text
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import eval as stage
from pipeline.stages.driver import execute
from sorn import engine
from sorn.sample import Sample, Status


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
    write_text(paths.data_summary, json.dumps({"root": str(tmp_path), "findings": []}))
    for item in QUERY:
        mask = tmp_path / "masks" / Path(item.name).with_suffix(".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(SIZE, 7, np.uint8)).save(mask)
    mask.unlink()
    report = run(paths)
    assert report["parts"]["against"] == {"exact masks": 8, "the labels of ground_truth": 1}
    assert "against ground truth of 8 queries and the labels of ground_truth of 1 query;" in paths.report_md.read_text()
    assert Image.open(paths.pictures / "part-masks.png").tobytes() != shown
    assert report["stripes"] is None and "sorn, exact masks" not in report["metrics"]


def test_stripes_of_exact_masks_are_matched_where_every_image_has_one(paths: Paths, tmp_path: Path) -> None:
    """Of every query they show the upper two thirds; what the network says changes nothing in that row."""
    write_text(paths.data_summary, json.dumps({"root": str(tmp_path), "findings": []}))
    for item in [*QUERY, *GALLERY]:
        path = tmp_path / "masks" / Path(item.name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        mask = np.full(SIZE, 2, np.uint8)
        mask[48 if item.name.startswith("query") else SIZE[0] :] = 0
        Image.fromarray(mask).save(path)
    report = run(paths)
    assert list(report["metrics"]) == ["global", "global+local", "sorn", "sorn, exact masks"]
    asked, ranked = report["stripes"]["query"], report["stripes"]["gallery"]
    assert (asked["images"], ranked["images"]) == (len(QUERY), len(GALLERY))
    assert ranked["visible_share"] == 1 and ranked["said_visible"] == 0
    assert 0 < asked["visible_share"] < 1
    other = run(paths, evaluated(tau=0.0))["metrics"]
    assert other["sorn, exact masks"] == other["global+local"], "at 0 every stripe counts, whoever looks"
    assert "| sorn, ground truth |" in paths.report_md.read_text() and "all that agree" in paths.report_html.read_text()


def test_report_tells_where_it_comes_from(finished: Paths) -> None:
    report = json.loads(finished.report_json.read_text())
    assert report["provenance"]["checkpoint_sha256"] == digest_file(finished.checkpoint)
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
    assert set(stage.outputs(Run.of(Config(), finished))) >= set(finished.pictures.iterdir())


def test_features_are_the_networks(finished: Paths) -> None:
    banks = store.read_banks(finished.features)
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
    banks = store.read_banks(paths.features)
    assert banks.query.pose is not None and (banks.query.pose == (np.float32(0.8) if heights else 0)).all()
    monkeypatch.setattr(engine, "extract_features", None)  # another way to pick stripes starts from features.h5
    report = run(paths, evaluated(visibility="pose"))
    assert report["metrics"]["sorn"] == report["metrics"][equal]
    assert report["metrics"][equal] == by_network["metrics"][equal]
    assert "tau 0.15 on the landmarks of joints" in report["protocol"] and "landmark" not in by_network["protocol"]
    assert report["provenance"]["pose"] == POSE and "surest landmark" in paths.report_md.read_text()


def test_joints_are_an_input_of_those_who_use_them(paths: Paths) -> None:
    asking = evaluated(visibility="pose")
    with pytest.raises(
        UserError, match=r"visibility = pose needs keypoints.*have none.*make eval.*masks\.keypoints=joi"
    ):
        stage.inputs(Run.of(asking, paths))
    extracted = store.read_attrs(paths.features)["fingerprint"]
    found, fingerprints = [], {extracted}
    for height in (0.1, 0.9):
        write_shards(paths, {"query": posed(QUERY, height), "gallery": posed(GALLERY, height)}, POSE)
        run(paths, asking)
        found.append((stage.inputs(Run.of(CONFIG, paths)), stage.inputs(Run.of(asking, paths))))
        fingerprints.add(store.read_attrs(paths.features)["fingerprint"])
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]
    assert len(fingerprints) == 3


def test_a_split_that_is_not_stored_names_those_that_are(paths: Paths) -> None:
    write_shards(paths, {"query": QUERY, "gallery": GALLERY}, POSE)
    with pytest.raises(UserError, match=r"has no images of split 'val_query'\. It has: gallery, query;"):
        stage.inputs(Run.of(evaluated(split="val"), paths))


def test_damaged_features_are_extracted_again(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    good = paths.features.read_bytes()
    paths.features.unlink()
    paths.features.write_bytes(good[: len(good) // 2])
    run(paths)
    assert "extracting again" in capsys.readouterr().err
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
    assert execute(stages, "eval", Run.of(CONFIG, paths)) == paths.report_html
    assert execute(stages, "eval", Run.of(CONFIG, paths)) is None
    assert execute(stages, "eval", Run.of(evaluated(tau=0.3), paths)) == paths.report_html


@dataclasses.dataclass
class FinishedStage:
    """A stage that is always fresh."""

    NAME: str
    VERSION: int = 1

    def settings(self, run: Run) -> dict:
        return {}

    def inputs(self, run: Run) -> list:
        return []


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
    assert "colours 100.0 %" in page and "needs no training" in page
    assert stage.settings(Run.of(evaluated(colour=True), paths)) != stage.settings(Run.of(CONFIG, paths))


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


def test_a_network_with_a_part_branch_has_variants_more(tmp_path: Path) -> None:
    paths = Paths("synped_demo", "parts", Path("data"), tmp_path)
    write_run(paths, {"query": QUERY, "gallery": GALLERY}, dataclasses.replace(MODEL, part_branch=True))
    report = run(paths)
    assert list(report["metrics"]) == ["global", "global+local", "sorn", "parts", "sorn+parts"]
    banks = store.read_banks(paths.features)
    assert banks.query.part_features is not None and banks.query.part_features.shape == (9, 5, 512)
    page = paths.report_html.read_text()
    assert "By <b>sorn</b>, the paper&#39;s fullest variant" in page or "By <b>sorn</b>, the paper's fullest" in page
    assert "lower legs and feet: " in page and "the part groups visible in both images" in page
    with_all = run(paths, evaluated(part_tau=1.0))
    assert with_all["metrics"]["parts"] == with_all["metrics"]["global"], "no group fills a whole image"
    assert with_all["metrics"]["sorn+parts"] == report["metrics"]["sorn"]


def test_validation_split(tmp_path: Path) -> None:
    paths = Paths("synped_demo", "ground_truth", Path("data"), tmp_path)
    val_query, val_gallery = images("val_query", [(1, 1), (2, 1)]), images("val_gallery", [(1, 2), (2, 2), (3, 2)])
    write_run(paths, {"val_query": val_query, "val_gallery": val_gallery})
    report = run(paths, evaluated(split="val"))
    assert report["metrics"]["sorn"]["queries"] == 2 and "split val" in report["protocol"]
    with pytest.raises(UserError, match="no images of split 'query'"):
        stage.inputs(Run.of(CONFIG, paths))


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
    settings = [stage.settings(Run.of(evaluated(protocol=name), paths)) for name in ("occluded", "partial")]
    assert settings[0] != settings[1]
    with pytest.raises(UserError, match="Known: occluded, partial"):
        stage.settings(Run.of(evaluated(protocol="frontal"), paths))


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
    write_text(paths.train_config, json.dumps({**trained, "image_size": [128, 64]}))
    with pytest.raises(UserError, match=r"trained on images of 128x64.*are 64x32.*masks.image_size=\[128,64\]"):
        run(paths)


@pytest.mark.parametrize("missing", ["data", "masks", "train"])
def test_missing_stage_names_the_command(paths: Paths, missing: str) -> None:
    paths.stamp(missing).unlink()
    with pytest.raises(UserError, match=f"Run: make {missing} DATASET=synped_demo"):
        stage.inputs(Run.of(CONFIG, paths))


def test_checkpoint_of_another_run(paths: Paths) -> None:
    """TRAINED_ON: the checkpoint is the other run's, the report has a folder of its own."""
    other = dataclasses.replace(paths, labeler="import", trained_on="synped_demo-ground_truth")
    shutil.copytree(paths.folder("masks"), other.folder("masks"), copy_function=os.link)
    report = run(other)
    assert report["provenance"]["trained_on"] == "synped_demo-ground_truth"
    assert other.report_json.parent.name == "eval-from-synped_demo-ground_truth"
    content = bytearray(paths.checkpoint.read_bytes())
    content[-1] ^= 1
    paths.checkpoint.write_bytes(content)
    with pytest.raises(UserError, match=r"safetensors was changed .*: sorn verify synped_demo-ground_truth --runs"):
        stage.inputs(Run.of(CONFIG, other))
