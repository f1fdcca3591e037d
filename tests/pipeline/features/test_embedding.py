"""sorn embed: the features that an evaluation computes, of anybody's folder, in a file that is whole or not there."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.features.embedding import load_embedder
from pipeline.features.extraction import Extraction
from pipeline.features.mapped import open_bank
from pipeline.features.store import read_bank
from pipeline.io import checkpoints
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.config import Config, EvalConfig, Runtime
from pipeline.runs.find import find_training
from pipeline.runs.layout import Paths
from pipeline.shards.dataset import ShardDataset

SIZE = (64, 32)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 pictures of several sizes and kinds, and a CSV that makes a dataset of them."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows = ["path,pid,camid,split"]
    for i in range(23):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 4, 3), dtype=np.uint8))
        name = f"{'ab'[i % 2]}/{i:02d}.{('jpg', 'png')[i % 3 == 0]}"
        (folder / name).parent.mkdir(exist_ok=True)
        coarse.resize((20 + 3 * i, 50 + 5 * i)).convert("L" if i % 5 == 0 else "RGB").save(folder / name)
        rows.append(f"{name},{i % 3 + 1},{1 + i % 2},{'query' if i < 9 else 'gallery'}")
    (folder / "mine.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, make_training) -> Path:
    return make_training(tmp_path_factory.mktemp("runs") / "mine-none" / "train")


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def test_a_picture_has_the_features_that_an_evaluation_gives_it(tmp_path, pictures, model):
    options = ["--dataset", pictures / "mine.csv", "--runs", tmp_path / "runs"]
    run("data", "prepare", *options)
    run("masks", *options, "--labeler", "none", "--set", f"masks.image_size=[{SIZE[0]},{SIZE[1]}]")
    paths = Paths(str(pictures / "mine.csv"), "none", tmp_path, tmp_path / "runs", name="mine")
    paths.folder("train").mkdir()
    for file in model.iterdir():
        os.link(file, paths.folder("train") / file.name)
    config = Config(eval=EvalConfig(precision="fp32", batch_size=5), runtime=Runtime(0, "cpu"))
    query, gallery = (ShardDataset(paths.shard_index, split) for split in ("query", "gallery"))
    banks = Extraction(paths, describe(model), query, gallery, config.eval, "cpu").banks()

    out = tmp_path / "bank.h5"
    text = run("embed", pictures, "--model", model, "--out", out, "--precision", "fp32", "--batch-size", 4)
    assert "left out 1 other file: mine.csv (its name does not end" in text
    assert text.endswith(f"{out}: 23 pictures\n")
    bank, attrs = read_bank(out)
    assert attrs["checkpoint_sha256"] == banks.attrs["checkpoint_sha256"]
    assert attrs["config"] == banks.attrs["config"] and attrs["folder"] == str(pictures)
    assert (bank.pid == -1).all() and (bank.camid == -1).all()
    place = {str(name): row for row, name in enumerate(bank.name)}
    for evaluated in (banks.query, banks.gallery):
        rows = [place[name.partition("/")[2]] for name in evaluated.name]
        for field in ("global_", "local", "visibility"):
            found, expected = getattr(bank, field)[rows], getattr(evaluated, field)
            assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max()), field
        assert evaluated.global_.std() > 0.1 and evaluated.visibility.std() > 0.01


def test_a_picture_and_its_mirror_image_have_the_same_features_with_flips(tmp_path, pictures, model):
    (tmp_path / "both").mkdir()
    with Image.open(pictures / "a" / "00.png") as opened:
        picture = opened.convert("RGB").resize(SIZE[::-1])
    picture.save(tmp_path / "both" / "one.png")
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "both" / "other.png")
    banks = {}
    for name, flags in {"plain": [], "flipped": ["--flip"]}.items():
        out = tmp_path / f"{name}.h5"
        run("embed", tmp_path / "both", "--model", model, "--out", out, "--precision", "fp32", *flags)
        banks[name], attrs = read_bank(out)
        assert json.loads(attrs["config"]).get("flip", False) == (name == "flipped")
    for field in ("global_", "local", "visibility"):
        one, other = getattr(banks["flipped"], field)
        assert np.array_equal(one, other)
    assert not np.array_equal(*banks["plain"].global_)


def test_an_embedded_bank_is_made_again_only_when_something_changed(tmp_path, pictures, model, make_training):
    for file in sorted((pictures / "a").iterdir())[:3]:
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / file.name).write_bytes(file.read_bytes())
    own, out = tmp_path / "own", tmp_path / "bank.h5"
    run("embed", own, "--model", model, "--out", out)
    first = out.read_bytes()
    assert "holds the features of this network and these pictures already" in run(
        "embed", own, "--model", model, "--out", out
    )
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("bank")] == ["bank.h5"]
    next(own.iterdir()).unlink()
    assert "already" not in run("embed", own, "--model", model, "--out", out)
    assert len(read_bank(out)[0]) == 2
    other = make_training(tmp_path / "other", seed=1)
    assert "already" not in run("embed", own, "--model", other, "--out", out)
    assert out.read_bytes() != first


def test_what_is_no_picture_is_named_and_left_out(tmp_path, pictures, model):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "good.png").write_bytes((pictures / "a" / "00.png").read_bytes())
    (tmp_path / "own" / "bad\x1b.jpg").write_bytes(b"no picture")
    (tmp_path / "own" / "film.mp4").write_bytes(b"moving")
    text = run("embed", tmp_path / "own", "--model", model, "--out", tmp_path / "bank.h5")
    assert "left out 2 other files: film.mp4 (its name" in text and "bad?.jpg (it is no JPEG" in text
    assert read_bank(tmp_path / "bank.h5")[0].name.tolist() == ["good.png"]
    (tmp_path / "own" / "good.png").unlink()
    text = run("embed", tmp_path / "own", "--model", model, "--out", tmp_path / "bank.h5", code=1)
    assert "no picture in" in text and "can be read: 2 other files" in text


def test_a_file_that_is_something_else_is_not_replaced(tmp_path, pictures, model):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes((pictures / "b" / "01.jpg").read_bytes())
    text = run("embed", pictures, "--model", model, "--out", photo, code=1)
    assert "no feature bank" in text and "it is not replaced" in text and "--out" in text
    assert photo.read_bytes() == (pictures / "b" / "01.jpg").read_bytes()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "market1502"], "no finished training run of 'market1502'"),
        (["--model", "{pictures}"], "holds no trained network: no model.safetensors and no config.json"),
        (["--model", "{model}", "--batch-size", "0"], "batch size 0: expected 1 or more"),
        (["--model", "{model}", "--device", "cuda:99"], "device 'cuda:99' cannot be used"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, pictures, model, words, sentence):
    words = [word.format(pictures=pictures, model=model) for word in words]
    text = run("embed", pictures, *words, "--out", tmp_path / "bank.h5", "--runs", tmp_path, code=1)
    assert sentence in text and len(text.strip().splitlines()) == 1
    assert not (tmp_path / "bank.h5").exists()


def test_a_training_is_found_by_its_folder_its_runs_folder_or_its_name(tmp_path, model):
    (model / "stamp.json").write_text("{}")
    runs = model.parents[1]
    for given in (model, model.parent, str(model), "mine", "mine-none"):
        assert find_training(given, runs).resolve() == model.resolve()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"holds no model.safetensors"):
        find_training(tmp_path, runs)


def test_a_network_that_only_finds_parts_is_refused(tmp_path, make_training):
    folder = make_training(tmp_path / "train", global_branch=False, local_branch=False)
    with pytest.raises(UserError, match=r"neither a global nor a local branch"):
        load_embedder(folder, tmp_path, "cpu")


def test_features_that_are_not_finite_stop_the_work_and_name_the_picture(tmp_path, pictures, model):
    weights = checkpoints.read_weights(model / "model.safetensors")
    weights["global_.norm.weight"][0] = torch.inf
    checkpoints.save_weights(tmp_path / "model.safetensors", weights, {})
    (tmp_path / "config.json").write_bytes((model / "config.json").read_bytes())
    text = run("embed", pictures, "--model", tmp_path, "--out", tmp_path / "bank.h5", code=1)
    assert "features are not finite, first those of a/00.png" in text
    assert not list(tmp_path.glob("bank*"))


def test_a_bank_is_mapped_and_reads_as_it_was_written(tmp_path, pictures, model):
    out = tmp_path / "bank.h5"
    run("embed", pictures, "--model", model, "--out", out)
    mapped, whole = open_bank(out), read_bank(out)[0]
    assert isinstance(mapped.bank.global_, np.memmap) and isinstance(mapped.bank.local, np.memmap)
    for field in dataclasses.fields(whole):
        a, b = getattr(mapped.bank, field.name), getattr(whole, field.name)
        assert (a is None and b is None) or np.array_equal(a, b), field.name
    assert mapped.picture("a/00.png") == pictures / "a/00.png"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4000]), "truncated or no feature bank"),
        (lambda path: path.write_text("text"), "truncated or no feature bank"),
        (lambda path: _edit(path, lambda file: file.attrs.update(schema_version=99)), "schema version 99"),
        (lambda path: _edit(path, lambda file: file["images"].pop("pid")), "no feature bank"),
        (
            lambda path: _edit(path, lambda file: file["images/visibility"].write_direct(NAN)),
            "visibility is not finite",
        ),
        (
            lambda path: _edit(
                path, lambda file: file["images/visibility"].write_direct(np.full((23, 3), 2, np.float32))
            ),
            r"outside \[0, 1\]",
        ),
        (lambda path: _edit(path, lambda file: _retype(file["images"])), "global is float64"),
    ],
)
def test_a_damaged_bank_is_refused(tmp_path, pictures, model, damage, words):
    out = tmp_path / "bank.h5"
    run("embed", pictures, "--model", model, "--out", out)
    damage(out)
    with pytest.raises(UserError, match=words):
        open_bank(out)


NAN = np.full((23, 3), np.nan, np.float32)


def _edit(path: Path, change) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def _retype(group: h5py.Group) -> None:
    values = group["global"][:].astype(np.float64)
    del group["global"]
    group["global"] = values


def test_a_disk_without_room_is_told_before_the_network_runs(tmp_path, pictures, model, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 10_000}))
    monkeypatch.setattr("sorn.engine.extract_features", lambda *_: pytest.fail("the network ran"))
    text = run("embed", pictures, "--model", model, "--out", tmp_path / "new" / "bank.h5", code=1)
    assert "bank.h5 needs 0.3 MB, but only 0.0 MB are free there" in text and "another place with --out" in text
    assert not (tmp_path / "new" / "bank.h5").exists()
