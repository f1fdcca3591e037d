"""Embedding and search in int8: with the network of the bank, its own calibration, and no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from eval_runs import GALLERY, QUERY, evaluated, images, write_run
from eval_runs import run as evaluate
from int8_stand_in import use_stand_in
from searches import run

from pipeline.errors import UserError
from pipeline.features.embedding import load_embedder
from pipeline.features.mapped import open_bank
from pipeline.runs.layout import Paths
from pipeline.search import Searcher

TRAIN = images("train", [(pid, camid) for pid in range(300, 340) for camid in (1, 2)])


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Training that has its shards."""
    use_stand_in(monkeypatch)
    paths = Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")
    write_run(paths, {"query": QUERY, "gallery": GALLERY, "train": TRAIN})
    return paths.folder("train")


@pytest.fixture
def bank(training: Path, folder: Path, tmp_path: Path) -> Path:
    out = tmp_path / "bank.h5"
    run("embed", folder, "--model", training, "--out", out, "--precision", "int8")
    return out


def test_a_folder_is_embedded_and_searched_in_int8(training, bank, folder, tmp_path):
    mapped = open_bank(bank)
    digest = load_embedder(training, tmp_path, precision="int8").int8.record.digest
    assert f'"int8": "{digest}", ' in mapped.attrs["config"] and '"precision": "int8"' in mapped.attrs["config"]
    query = folder / "<b>" / "02.png"
    people = Searcher(training, bank)
    assert people.embedder.inference.precision == "int8"
    best = people.search(query)[0]
    assert best.own and best.similarity > 0.999
    again = Searcher(training, folder, precision="int8", cache=False)
    assert np.array_equal(again.gallery.bank.global_, mapped.bank.global_)
    plain = Searcher(training, folder, precision="fp32", cache=False)
    assert not np.array_equal(plain.gallery.bank.global_, mapped.bank.global_)
    assert people.embedder.machine != plain.embedder.machine


def test_a_bank_of_another_precision_or_int8_network_is_refused(training, bank, folder, tmp_path):
    with pytest.raises(UserError, match=r"bank.h5 holds features in int8, not in fp32. Leave --precision out"):
        Searcher(training, bank, precision="fp32")
    with pytest.raises(UserError, match=r"precision = int4: expected one of auto, fp32, bf16, fp16, int8"):
        Searcher(training, bank, precision="int4")
    with pytest.raises(UserError, match=r"int8 is computed on a CPU, and the device is 'cuda'"):
        Searcher(training, folder, precision="int8", device="cuda")
    for file in (training / "int8").iterdir():
        file.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("int8_stand_in.STEPS", 7)
        use_stand_in(patch)
        with pytest.raises(UserError, match=r"bank.h5 holds features of another int8 network than .*network.xml"):
            Searcher(training, bank)


def test_a_rate_needs_the_calibration_of_the_int8_network(training, bank):
    with pytest.raises(UserError, match=r"int8/calibration.json.* eval.precision=int8"):
        Searcher(training, bank, false_match_rate=0.01)


def test_search_takes_the_precision(training, folder, tmp_path):
    query = folder / "<b>" / "02.png"
    words = ("--model", training, "--gallery", folder, "--query", query, "--precision", "int8", "--no-cache")
    text = run("search", *words, "--out", tmp_path / "answers", "--top", 3)
    assert "02.png" in text
    assert "int8" in (tmp_path / "answers" / "search.json").read_text()


def test_calibrations_are_those_of_the_precision(training, bank, folder):
    config = evaluated(precision="int8")
    paths = Paths("synped_demo", "ground_truth", training.parents[2] / "data", training.parents[1])
    evaluate(paths, config)
    assert Searcher(training, bank, false_match_rate=0.5).decision.rates is not None
    with pytest.raises(UserError, match=r"no calibration .*/train/calibration.json.* eval.precision=auto --force"):
        Searcher(training, folder, precision="fp32", cache=False, false_match_rate=0.5)
    evaluate(paths)
    Searcher(training, folder, precision="fp32", cache=False, false_match_rate=0.5)
    with pytest.raises(UserError, match=r"train/calibration.json is of another precision"):
        Searcher(training, bank, false_match_rate=0.5, calibration=training / "calibration.json")
