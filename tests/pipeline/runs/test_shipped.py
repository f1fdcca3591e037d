"""Networks that ship: names that work at once, own files and runs first, and damage told in a sentence."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.features.embedding import load_embedder
from pipeline.features.external_segmenter import find_segmenter
from pipeline.io import checkpoints
from pipeline.io.files import digest_file
from pipeline.runs import inputs
from pipeline.runs.find import find_trained, find_training
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runs.shipped import find_shipped, shipped_labeler, shipped_names, weights_path
from pipeline.training.initial_weights import load_initial_weights
from sorn.config import SORNConfig
from sorn.danet import DANet
from sorn.network import SORN

MODEL = SORNConfig(identities=5, backbone="resnet18", set_channels=8, semantic_channels=8)


def sorn(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def own_run(runs: Path, name: str, make_training) -> Path:
    folder = make_training(runs / name / "train", seed=7)
    (folder / "stamp.json").write_text("{}")
    return folder


def test_a_name_is_found_where_nothing_was_trained(shipped: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert shipped_names() == ["starter", "starter-danet"]
    assert find_training("starter", runs) == shipped / "starter"
    assert find_trained("starter", runs).full_name == "starter"
    paths = Paths("mine", "none", tmp_path, runs, trained_on="starter")
    assert paths.checkpoint == shipped / "starter" / "model.safetensors"
    assert paths.folder("eval") == runs / "mine-none" / "eval-from-starter"
    made = Run.at(paths).finished("train")
    assert made.provided("checkpoint") == digest_file(paths.checkpoint)


def test_half_precision_is_that_of_the_network_once_loaded(shipped: Path, tmp_path: Path) -> None:
    stored = checkpoints.read_weights(shipped / "starter" / "model.safetensors")
    assert {value.dtype for value in stored.values()} >= {torch.float16, torch.float32}
    network = load_embedder("starter", tmp_path, "cpu", "fp32").inference.network
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32, torch.int64}


def test_embed_and_search_with_it(shipped: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(3):
        Image.new("RGB", (20, 40), (80 * i, 50, 200 - 80 * i)).save(photos / f"{i}.png")
    common = ("--model", "starter", "--runs", tmp_path / "runs", "--device", "cpu")
    assert "3 pictures" in sorn("embed", photos, "--out", tmp_path / "bank.h5", *common)
    sorn("search", "--gallery", photos, "--query", photos / "1.png", *common)
    found = json.loads((tmp_path / "runs" / "search" / "search.json").read_text())
    assert digest_file(shipped / "starter" / "model.safetensors") in json.dumps(found)


@pytest.mark.parametrize(
    ("name", "folder"), [("starter", "starter"), ("starter-import", "starter"), ("starter/experiments/a", "starter/a")]
)
def test_a_run_of_the_user_is_taken_first(shipped, tmp_path, make_training, caplog, name, folder) -> None:
    """A run of that name, and one of a dataset of that name; an experiment is nobody's default."""
    runs = tmp_path / "runs"
    own = own_run(runs, name, make_training)
    with caplog.at_level(logging.INFO):
        found = find_training("starter", runs)
    if "experiments" in name:
        assert found == shipped / "starter" and "own run" not in caplog.text
        return
    assert found == own and "your own run" in caplog.text
    full_name = find_trained("starter", runs).full_name
    assert Paths("m", "none", tmp_path, runs, trained_on=full_name).folder("train") == own


def test_an_unfinished_run_and_a_folder_of_that_name_are_not(shipped, tmp_path, monkeypatch) -> None:
    runs = tmp_path / "runs"
    (runs / "starter" / "train").mkdir(parents=True)
    (tmp_path / "starter").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_training("starter", runs) == shipped / "starter"
    assert Paths("m", "none", tmp_path, runs, trained_on="starter").folder("train") == shipped / "starter"
    assert weights_path("starter") == shipped / "starter" / "model.safetensors"


def test_initial_weights_by_name(shipped: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    weights = shipped / "starter" / "model.safetensors"
    assert inputs.initial_weights("train.init", "starter") == {"file": "starter", "sha256": digest_file(weights)}
    model = SORN(MODEL)
    start = load_initial_weights(model, "starter", "resnet18", "train.init")
    assert start is not None and start.as_json() == {"file": "starter", "sha256": digest_file(weights)}
    stored = checkpoints.read_weights(weights)
    same = [name for name, value in model.state_dict().items() if "classifier" not in name and "num_" not in name]
    assert all(torch.equal(model.state_dict()[name], stored[name].float()) for name in same)
    danet = DANet("resnet18")
    assert load_initial_weights(danet, "starter-danet", "resnet18", "danet.init").file == "starter-danet"
    shutil.copy(weights, tmp_path / "starter-danet")
    assert load_initial_weights(model, "starter-danet", "resnet18", "train.init").sha256 == digest_file(weights)
    assert "your own file is taken" in capsys.readouterr().out


def test_an_external_segmenter_by_name(shipped: Path) -> None:
    segmenter = find_segmenter("starter")
    assert segmenter is not None and segmenter.weights == shipped / "starter" / "model.safetensors"
    with pytest.raises(UserError, match=r"'starter-danet' is a DANet, and eval.segmenter takes a SORN.*: starter\."):
        find_segmenter("starter-danet")


def test_a_network_of_the_other_kind_is_refused(shipped: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'starter-danet' is a DANet, and a search or an evaluation takes a SORN"):
        find_training("starter-danet", tmp_path)


@pytest.mark.parametrize("name", ["startr", "Starter", "starter_danet"])
def test_a_name_that_does_not_ship(shipped: Path, tmp_path: Path, name: str) -> None:
    meant = "starter-danet" if "danet" in name else "starter"
    for use in (find_training, find_trained):
        with pytest.raises(UserError, match=rf"no finished training run of '{name}'.*Did you mean {meant}\?"):
            use(name, tmp_path)
    with pytest.raises(UserError, match=rf"no such file. Did you mean {meant}\? .*Networks that ship: starter, "):
        inputs.initial_weights("train.init", name)


def test_an_installation_without_networks(tmp_path: Path) -> None:
    assert shipped_names() == [] and find_shipped("starter") is None and shipped_labeler() is None
    with pytest.raises(UserError, match=r"no finished training run of 'starter'.*No network ships with this inst"):
        find_training("starter", tmp_path)
    with pytest.raises(UserError, match=r"train.init = starter: no such file.*No network ships"):
        inputs.initial_weights("train.init", "starter")


def damage(folder: Path, how: str) -> None:
    weights, record = folder / "model.safetensors", folder / "stamp.json"
    if how == "changed":
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    elif how == "missing":
        (folder / "config.json").unlink()
    elif how == "no record":
        record.unlink()
    elif how == "no stamp":
        record.write_text('{"schema_version": 1, "stage": "data"}')
    else:
        record.write_text(json.dumps(json.loads(record.read_text()) | {"schema_version": 2, "more": True}))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("changed", r"model\.safetensors of the SORN 'starter', which ships .* is damaged: its sha256 is \w+, not \w+"),
        ("missing", r"the SORN 'starter', which ships with this program, lacks its file .*config\.json"),
        ("no record", r"stamp\.json, the record of the network 'starter' that ships, is missing or damaged"),
        ("no stamp", r"stamp\.json, the record of the network 'starter' that ships, is missing or damaged"),
        ("newer", r"stamp\.json is of schema 2, of a newer program; this one reads schema 1"),
    ],
)
@pytest.mark.parametrize("checkout", [True, False])
def test_damage_is_told_wherever_it_is_used(shipped, tmp_path, how, told, checkout) -> None:
    damage(shipped / "starter", how)
    if checkout:
        (shipped.parent / "pyproject.toml").touch()
    remedy = r"Run: git -C \S+ checkout -- weights/starter$" if checkout else r"Install the program again: pip install"
    paths = Paths("synped_demo", "none", tmp_path, tmp_path / "runs", trained_on="starter")
    uses = (
        lambda: find_training("starter", tmp_path),
        lambda: find_trained("starter", tmp_path),
        lambda: find_segmenter("starter"),
        lambda: inputs.initial_weights("train.init", "starter"),
        lambda: load_initial_weights(SORN(MODEL), "starter", "resnet18", "train.init"),
        lambda: Run.at(paths).config,
    )
    for use in uses:
        with pytest.raises(UserError, match=f"{told}.*{remedy}"):
            use()
    assert shipped_labeler().name == "starter-danet"


def test_an_export_is_not_written_into_the_program(shipped: Path, tmp_path: Path, monkeypatch) -> None:
    from pipeline.tools.export import export

    seen = []
    monkeypatch.setattr(export, "export", lambda training, files, options: seen.append((training, files.folder)))
    sorn("export", "starter", "--runs", tmp_path / "runs")
    assert seen == [(shipped / "starter", tmp_path / "runs" / "starter" / "export")]
